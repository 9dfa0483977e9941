"""MosaicJSON documents: read with every fault named, turned into an index and back, readable by cogeo-mosaic."""

import gzip
import json
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import pytest
import shapely
from cogeo_mosaic.backends import MosaicBackend
from cogeo_mosaic.mosaic import MosaicJSON

from quadmosaic.domain import covering, grids
from quadmosaic.domain.errors import Invalid, NotFound, TooLarge
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import AssetProfile, Defaults, Index, Manifest
from quadmosaic.domain.mosaicjson import MosaicJson, faults, parse, write
from quadmosaic.domain.mosaicjson_index import from_index, to_index

MERCATOR = grids.load("MarsMercatorSphere").document
EQUIDISTANT = grids.load("MarsEquidistantCylindricalSphere").document


def document(**changes: Any) -> dict[str, Any]:
    """A sound one; a change to None takes a key away."""
    sound: dict[str, Any] = {
        "mosaicjson": "0.0.3",
        "name": "Jezero",
        "version": "1.2.0",
        "attribution": "USGS",
        "minzoom": 3,
        "maxzoom": 12,
        "quadkey_zoom": 4,
        "bounds": [67.5, 0, 90, 22],
        "center": [78, 11, 4],
        "tilematrixset": MERCATOR,
        "asset_prefix": "s3://b/",
        "tiles": {"1233": ["b/2.tif", "a/1.tif"], "1231": ["a/1.tif"]},
    }
    return {key: value for key, value in (sound | changes).items() if value is not None}


def without_tms(**changes: Any) -> dict[str, Any]:
    return document(tilematrixset=None, **changes)


class TestFaults:
    def test_a_sound_document_has_none(self) -> None:
        assert faults(document()) == ()

    @pytest.mark.parametrize(
        ("broken", "field"),
        [
            (document(mosaicjson=None), "mosaicjson"),
            (document(mosaicjson="1.0.0"), "mosaicjson"),
            (document(minzoom=None), "minzoom"),
            (document(minzoom="3"), "minzoom"),
            (document(minzoom=26, maxzoom=28, center=None), "minzoom"),
            (document(maxzoom=2, quadkey_zoom=None, center=None, tiles={"123": ["a.tif"]}), "maxzoom"),
            (document(maxzoom=31), "maxzoom"),
            (document(maxzoom=10.5), "maxzoom"),
            (document(quadkey_zoom=-1), "quadkey_zoom"),
            (document(quadkey_zoom=True), "quadkey_zoom"),
            (document(maxzoom=3, center=None), "quadkey_zoom"),
            (document(tiles=None), "tiles"),
            (document(tiles={}), "tiles"),
            (document(tiles=["1233"]), "tiles"),
            (document(tiles={"123": ["a.tif"]}), "tiles.123"),
            (document(tiles={"1234": ["a.tif"]}), "tiles.1234"),
            (document(tiles={"1-1233": ["a.tif"]}), "tiles.1-1233"),
            (document(tiles={"1233": []}), "tiles.1233"),
            (document(tiles={"1233": "a.tif"}), "tiles.1233"),
            (document(tiles={"1233": ["a.tif", ""]}), "tiles.1233[1]"),
            (document(tiles={"1233": ["a.tif", None]}), "tiles.1233[1]"),
            (document(bounds=[1, 2, 3], center=None), "bounds"),
            (document(bounds=[90, 0, 67.5, 22], center=None), "bounds"),
            (document(bounds=[67.5, 0, 270, 22]), "bounds[2]"),
            (document(bounds=[67.5, 0, 90, float("nan")]), "bounds[3]"),
            (document(bounds=[67.5, 0, 90, 10**400]), "bounds[3]"),
            (document(center=[78, 11]), "center"),
            (document(center=[10, 11, 4]), "center[0]"),
            (document(center=[78, "11", 4]), "center[1]"),
            (document(center=[78, 11, 13]), "center[2]"),
            (document(name=3), "name"),
            (document(description=[]), "description"),
            (document(version=1), "version"),
            (document(attribution={}), "attribution"),
            (document(asset_type=1), "asset_type"),
            (document(asset_prefix=["s3://"]), "asset_prefix"),
            (document(data_type="float"), "data_type"),
            (document(data_type=["uint8"]), "data_type"),
            (document(colormap="viridis"), "colormap"),
            (document(colormap={"x": [0, 0, 0, 255]}), "colormap.x"),
            (document(colormap={"1": [0, 0, 0]}), "colormap.1"),
            (document(colormap={"1": [0, 0, 0, 256]}), "colormap.1"),
            (document(layers=[]), "layers"),
            (document(layers={"rgb": "viridis"}), "layers.rgb"),
            (document(tilematrixset="MarsMercatorSphere"), "tilematrixset"),
            (document(tilematrixset={"id": "x"}), "tilematrixset"),
            (document(tilematrixset=EQUIDISTANT), "tilematrixset"),
        ],
    )
    def test_each_fault_is_found_alone_and_by_its_path(self, broken: dict[str, Any], field: str) -> None:
        assert [fault.field for fault in faults(broken)] == [field]
        with pytest.raises(Invalid) as raised:
            parse(broken)
        assert raised.value.field == field

    def test_all_faults_are_found_together(self) -> None:
        broken = document(minzoom="x", bounds=[0, 0, 0, 0], tiles={"9": ["a"], "1233": [1, ""]}, layers=1, center=None)
        fields = [fault.field for fault in faults(broken)]
        assert fields == ["minzoom", "bounds", "bounds", "tiles.9", "tiles.1233[0]", "tiles.1233[1]", "layers"]
        with pytest.raises(Invalid, match="and 6 more faults"):
            parse(broken)

    @pytest.mark.parametrize("thing", [[], "x", 3, None])
    def test_what_is_no_object_is_no_document(self, thing: Any) -> None:
        assert [fault.field for fault in faults(thing)] == ["document"]

    def test_null_counts_as_absent_and_whole_floats_as_integers(self) -> None:
        sound = without_tms() | {"name": None, "layers": None, "quadkey_zoom": 4.0, "center": [78, 11, 4.0]}
        assert faults(sound) == ()
        assert parse(sound).quadkey_zoom == 4

    def test_a_maxzoom_beyond_the_set_is_harmless(self) -> None:
        mosaic = parse(document(maxzoom=25))
        assert mosaic.maxzoom == 25
        assert to_index(mosaic)[1].maxzoom == 24


