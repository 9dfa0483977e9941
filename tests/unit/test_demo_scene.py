"""The demo scene: what its items promise is what its files hold, and making it twice costs nothing."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from rasterio.merge import merge

from quadmosaic.demo import make_scene
from quadmosaic.demo.scene import plan_strips
from quadmosaic.domain.granules import JsonObject

METRES_PER_DEGREE = 3_396_190 * np.pi / 180
SEED = 7
PIXEL_M = 320.0


@pytest.fixture(scope="module")
def items_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scene(tmp_path_factory.mktemp("a scene"), seed=SEED, pixel_m=PIXEL_M)


@pytest.fixture(scope="module")
def items(items_path: Path) -> list[dict]:
    return json.loads(items_path.read_text())["features"]


def path_of(item: JsonObject, key: str) -> Path:
    return Path(unquote(urlsplit(item["assets"][key]["href"]).path))


def files(items: list[dict]) -> Iterator[tuple[dict, str, Path]]:
    return ((item, key, path_of(item, key)) for item in items for key in item["assets"])


def test_it_has_ten_items_with_three_assets_around_jezero(items):
    assert len(items) == len({item["id"] for item in items}) == 10
    assert all(set(item["assets"]) == {"dtm", "image", "orthoimage"} for item in items)
    boxes = np.array([item["bbox"] for item in items])
    assert boxes[:, :2].min(axis=0) == pytest.approx([75.9, 14.65], abs=0.05)
    assert boxes[:, 2:].max(axis=0) == pytest.approx([78.03, 19.75], abs=0.05)
    over_the_crater = [
        item for item in items if shapely.contains_xy(shapely.geometry.shape(item["geometry"]), 77.5, 18.4)
    ]
    assert len(over_the_crater) >= 3


def test_items_have_the_quirks_of_real_ones(items):
    for item in items:
        properties = item["properties"]
        assert properties["proj:epsg"] is None
        assert properties["proj:wkt2"].startswith("PROJCS[")
        assert properties["proj:bbox"] == item["bbox"]
        assert properties["ssys:targets"] == ["Mars"]
        with rasterio.open(path_of(item, "dtm")) as dtm:
            assert properties["proj:transform"] == list(dtm.transform.to_gdal())
            assert properties["proj:shape"] == [dtm.height, dtm.width]


@pytest.mark.parametrize(
    ("key", "dtype", "nodata", "pixel"),
    [
        ("dtm", "float32", -32767, 2 * PIXEL_M),
        ("image", "uint8", 0, PIXEL_M),
        ("orthoimage", "uint8", 0, PIXEL_M),
    ],
)
def test_files_are_cloud_optimized_and_on_mars(items, key, dtype, nodata, pixel):
    for item in items:
        with rasterio.open(path_of(item, key)) as dataset:
            assert (dataset.dtypes, dataset.nodata, dataset.res) == ((dtype,), nodata, (pixel, pixel))
            assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert dataset.block_shapes == [(512, 512)]
            assert dataset.crs == rasterio.CRS.from_string("IAU_2015:49910")


def test_footprints_are_the_outlines_of_the_valid_pixels(items):
    for item, _, path in files(items):
        footprint = shapely.geometry.shape(item["geometry"])
        assert footprint.is_valid
        with rasterio.open(path) as dataset:
            valid = dataset.dataset_mask().astype("uint8")
            shapes = rasterio.features.shapes(valid, mask=valid > 0, transform=dataset.transform)
            outline = shapely.union_all([shapely.geometry.shape(shape) for shape, _ in shapes])
        outline = shapely.transform(outline, lambda points: points / METRES_PER_DEGREE)
        pixel = 2 * PIXEL_M / METRES_PER_DEGREE
        assert shapely.hausdorff_distance(outline, footprint) < 1.5 * pixel
        assert item["bbox"] == pytest.approx(footprint.bounds)


def test_strips_show_the_same_ground_at_different_heights(items):
    """Neighbours differ by a constant of tens of metres, so that their order shows."""
    paths = [path_of(item, "dtm") for item in items]
    offsets = []
    for first, second in pairwise(paths):
        with rasterio.open(first) as one, rasterio.open(second) as other:
            low = np.maximum(one.bounds[:2], other.bounds[:2])
            high = np.minimum(one.bounds[2:], other.bounds[2:])
            if (high - low <= 0).any():
                continue
            heights = [merge([dataset], bounds=(*low, *high))[0][0] for dataset in (one, other)]
        both = (heights[0] != -32767) & (heights[1] != -32767)
        if both.any():
            gap = (heights[0] - heights[1])[both]
            assert np.ptp(gap) <= 0.13, "heights are kept to a sixteenth of a metre"
            offsets.append(abs(float(np.median(gap))))
    assert len(offsets) >= 3
    assert 5 < np.mean(offsets) < 100


def test_jezero_is_a_basin_with_a_raised_rim(items):
    with_offsets = {strip.id: strip.offset for strip in plan_strips(SEED)}
    item = next(item for item in items if shapely.contains_xy(shapely.geometry.shape(item["geometry"]), 77.56, 18.4))
    with rasterio.open(path_of(item, "dtm")) as dtm:
        lons = [77.56, 77.56]
        lats = [18.4, 18.4 - 23.5 * 1000 / METRES_PER_DEGREE]
        points = [(lon * METRES_PER_DEGREE, lat * METRES_PER_DEGREE) for lon, lat in zip(lons, lats, strict=True)]
        floor, rim = (float(value[0]) - with_offsets[item["id"]] for value in dtm.sample(points))
    assert floor == pytest.approx(-2600, abs=120)
    assert rim > floor + 250


def test_orthoimages_differ_in_brightness(items):
    means = [item["assets"]["orthoimage"]["raster:bands"][0]["statistics"]["mean"] for item in items]
    assert np.ptp(means) > 15


def test_statistics_are_those_of_the_pixels(items):
    item = items[0]
    with rasterio.open(path_of(item, "dtm")) as dtm:
        heights = dtm.read(1, masked=True)
    statistics = item["assets"]["dtm"]["raster:bands"][0]["statistics"]
    assert (statistics["minimum"], statistics["maximum"]) == (heights.min(), heights.max())


def test_a_complete_scene_is_left_alone(items_path):
    before = {path: path.stat().st_mtime_ns for path in items_path.parent.rglob("*")}
    steps = []
    again = make_scene(
        items_path.parent, seed=SEED, pixel_m=PIXEL_M, progress=lambda done, total: steps.append((done, total))
    )
    assert again == items_path
    assert steps[-1] == (31, 31)
    assert before == {path: path.stat().st_mtime_ns for path in items_path.parent.rglob("*")}


def test_the_same_seed_gives_the_same_scene_and_a_damaged_one_is_repaired(items, tmp_path):
    broken = make_scene(tmp_path, seed=SEED, pixel_m=PIXEL_M).parent
    copies = json.loads((broken / "items.json").read_text())["features"]
    for (_, _, original), (_, _, copy) in zip(files(items), files(copies), strict=True):
        assert original.read_bytes() == copy.read_bytes()
    victim = path_of(copies[4], "image")
    whole = victim.read_bytes()
    victim.write_bytes(whole[:100])
    steps = []
    make_scene(broken, seed=SEED, pixel_m=PIXEL_M, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(step, 31) for step in range(32)]
    assert victim.read_bytes() == whole
    assert not list(broken.rglob("*.part"))


def test_another_seed_is_another_scene():
    assert {strip.id for strip in plan_strips(1)}.isdisjoint(strip.id for strip in plan_strips(2))
