"""Builds: from recipes and documents to published versions, with every fault of a recipe named."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quadmosaic import bootstrap
from quadmosaic.domain import grids
from quadmosaic.domain.errors import Conflict, Invalid
from quadmosaic.domain.mosaic import Defaults, Recipe
from quadmosaic.domain.mosaicjson import parse
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.domain.sources import CogsSource, FeaturesSource, Source
from quadmosaic.services.drafts import Draft, publish, require_free
from rasters import write_raster
from toys import Toys, heights, item, tile_box, write_tile

NODATA = -32767.0
MOON = "IAU_2015:30110"


@pytest.fixture
def toys(tmp_path: Path) -> Toys:
    return Toys(folder=tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write_tile(tmp_path / f"g{number}.tif", heights(seed=number), nodata=NODATA) for number in range(3)]


def features(*items: dict[str, Any]) -> FeaturesSource:
    return FeaturesSource(features={"type": "FeatureCollection", "features": list(items)})


def items(files: Sequence[Path | str], **properties: Sequence[object]) -> FeaturesSource:
    """An item per file; each keyword gives a property, one value per item."""
    made = [item(Path(file).stem, {"dtm": file}) for file in files]
    for name, values in properties.items():
        for each, value in zip(made, values, strict=True):
            each["properties"] |= {} if value is None else {name: value}
    return features(*made)


def draft(toys: Toys, source: Source, *, defaults: Defaults | None = None, **recipe: Any) -> Draft:
    builder = bootstrap.builder(toys.outside().reader)
    return asyncio.run(builder.draft(Recipe(source=source, **recipe), defaults or Defaults()))


def order_of(built: Draft) -> list[str]:
    return [granule.id for granule in built.index.granules]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("source", ["g0", "g1", "g2"]),
        ("newest", ["g2", "g0", "g1"]),
        ("best-resolution", ["g1", "g2", "g0"]),
        ("cloud", ["g1", "g0", "g2"]),
        ("-cloud", ["g0", "g1", "g2"]),
        ("-id", ["g2", "g1", "g0"]),
    ],
)
def test_granules_stand_in_the_order_asked_for(toys: Toys, files: list[Path], order: str, expected: list[str]) -> None:
    dates = ["2020-01-01T00:00:00Z", "2019-01-01T00:00:00Z", "2024-01-01T00:00:00Z"]
    source = items(files, datetime=dates, gsd=[30, 5, 20], cloud=[9, 1, None])
    built = draft(toys, source, order=order, scan=False, quadkey_zoom=7)
    assert order_of(built) == expected
    assert all(list(members) == sorted(members) for members in built.index.cells.values())


def test_the_body_the_grid_and_the_zooms_are_found(toys: Toys, files: list[Path]) -> None:
    manifest = draft(toys, CogsSource(hrefs=tuple(map(str, files)))).manifest
    assert manifest.body == "Mars"
    assert manifest.grid_id == "MarsMercatorSphere"
    assert manifest.report.advice is not None
    assert f"Zoom {manifest.quadkey_zoom}:" in manifest.report.advice
    grid = grids.load(manifest.grid_id)
    assert grid.resolution(manifest.maxzoom) <= 163 <= grid.resolution(manifest.maxzoom - 1)
    assert manifest.minzoom <= manifest.quadkey_zoom <= manifest.maxzoom
    (profile,) = manifest.assets
    assert (profile.dtype, profile.nodata, profile.count) == ("float32", NODATA, 1)
    ((low, high),) = profile.stretch
    assert -2600 <= low < -2590
    assert -2410 < high <= -2400


@pytest.mark.parametrize("targets", [["MARS"], ["mars"], "Mars", ["Sol 3", "Mars"]])
def test_the_body_may_be_spelled_in_any_way(toys: Toys, files: list[Path], targets: object) -> None:
    source = items(files)
    for each in source.features["features"]:  # type: ignore[union-attr]
        each["properties"]["ssys:targets"] = targets  # type: ignore[index,call-overload]
    assert draft(toys, source, scan=False, quadkey_zoom=7).manifest.body == "Mars"


def test_the_body_is_read_from_the_first_file_that_can_be(toys: Toys, files: list[Path]) -> None:
    made = [item(file.stem, {"dtm": file}) for file in files]
    for each in made:
        del each["properties"]["ssys:targets"]
    files[0].unlink()
    built = draft(toys, features(*made), quadkey_zoom=7)
    assert built.manifest.body == "Mars"
    assert built.manifest.report.unread == 1


def test_without_reading_files_nothing_is_known_of_them(toys: Toys) -> None:
    source = items(["/nowhere/a.tif", "/nowhere/b.tif"], gsd=[20, 6])
    manifest = draft(toys, source, scan=False, quadkey_zoom=7).manifest
    (profile,) = manifest.assets
    assert (profile.dtype, profile.stretch) == (None, ())
    assert manifest.report.unread == 0
    assert grids.load(manifest.grid_id).resolution(manifest.maxzoom) <= 6


@pytest.mark.parametrize("gsd", [0, -5, True, "fine", float("inf")])
def test_an_impossible_gsd_is_no_zoom(toys: Toys, gsd: object) -> None:
    built = draft(toys, items(["/nowhere/a.tif"], gsd=[gsd]), scan=False, quadkey_zoom=7)
    assert built.manifest.maxzoom == 7


def test_files_out_of_reach_are_counted_and_stay_in_the_mosaic(toys: Toys, files: list[Path]) -> None:
    built = draft(toys, items([*files, "/nowhere/a.tif"]), quadkey_zoom=7)
    assert built.manifest.report.unread == 1
    assert built.manifest.report.used == 4
    assert order_of(built) == ["g0", "g1", "g2", "a"]
    assert set(built.index.headers) == {"g0", "g1", "g2"}


def test_a_granule_whose_file_lies_on_another_body_is_refused_by_its_id(toys: Toys, files: list[Path]) -> None:
    left, _, right, top = tile_box()
    box = (left, top - (right - left), right, top)
    moon = write_raster(toys.folder / "moon.tif", heights(), crs=MOON, bounds=box, nodata=NODATA)
    built = draft(toys, items([files[0], moon, files[1]]), quadkey_zoom=7)
    assert order_of(built) == ["g0", "g1"]
    (refusal,) = built.manifest.report.refused
    assert refusal.granule_id == "moon"
    assert "Moon" in refusal.reason
    assert (built.manifest.report.found, built.manifest.report.used) == (3, 2)


@pytest.mark.parametrize(
    ("recipe", "field", "words"),
    [
        ({"tms": "MoonMercatorSphere"}, "source", "Moon"),
        ({"tms": "NoSuchGrid"}, "tms", "NoSuchGrid"),
        ({"tms": {"id": "x"}}, "tms", ""),
        ({"quadkey_zoom": 40}, "quadkey_zoom", "0 to"),
        ({"quadkey_zoom": -1}, "quadkey_zoom", "0 to"),
        ({"minzoom": 9, "maxzoom": 8}, "minzoom", "9 to 8"),
        ({"maxzoom": 60}, "maxzoom", "60"),
        ({"minzoom": -1}, "minzoom", "-1"),
        ({"order": "clouds"}, "order", "clouds"),
        ({"order": "best"}, "order", "best"),
        ({"assets": ("slope",)}, "source", "slope"),
    ],
)
def test_a_fault_of_the_recipe_is_named(
    toys: Toys, files: list[Path], recipe: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Invalid) as error:
        draft(toys, items(files), **{"quadkey_zoom": 7, "scan": False, **recipe})
    assert error.value.field == field
    assert words in error.value.message


def test_without_a_usable_granule_the_reasons_are_told(toys: Toys) -> None:
    with pytest.raises(Invalid) as error:
        draft(toys, CogsSource(hrefs=("/nowhere/a.tif", "/nowhere/b.tif")))
    assert error.value.field == "source"
    assert "a: the file does not exist; b: the file does not exist" in error.value.message
    with pytest.raises(Invalid, match="no usable granule"):
        draft(toys, features())


def test_without_a_body_a_grid_must_be_named(toys: Toys) -> None:
    nameless = item("g", {"dtm": "/nowhere/a.tif"})
    del nameless["properties"]["ssys:targets"]
    with pytest.raises(Invalid, match="name a tile matrix set") as error:
        draft(toys, features(nameless))
    assert error.value.field == "tms"
    built = draft(toys, features(nameless), tms="MarsMercatorSphere", quadkey_zoom=7)
    assert built.manifest.body == "Mars"


def test_several_assets_have_a_profile_each(toys: Toys, files: list[Path]) -> None:
    ortho = write_tile(toys.folder / "ortho.tif", heights(dtype="uint8"), nodata=0)
    source = features(item("one", {"dtm": files[0], "ortho": ortho}))
    manifest = draft(toys, source, assets=("ortho", "dtm"), quadkey_zoom=7).manifest
    assert [(profile.key, profile.dtype) for profile in manifest.assets] == [("ortho", "uint8"), ("dtm", "float32")]
    assert manifest.default_asset == "ortho"


def test_progress_is_told_for_every_step(toys: Toys, files: list[Path]) -> None:
    told: list[tuple[str, int, int | None]] = []
    builder = bootstrap.builder(toys.outside().reader)
    recipe = Recipe(source=items(files), quadkey_zoom=7)
    asyncio.run(builder.draft(recipe, Defaults(), progress=lambda *step: told.append(step)))
    assert [step for step in told if step[0] == "granules"] == [("granules", n, None) for n in (1, 2, 3)]
    assert [step for step in told if step[0] == "headers"] == [("headers", n, 3) for n in (1, 2, 3)]


def test_what_already_is_the_head_is_not_published_again(toys: Toys, files: list[Path]) -> None:
    store = toys.outside().store
    built = draft(toys, items(files), quadkey_zoom=7)
    again = draft(toys, items(files), quadkey_zoom=7)
    renamed = replace(built, manifest=replace(built.manifest, defaults=Defaults(title="other")))

    async def publish_all() -> list[int]:
        versions = [await publish(store, "toy", each) for each in (built, built, again, renamed)]
        history = (await store.versions("toy")).items
        assert [version.number for version in history] == sorted({v.number for v in versions}, reverse=True)
        return [version.number for version in versions]

    first, second, third, fourth = asyncio.run(publish_all())
    assert first == second == third
    assert fourth > first


def test_a_name_that_is_taken_is_a_conflict(toys: Toys, files: list[Path]) -> None:
    toys.publish("toy", files)
    with pytest.raises(Conflict, match="toy"):
        asyncio.run(require_free(toys.outside().store, "toy"))
    asyncio.run(require_free(toys.outside().store, "other"))


def imported(toys: Toys, document: Any, *, scan: bool = True, defaults: Defaults | None = None) -> Draft:
    builder = bootstrap.builder(toys.outside().reader)
    return asyncio.run(builder.imported(parse(document), defaults or Defaults(), scan=scan))


def document(toys: Toys, files: Sequence[Path | str], **changes: Any) -> dict[str, Any]:
    """A MosaicJSON document of files that all cover the tile."""
    built = draft(toys, items(files), scan=False, quadkey_zoom=7)
    mosaic = from_index(built.index, built.manifest, asset="dtm")
    tiles = {quadkey: list(hrefs) for quadkey, hrefs in mosaic.tiles.items()}
    return {
        "mosaicjson": "0.0.3",
        "minzoom": 5,
        "maxzoom": 9,
        "quadkey_zoom": 7,
        "bounds": [76.6, 18.3, 77.3, 18.9],
        "tilematrixset": mosaic.tilematrixset,
        "tiles": tiles,
        **changes,
    }


def test_an_imported_document_keeps_its_cells_words_and_zooms(toys: Toys, files: list[Path]) -> None:
    given = document(toys, files, name="Words", attribution="them", mine={"a": 1})
    built = imported(toys, given)
    back = from_index(built.index, built.manifest, asset="data")
    assert {quadkey: list(hrefs) for quadkey, hrefs in back.tiles.items()} == given["tiles"]
    assert (back.name, back.attribution, back.minzoom, back.maxzoom) == ("Words", "them", 5, 9)
    assert back.extra == {"mine": {"a": 1}}
    assert built.manifest.assets[0].dtype == "float32"
    assert imported(toys, given, defaults=Defaults(title="Other")).manifest.defaults.title == "Other"


def test_files_of_an_imported_document_that_are_out_of_reach_are_counted(toys: Toys, files: list[Path]) -> None:
    built = imported(toys, document(toys, [*files, "/nowhere/a.tif"]))
    report = built.manifest.report
    assert (report.unread, report.found, report.used) == (1, 4, 4)


def test_an_unread_document_keeps_what_it_says_of_its_data(toys: Toys, files: list[Path]) -> None:
    given = document(toys, files, data_type="int16", colormap={"1": [1, 2, 3, 255]})
    (profile,) = imported(toys, given, scan=False).manifest.assets
    assert (profile.dtype, profile.palette) == ("int16", {1: (1, 2, 3, 255)})


def test_an_imported_document_with_a_file_of_another_body_is_refused(toys: Toys, files: list[Path]) -> None:
    moon = write_raster(toys.folder / "moon.tif", heights(), crs=MOON, bounds=tile_box(), nodata=NODATA)
    with pytest.raises(Invalid, match="moon lies on Moon") as error:
        imported(toys, document(toys, [*files, moon]))
    assert error.value.field == "tiles"