class TestParse:
    @pytest.mark.parametrize("version", ["0.0.1", "0.0.2", "0.0.3"])
    def test_every_version_is_read(self, version: str) -> None:
        mosaic = parse(without_tms(mosaicjson=version, quadkey_zoom=None, tiles={"123": ["a.tif"]}))
        assert mosaic.mosaicjson == version
        assert mosaic.quadkey_zoom == mosaic.minzoom == 3
        assert mosaic.grid() is grids.load("WebMercatorQuad")

    def test_bytes_text_gzip_and_objects_are_one(self) -> None:
        text = json.dumps(without_tms())
        forms: list[Any] = [text, text.encode(), b"\xef\xbb\xbf" + text.encode(), gzip.compress(text.encode())]
        assert [parse(form) for form in forms] == [parse(without_tms())] * 4

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b"[" * 100_000,
            gzip.compress(b"{}")[:-9],
            b"\x1f\x8bnonsense",
            "\ud800",
            b'{"a": NaN}',
        ],
    )
    def test_what_is_no_json_is_refused(self, raw: Any) -> None:
        with pytest.raises(Invalid) as raised:
            parse(raw)
        assert raised.value.field == "document"

    def test_a_document_that_unpacks_too_large_is_refused_before_it_fills_memory(self) -> None:
        with pytest.raises(TooLarge):
            parse(gzip.compress(b" " * 10_000_000), max_bytes=1_000_000)
        with pytest.raises(TooLarge):
            parse(b" " * 101, max_bytes=100)

    def test_the_root_cell_has_an_empty_key(self) -> None:
        mosaic = parse(without_tms(minzoom=0, quadkey_zoom=0, center=None, tiles={"": ["a.tif"]}))
        index, _ = to_index(mosaic)
        assert index.cells == {"": (0,)}
        assert index.granules[0].footprint.bounds == pytest.approx((-180, -85.0511287798, 180, 85.0511287798))


class TestWrite:
    def test_what_was_read_is_written_with_all_its_keys(self) -> None:
        given = document(
            colormap={"0": [0, 0, 0, 0]}, layers={"a": {"bidx": [1]}}, data_type="uint8", zeta=[1], beta={}
        )
        written = json.loads(write(parse(given)))
        assert written == given
        assert list(written)[-3:] == ["beta", "zeta", "tiles"]
        assert list(written["tiles"]) == list(given["tiles"])

    def test_old_versions_are_written_as_the_newest(self) -> None:
        assert json.loads(write(parse(without_tms(mosaicjson="0.0.1", bounds=None))))["mosaicjson"] == "0.0.3"

    def test_the_same_mosaic_is_always_the_same_bytes(self) -> None:
        mosaic = parse(without_tms())
        assert write(mosaic, compress=True) == write(mosaic, compress=True)
        assert gzip.decompress(write(mosaic, compress=True)) == write(mosaic)
        assert parse(write(mosaic, indent=True)) == mosaic
        assert write(mosaic, indent=True).startswith(b'{\n  "mosaicjson"')


class TestToIndex:
    def test_granules_stand_in_the_order_they_are_named_in(self) -> None:
        index, manifest = to_index(parse(document()), asset_key="image")
        assert [granule.id for granule in index.granules] == ["2", "1"]
        assert [granule.hrefs for granule in index.granules] == [
            {"image": "s3://b/b/2.tif"},
            {"image": "s3://b/a/1.tif"},
        ]
        assert dict(index.cells) == {"1233": (0, 1), "1231": (1,)}
        assert (manifest.body, manifest.grid_id, manifest.tms) == ("Mars", "MarsMercatorSphere", None)
        assert manifest.defaults == Defaults(title="Jezero", attribution="USGS")
        assert manifest.assets == (AssetProfile(key="image"),)

    def test_a_prefix_is_put_before_as_it_is(self) -> None:
        index, _ = to_index(parse(document(asset_prefix="s3://b/x_")))
        assert index.granules[0].hrefs["data"] == "s3://b/x_b/2.tif"

    def test_a_footprint_is_the_union_of_the_cells(self) -> None:
        index, _ = to_index(parse(document()))
        (west, south, east, north) = index.granules[1].footprint.bounds
        assert (west, east) == pytest.approx((67.5, 90))
        assert (south, north) == pytest.approx((0, 40.97989806962013))
        assert index.granules[1].footprint.geom_type == "Polygon"

    def test_bounds_and_center_come_from_the_cells_where_the_document_has_none(self) -> None:
        _, manifest = to_index(parse(document(bounds=None, center=None)))
        assert manifest.bounds == pytest.approx((67.5, 0, 90, 40.97989806962013))
        assert manifest.center == pytest.approx((78.75, 20.489949, 3))

    def test_an_asset_named_twice_in_a_cell_counts_once(self) -> None:
        index, _ = to_index(parse(document(tiles={"1233": ["a.tif", "b.tif", "a.tif"]})))
        assert index.cells == {"1233": (0, 1)}

    def test_a_set_of_ones_own_is_kept_as_a_document(self) -> None:
        own = {**MERCATOR, "id": "MyMars"}
        index, manifest = to_index(parse(document(tilematrixset=own)))
        assert (index.grid_id, manifest.tms) == ("MyMars", own)

    def test_a_set_that_only_borrows_a_known_name_is_not_taken_for_it(self) -> None:
        moved = json.loads(json.dumps(MERCATOR))
        for matrix in moved["tileMatrices"]:
            matrix["pointOfOrigin"][0] += 1000
        _, manifest = to_index(parse(document(tilematrixset=moved)))
        assert manifest.tms == moved

    def test_cells_around_a_pole_have_outlines_around_it(self) -> None:
        polar = grids.load("MarsNorthPolarSphere")
        cells = {polar.quadkey(grids.Tile(x=x, y=y, z=2)): ["a.tif"] for x in (1, 2) for y in (1, 2)}
        given = document(minzoom=2, quadkey_zoom=2, bounds=None, center=None, tilematrixset=polar.document, tiles=cells)
        index, manifest = to_index(parse(given))
        assert manifest.body == "Mars"
        footprint = index.granules[0].footprint
        assert footprint.bounds[3] == 90
        assert not shapely.get_num_interior_rings(footprint)
        assert shapely.box(-170, 86, 170, 90).difference(footprint).area < 1e-6

    def test_cells_across_the_antimeridian_stay_within_180_degrees(self) -> None:
        grid = grids.load("MarsMercatorSphere")
        cells = {grid.quadkey(grids.Tile(x=x, y=7, z=4)): ["a.tif"] for x in (0, 15)}
        index, _ = to_index(parse(document(tiles=cells, bounds=None, center=None)))
        footprint = index.granules[0].footprint
        assert footprint.bounds[::2] == (-180, 180)
        assert footprint.area == pytest.approx(2 * 22.5 * 21.94, rel=1e-3)

    def test_ten_thousand_cells_are_read(self) -> None:
        grid = grids.load("MarsMercatorSphere")
        xs, ys = (axis.ravel() for axis in np.meshgrid(np.arange(100), np.arange(100)))
        keys = grid.quadkeys(xs + 300, ys + 400, 10)
        tiles = {key: [f"{x // 3}-{y // 8}.tif", "all.tif"] for key, x, y in zip(keys, xs, ys, strict=True)}
        index, _ = to_index(parse(document(quadkey_zoom=10, bounds=None, center=None, tiles=tiles)))
        assert len(index.granules) == 34 * 13 + 1


def strip_index(grid_id: str, zoom: int, boxes: list[tuple[float, float, float, float]]) -> tuple[Index, Manifest]:
    """An index of boxes in degrees, every box in every cell it touches by covering."""
    footprints = [shapely.box(*bounds) for bounds in boxes]
    granules = tuple(
        Granule(id=f"g{i}", hrefs={"dtm": f"s3://b/g{i}_dtm.tif"}, footprint=footprint)
        for i, footprint in enumerate(footprints)
    )
    grid = grids.load(grid_id)
    bounds = tuple(float(value) for value in shapely.total_bounds(footprints))
    manifest = Manifest(
        body=grid.body,
        grid_id=grid_id,
        quadkey_zoom=zoom,
        minzoom=zoom - 1,
        maxzoom=14,
        bounds=(bounds[0], bounds[1], bounds[2], bounds[3]),
        center=((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2, zoom),
        assets=(AssetProfile(key="dtm", dtype="float32"),),
        defaults=Defaults(title="Strips"),
    )
    return Index(grid_id=grid_id, zoom=zoom, granules=granules, cells=covering.cover(footprints, grid, zoom)), manifest


BOXES = [(76.0 + 0.3 * i, 16.0, 76.6 + 0.3 * i, 20.0) for i in range(8)]


class TestFromIndex:
    def test_an_imported_document_comes_back(self) -> None:
        given = document(
            layers={"a": {"bidx": [1]}},
            data_type="cfloat32",
            colormap={"0": [0, 0, 0, 0]},
            asset_type="COG",
            description="d",
            ours={"x": [1]},
            asset_prefix=None,
        )
        index, manifest = to_index(parse(given))
        assert json.loads(write(from_index(index, manifest, asset="data"))) == given

    def test_a_prefix_comes_back_while_it_fits(self) -> None:
        index, manifest = to_index(parse(document()))
        assert json.loads(write(from_index(index, manifest, asset="data"))) == document()
        stranger = Granule(id="s", hrefs={"data": "https://h/s.tif"}, footprint=index.granules[0].footprint)
        grown = Index(
            grid_id=index.grid_id,
            zoom=index.zoom,
            granules=(*index.granules, stranger),
            cells={**index.cells, "1233": (2, 0, 1)},
        )
        mosaic = from_index(grown, manifest, asset="data")
        assert mosaic.asset_prefix is None
        assert mosaic.tiles["1233"] == ("https://h/s.tif", "s3://b/b/2.tif", "s3://b/a/1.tif")

    def test_granules_without_the_asset_are_left_out(self) -> None:
        index, manifest = to_index(parse(document(asset_prefix=None)))
        first, second = index.granules
        image = Granule(id=first.id, hrefs={"image": "s3://b/i.tif"}, footprint=first.footprint)
        mixed = Index(grid_id=index.grid_id, zoom=index.zoom, granules=(image, second), cells=index.cells)
        mosaic = from_index(mixed, manifest, asset="image")
        assert dict(mosaic.tiles) == {"1233": ("s3://b/i.tif",)}
        with pytest.raises(NotFound, match="'dem'"):
            from_index(mixed, manifest, asset="dem")

    def test_an_index_with_two_roots_is_covered_again_on_mercator(self) -> None:
        index, manifest = strip_index("MarsEquidistantCylindricalSphere", 8, BOXES)
        mosaic = from_index(index, manifest, asset="dtm")
        assert mosaic.tilematrixset == MERCATOR
        assert (mosaic.quadkey_zoom, mosaic.minzoom, mosaic.maxzoom) == (9, 8, 15)
        assert mosaic.data_type == "float32"
        assert faults(json.loads(write(mosaic))) == ()
        again, _ = to_index(parse(write(mosaic)), asset_key="dtm")
        by_href = {granule.hrefs["dtm"]: granule for granule in again.granules}
        assert len(by_href) == len(index.granules)
        for granule in index.granules:
            assert by_href[granule.hrefs["dtm"]].footprint.covers(granule.footprint)

    def test_another_set_of_the_body_can_be_asked_for(self) -> None:
        index, manifest = strip_index("MarsMercatorSphere", 9, BOXES)
        mosaic = from_index(index, manifest, asset="dtm", grid=grids.load("MarsWebMercatorSphere"))
        assert mosaic.tilematrixset == grids.load("MarsWebMercatorSphere").document
        assert mosaic.quadkey_zoom == 9
        for refused in ("MarsEquidistantCylindricalSphere", "MoonMercatorSphere"):
            with pytest.raises(Invalid) as raised:
                from_index(index, manifest, asset="dtm", grid=grids.load(refused))
            assert raised.value.field == "tms"

    def test_granules_beyond_mercator_need_another_set(self) -> None:
        index, manifest = strip_index("MarsEquidistantCylindricalSphere", 5, [(10, 87, 20, 88)])
        with pytest.raises(Invalid, match="MarsMercatorSphere") as raised:
            from_index(index, manifest, asset="dtm")
        assert raised.value.field == "tms"
        polar = from_index(index, manifest, asset="dtm", grid=grids.load("MarsNorthPolarSphere"))
        assert faults(json.loads(write(polar))) == ()

    def test_the_web_mercator_needs_no_set(self) -> None:
        index, manifest = strip_index("WorldCRS84Quad", 6, BOXES)
        mosaic = from_index(index, manifest, asset="dtm")
        assert mosaic.tilematrixset is None
        assert mosaic.quadkey_zoom == 7


class TestCogeoMosaic:
    @pytest.mark.parametrize("name", ["mosaic.json", "mosaic.json.gz"])
    def test_finds_the_same_assets_for_every_tile(self, tmp_path: Path, name: str) -> None:
        index, manifest = strip_index("MarsMercatorSphere", 9, BOXES)
        path = tmp_path / name
        path.write_bytes(write(from_index(index, manifest, asset="dtm"), compress=name.endswith(".gz")))
        grid = grids.load("MarsMercatorSphere")
        rng = np.random.default_rng(7)
        with MosaicBackend(
            str(path), tms=MosaicJSON(**json.loads(write(parse(path.read_bytes())))).tilematrixset
        ) as read:
            found = 0
            for lon, lat in rng.uniform((75.5, 15.5), (79.5, 20.5), (200, 2)):
                tile = read.tms.tile(lon, lat, int(rng.integers(8, 12)))
                assets = read.assets_for_tile(tile.x, tile.y, tile.z)
                assert sorted(assets) == sorted(self.ours(index, grid.quadkey(tile)))
                if tile.z >= 9:
                    assert assets == self.ours(index, grid.quadkey(tile))
                found += bool(assets)
        assert 20 < found < 200

    def ours(self, index: Index, quadkey: str) -> list[str]:
        """The granules of a tile's cell, or of all cells below it, each once."""
        cells = [granules for key, granules in index.cells.items() if key.startswith(quadkey[: index.zoom])]
        return [index.granules[i].hrefs["dtm"] for i in dict.fromkeys(i for granules in cells for i in granules)]

    def test_takes_the_set_we_write_for_planetcantiles_own(self) -> None:
        from planetcantile import planetary_tms

        read = morecantile.TileMatrixSet.model_validate(MERCATOR)
        assert read == planetary_tms.get("MarsMercatorSphere")

    def test_documents_of_cogeo_mosaic_are_read(self) -> None:
        features = [
            {
                "type": "Feature",
                "geometry": json.loads(shapely.to_geojson(shapely.box(*bounds))),
                "properties": {"path": f"{i}.tif"},
            }
            for i, bounds in enumerate(BOXES)
        ]
        tms = morecantile.TileMatrixSet.model_validate(MERCATOR)
        theirs = MosaicJSON.from_features(features[:2], minzoom=7, maxzoom=14, tilematrixset=tms)
        mosaic = parse(theirs.model_dump_json(exclude_none=True))
        assert {quadkey: list(assets) for quadkey, assets in mosaic.tiles.items()} == theirs.tiles
        assert mosaic.bounds == pytest.approx(theirs.bounds)


@pytest.mark.data
def test_the_tutorials_mosaic_goes_in_and_comes_out(shared_data: Path) -> None:
    raw = (shared_data / "stac" / "seed_mosaic.json").read_bytes()
    index, manifest = to_index(parse(raw), asset_key="image")
    assert (manifest.body, index.grid_id, manifest.tms) == ("Mars", "MarsMercatorSphere", None)
    assert (len(index.granules), len(index.cells)) == (10, 20)
    mosaic: MosaicJson = from_index(index, manifest, asset="image")
    seed = json.loads(raw)
    assert {quadkey: list(hrefs) for quadkey, hrefs in mosaic.tiles.items()} == seed["tiles"]
    assert mosaic.bounds == tuple(seed["bounds"])
    assert mosaic.center == tuple(seed["center"])
