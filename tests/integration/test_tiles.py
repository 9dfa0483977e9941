"""Tiles over HTTP: the pixels of every format, against the files they come from."""

import io
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, MemoryFile
from rio_tiler.colormap import cmap

from quadmosaic import bootstrap
from quadmosaic.domain.mosaic import Defaults
from rasters import Array
from toys import GRID, SIZE, TMS, Toys, WatchedReader, X, Y, Z, heights, tile_box, url, write_tile

NODATA = -32767.0
CORNER = (slice(0, 60), slice(0, 80))
"""Pixels without data."""
PALETTE = dict.fromkeys(range(256), (0, 0, 0, 255)) | {1: (200, 10, 20, 255), 2: (0, 99, 0, 255), 3: (1, 2, 3, 255)}


def dtm(*, seed: int = 1, side: int = SIZE) -> Array:
    values = heights(seed=seed, side=side)
    values[0][CORNER] = NODATA
    return values


def classes() -> Array:
    return (np.indices((SIZE, SIZE)).sum(axis=0) // 16 % 3 + 1).astype(np.uint8)[None]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    """One mosaic of a single file for each kind of data, and one of three files that overlap."""
    folder = tmp_path_factory.mktemp("tiles")
    toys = Toys(folder=folder)
    corner = np.ones((SIZE, SIZE), np.bool_)
    corner[CORNER] = False
    toys.publish("dtm", [write_tile(folder / "dtm.tif", dtm(), nodata=NODATA)])
    toys.publish("masked", [write_tile(folder / "masked.tif", heights(dtype="int16"), mask=corner)])
    toys.publish("plain", [write_tile(folder / "plain.tif", heights(dtype="uint8") // 40 + 100)])
    toys.publish("rgb", [write_tile(folder / "rgb.tif", heights(dtype="uint8", bands=3), mask=corner)])
    toys.publish("classes", [write_tile(folder / "classes.tif", classes(), palette=PALETTE, nodata=0)])
    scaled = write_tile(folder / "scaled.tif", heights(dtype="int16"), nodata=-32768, scales=[0.5], offsets=[100.0])
    toys.publish("scaled", [scaled])
    four = heights(side=4 * SIZE)
    toys.publish("wide", [write_tile(folder / "wide.tif", four, bounds=tile_box(columns=4, rows=4), nodata=NODATA)])
    toys.publish("three", [write_tile(folder / f"{seed}.tif", dtm(seed=seed), nodata=NODATA) for seed in (1, 2, 3)])
    style = {"rescale": "-2600,-2400", "colormap_name": "viridis"}
    toys.publish("styled", [folder / "dtm.tif"], defaults=Defaults(style=style))
    return toys


@pytest.fixture(scope="module")
def http(toys: Toys) -> Generator[httpx.Client]:
    with toys.served() as client:
        yield client


@contextmanager
def opened(content: bytes) -> Iterator[DatasetReader]:
    with warnings.catch_warnings(), MemoryFile(content) as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open() as dataset:
            yield dataset


def get(http: httpx.Client, path: str, **params: object) -> httpx.Response:
    reply = http.get(path, params=params)  # type: ignore[arg-type]
    assert reply.status_code == 200, reply.text
    return reply


def tiff(http: httpx.Client, mosaic: str, **params: object) -> Array:
    with opened(get(http, url(mosaic), **params).content) as dataset:
        return dataset.read()


def picture(http: httpx.Client, mosaic: str, *, suffix: str = ".png", **params: object) -> Array:
    with opened(get(http, url(mosaic, suffix), **params).content) as dataset:
        return dataset.read()


def npy(http: httpx.Client, mosaic: str, **params: object) -> Array:
    return np.load(io.BytesIO(get(http, url(mosaic, ".npy"), **params).content))


def test_a_tif_tile_is_the_files_own_pixels_with_its_nodata_crs_and_place(http: httpx.Client, toys: Toys) -> None:
    reply = get(http, url("dtm"))
    assert reply.headers["content-type"] == "image/tiff; application=geotiff"
    with opened(reply.content) as tile, rasterio.open(toys.folder / "dtm.tif") as file:
        np.testing.assert_array_equal(tile.read(), file.read())
        assert tile.nodata == file.nodata == NODATA
        assert tile.dtypes == file.dtypes
        assert tile.crs == rasterio.crs.CRS.from_user_input("IAU_2015:49910")
        np.testing.assert_allclose(tile.bounds, file.bounds)


def test_a_tile_between_files_pixels_is_gdals_nearest(http: httpx.Client, toys: Toys) -> None:
    """One zoom further out and one further in, on the same grid of pixels."""
    with rasterio.open(toys.folder / "wide.tif") as file:
        whole = file.read()
        deeper = url("wide", x=2 * X + 3, y=2 * Y + 2, z=Z + 1)
        with opened(get(http, deeper).content) as tile:
            expected = whole[:, SIZE : SIZE + SIZE // 2, SIZE + SIZE // 2 : 2 * SIZE]
            np.testing.assert_array_equal(tile.read(), expected.repeat(2, axis=1).repeat(2, axis=2))


def test_the_reply_says_where_the_tile_is_and_what_is_in_it(http: httpx.Client) -> None:
    reply = get(http, url("dtm"))
    assert reply.headers["content-crs"] == "<http://www.opengis.net/def/crs/IAU/2015/49910>"
    np.testing.assert_allclose([float(edge) for edge in reply.headers["content-bbox"].split(",")], tile_box())
    assert reply.headers["x-assets"] == "dtm"
    assert "x-assets-skipped" not in reply.headers
    assert "encode;dur=" in reply.headers["server-timing"]


def test_integers_without_nodata_carry_their_mask(http: httpx.Client, toys: Toys) -> None:
    with opened(get(http, url("masked")).content) as tile, rasterio.open(toys.folder / "masked.tif") as file:
        assert tile.nodata is None
        np.testing.assert_array_equal(tile.dataset_mask(), file.dataset_mask())
        valid = file.dataset_mask() > 0
        np.testing.assert_array_equal(tile.read()[:, valid], file.read()[:, valid])


def test_npy_is_bands_then_mask_as_rio_tiler_writes_it(http: httpx.Client, toys: Toys) -> None:
    array = npy(http, "rgb")
    assert (array.shape, array.dtype) == ((4, SIZE, SIZE), np.uint8)
    with rasterio.open(toys.folder / "rgb.tif") as file:
        valid = file.dataset_mask()
        np.testing.assert_array_equal(array[3], valid)
        np.testing.assert_array_equal(array[:3, valid > 0], file.read()[:, valid > 0])
    assert npy(http, "rgb", return_mask="false").shape == (3, SIZE, SIZE)


@pytest.mark.parametrize("mosaic", ["dtm", "scaled", "rgb", "classes", "masked"])
def test_values_are_untouched_without_rescale(http: httpx.Client, toys: Toys, mosaic: str) -> None:
    array = npy(http, mosaic)
    with rasterio.open(toys.folder / f"{mosaic}.tif") as file:
        valid = array[-1] > 0
        np.testing.assert_array_equal(valid, file.dataset_mask() > 0)
        np.testing.assert_array_equal(array[:-1, valid], file.read()[:, valid])


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("mosaic", ["dtm", "masked", "rgb"])
def test_views_are_transparent_where_there_are_no_data(http: httpx.Client, mosaic: str, suffix: str) -> None:
    bands = picture(http, mosaic, suffix=suffix)
    assert bands.dtype == np.uint8
    expected = np.full((SIZE, SIZE), 255)
    expected[CORNER] = 0
    np.testing.assert_array_equal(bands[-1], expected)
    with opened(get(http, url(mosaic, suffix), return_mask="false").content) as dataset:
        assert ColorInterp.alpha not in dataset.colorinterp


def test_jpg_has_no_alpha(http: httpx.Client) -> None:
    reply = get(http, url("rgb", ".jpg"))
    assert reply.headers["content-type"] == "image/jpeg"
    with opened(reply.content) as dataset:
        assert (dataset.driver, dataset.count) == ("JPEG", 3)


@pytest.mark.parametrize(("mosaic", "driver"), [("plain", "JPEG"), ("dtm", "PNG")])
def test_without_a_format_full_tiles_are_jpeg_and_others_png(http: httpx.Client, mosaic: str, driver: str) -> None:
    reply = get(http, url(mosaic, ""))
    with opened(reply.content) as dataset:
        assert dataset.driver == driver
        assert reply.headers["content-type"] == f"image/{driver.lower()}"


@pytest.mark.parametrize("mosaic", ["dtm", "masked", "plain", "scaled", "wide", "three"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_views_without_rescale_are_never_flat(http: httpx.Client, mosaic: str, suffix: str) -> None:
    values = picture(http, mosaic, suffix=suffix)[0]
    valid = values[100:, 100:]
    assert valid.min() < 30
    assert valid.max() > 225


@pytest.mark.parametrize("selection", ["count", "stdev", "mean", "lowest"])
def test_views_of_computed_values_are_not_flat_either(http: httpx.Client, selection: str) -> None:
    values = picture(http, "three", pixel_selection=selection)[0]
    assert values.max() > 20
    if selection != "count":
        assert values.min() < values.max() - 20


def test_a_palette_is_drawn_and_its_indices_are_kept(http: httpx.Client) -> None:
    index = classes()[0]
    bands = picture(http, "classes")
    for value in (1, 2, 3):
        np.testing.assert_array_equal(np.unique(bands[:3, index == value].T, axis=0), [PALETTE[value][:3]])
    assert bands[3].all()
    np.testing.assert_array_equal(tiff(http, "classes")[0], index)


def test_rescale_maps_a_range_to_bytes_in_every_format(http: httpx.Client) -> None:
    expected = np.clip((dtm()[0].astype(np.float64) + 2500) / 50 * 255, 0, 255).astype(np.uint8)
    valid = dtm()[0] != NODATA
    for array in (tiff(http, "dtm", rescale="-2500,-2450"), picture(http, "dtm", rescale="-2500,-2450")):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array[0][valid], expected[valid])


def test_named_colormaps_run_over_the_range(http: httpx.Client) -> None:
    bands = picture(http, "dtm", rescale="-2600,-2400", colormap_name="viridis")
    index = np.clip((dtm()[0].astype(np.float64) + 2600) / 200 * 255, 0, 255).astype(np.uint8)
    colors = np.array([cmap.get("viridis")[value][:3] for value in range(256)])
    valid = dtm()[0] != NODATA
    np.testing.assert_array_equal(bands[:3, valid].T, colors[index[valid]])


def test_colormaps_by_value_and_by_interval_speak_of_values(http: httpx.Client) -> None:
    by_value = picture(http, "classes", colormap='{"1": "#010203", "3": [4, 5, 6, 255]}')
    assert by_value[:, classes()[0] == 1].T.tolist()[0] == [1, 2, 3, 255]
    np.testing.assert_array_equal(by_value[3] > 0, classes()[0] != 2)
    intervals = picture(http, "dtm", colormap='[[[-2500, -2450], "#ff0000"]]')
    np.testing.assert_array_equal(intervals[3] > 0, (dtm()[0] >= -2500) & (dtm()[0] < -2450))


def test_a_colormap_makes_a_picture_of_a_tif_too(http: httpx.Client) -> None:
    bands = tiff(http, "dtm", colormap_name="viridis")
    assert (len(bands), bands.dtype) == (3, np.uint8)
    assert len(np.unique(bands[1])) > 50


def test_a_formula_changes_colours(http: httpx.Client) -> None:
    plain, brighter = (picture(http, "rgb", **params) for params in ({}, {"color_formula": "gamma RGB 2"}))
    assert brighter[:3].mean() > plain[:3].mean() + 10
    np.testing.assert_array_equal(brighter[3], plain[3])


def test_unscale_applies_scale_and_offset(http: httpx.Client) -> None:
    raw, physical = npy(http, "scaled"), npy(http, "scaled", unscale="true")
    assert physical.dtype == np.float32
    np.testing.assert_array_equal(physical[0], raw[0] * 0.5 + 100.0)


def test_bands_come_in_the_order_asked_for(http: httpx.Client) -> None:
    plain, turned = npy(http, "rgb"), npy(http, "rgb", bidx=[3, 1])
    np.testing.assert_array_equal(turned[:2], plain[[2, 0]])


def test_expressions_are_computed_from_values(http: httpx.Client) -> None:
    plain, computed = npy(http, "rgb").astype(np.float64), npy(http, "rgb", expression="b1-b3;(b1+b2)/2")
    valid = plain[3] > 0
    np.testing.assert_allclose(computed[0][valid], (plain[0] - plain[2])[valid])
    np.testing.assert_allclose(computed[1][valid], ((plain[0] + plain[1]) / 2)[valid])
    for suffix in (".png", ".tif", ".npy"):
        get(http, url("rgb", suffix), expression="b1>b2")


def test_nodata_of_the_request_replaces_the_files_own(http: httpx.Client) -> None:
    value = int(classes()[0, 0, 0])
    with opened(get(http, url("classes"), nodata=value).content) as dataset:
        assert dataset.nodata == value
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, classes()[0] != value)
    assert npy(http, "dtm", nodata="nan")[1].all()


@pytest.mark.parametrize("nodata", ["1e300", "inf", "-5.5", "nan"])
@pytest.mark.parametrize("suffix", [".tif", ".png", ".npy"])
def test_a_nodata_value_that_no_pixel_can_have_leaves_all_valid(http: httpx.Client, nodata: str, suffix: str) -> None:
    for mosaic in ("plain", "dtm"):
        get(http, url(mosaic, suffix), nodata=nodata)


def test_kernels_change_values_between_pixels_and_never_what_is_valid(http: httpx.Client) -> None:
    path = url("dtm", ".npy", x=2 * X, y=2 * Y, z=Z + 1)
    nearest, smooth = (
        np.load(io.BytesIO(get(http, path, **params).content)) for params in ({}, {"resampling": "bilinear"})
    )
    np.testing.assert_array_equal(nearest[1], smooth[1])
    assert (nearest[0] != smooth[0]).mean() > 0.5
    valid = nearest[1] > 0
    assert smooth[0][valid].min() >= nearest[0][valid].min() - 1e-3


def test_reproject_is_the_kernel_between_crss(http: httpx.Client) -> None:
    grid = "MarsMercatorSphere"
    lon, lat = GRID.unproject(*(np.array([edge]) for edge in (tile_box()[0] + 2e5, tile_box()[3] - 2e5)))
    side = 360 / 2**Z
    column = int((lon[0] + 180) // side)
    listed = [
        http.get(f"/mosaics/wide/tiles/{grid}/{Z}/{column}/{row}.npy", params=params)
        for row in range(2**Z // 2 - 20, 2**Z // 2)
        for params in ({}, {"reproject": "bilinear"})
    ]
    found = [np.load(io.BytesIO(reply.content)) for reply in listed if reply.status_code == 200]
    assert lat[0] > 0
    assert len(found) >= 2
    assert any((one[0] != two[0]).any() for one, two in zip(found[::2], found[1::2], strict=True))


@pytest.mark.parametrize(("suffix", "params", "side"), [("@2x.npy", {}, 512), (".npy", {"tilesize": 100}, 100)])
def test_tiles_come_in_other_sizes_over_the_same_place(
    http: httpx.Client, suffix: str, params: dict[str, int], side: int
) -> None:
    reply = get(http, url("wide", suffix), **params)
    assert np.load(io.BytesIO(reply.content)).shape == (2, side, side)
    np.testing.assert_allclose([float(edge) for edge in reply.headers["content-bbox"].split(",")], tile_box())


def test_a_double_tile_holds_the_four_tiles_below_it(http: httpx.Client) -> None:
    double = np.load(io.BytesIO(get(http, url("wide", "@2x.npy")).content))
    parts = [
        [np.load(io.BytesIO(get(http, url("wide", ".npy", x=2 * X + i, y=2 * Y + j, z=Z + 1)).content)) for i in (0, 1)]
        for j in (0, 1)
    ]
    np.testing.assert_array_equal(double, np.block(parts))


@pytest.mark.parametrize("buffer", [1, 2.5, 16])
def test_a_buffer_adds_the_neighbours_pixels(http: httpx.Client, toys: Toys, buffer: float) -> None:
    reply = get(http, url("wide", ".tif", x=X + 1, y=Y + 1), buffer=buffer)
    side = SIZE + int(2 * buffer)
    with rasterio.open(toys.folder / "wide.tif") as file, opened(reply.content) as tile:
        assert tile.shape == (side, side)
        start = SIZE - int(buffer)
        if buffer == int(buffer):
            np.testing.assert_array_equal(tile.read(), file.read()[:, start : start + side, start : start + side])
        np.testing.assert_allclose([float(edge) for edge in reply.headers["content-bbox"].split(",")], tile.bounds)


def test_a_buffer_reaches_into_granules_that_the_tile_itself_misses(http: httpx.Client) -> None:
    assert http.get(url("dtm", x=X + 1)).status_code == 204
    with opened(get(http, url("dtm", x=X + 1), buffer=8).content) as tile:
        np.testing.assert_array_equal(tile.read(1)[8:-8, :8], dtm()[0][:, -8:])


def test_pixel_selections_merge_by_value(http: httpx.Client) -> None:
    stack = np.stack([dtm(seed=seed)[0] for seed in (1, 2, 3)])
    valid = stack[0] != NODATA
    expected = {
        "first": stack[0],
        "lowest": stack.min(axis=0),
        "highest": stack.max(axis=0),
        "mean": stack.mean(axis=0),
    }
    for selection, values in expected.items():
        found = npy(http, "three", pixel_selection=selection)
        np.testing.assert_allclose(found[0][valid], values[valid], rtol=1e-6)


def test_defaults_of_the_mosaic_draw_views_and_leave_values_alone(http: httpx.Client) -> None:
    np.testing.assert_array_equal(
        picture(http, "styled"), picture(http, "dtm", rescale="-2600,-2400", colormap_name="viridis")
    )
    np.testing.assert_array_equal(picture(http, "styled", rescale="-2600,0"), picture(http, "dtm", rescale="-2600,0"))
    np.testing.assert_array_equal(tiff(http, "styled"), tiff(http, "dtm"))


def test_naming_the_default_asset_keeps_the_defaults(http: httpx.Client) -> None:
    default = http.get("/mosaics/styled/info").json()["default_asset"]
    np.testing.assert_array_equal(picture(http, "styled", assets=default), picture(http, "styled"))
    plain, named = (http.get(url("styled", ".png"), params=given) for given in ({}, {"assets": default}))
    assert plain.headers["etag"] == named.headers["etag"]


@pytest.mark.parametrize(("empty", "status"), [("204", 204), ("404", 404), ("fill", 200)])
@pytest.mark.parametrize("suffix", [".tif", ".png", ".npy", ""])
def test_an_empty_tile_is_answered_as_asked(http: httpx.Client, empty: str, status: int, suffix: str) -> None:
    reply = http.get(url("dtm", suffix, x=X + 40), params={"empty": empty})
    assert reply.status_code == status
    assert "etag" in reply.headers
    if suffix == ".tif" and status == 200:
        with opened(reply.content) as tile:
            assert (tile.nodata, tile.dtypes, tile.shape) == (NODATA, ("float32",), (SIZE, SIZE))
            assert (tile.read() == NODATA).all()
    if suffix == ".png" and status == 200:
        with opened(reply.content) as tile:
            assert not tile.read(tile.count).any()


def test_first_reads_nothing_more_once_the_tile_is_full_and_mean_reads_all(tmp_path: Path) -> None:
    toys = Toys(folder=tmp_path)
    toys.publish("four", [write_tile(tmp_path / f"{seed}.tif", heights(seed=seed)) for seed in range(1, 5)])
    outside = toys.outside()
    reader = WatchedReader(inner=outside.reader)
    watched = bootstrap.Adapters(store=outside.store, reader=reader)
    with toys.served(outside=watched) as http:
        assert get(http, url("four")).headers["x-assets"] == "1"
        assert reader.answered == ["1"]
        reader.answered.clear()
        assert get(http, url("four"), pixel_selection="mean").headers["x-assets"] == "1,2,3,4"
        assert reader.answered == ["1", "2", "3", "4"]


def test_a_granule_with_other_bands_that_no_build_saw_is_skipped_and_named(tmp_path: Path) -> None:
    toys = Toys(folder=tmp_path)
    corner = np.ones((SIZE, SIZE), np.bool_)
    corner[CORNER] = False
    files = {n: write_tile(tmp_path / f"{n}.tif", heights(dtype="uint8", bands=n), mask=corner) for n in (1, 3)}
    toys.publish_items("mixed", {str(n): {"data": file} for n, file in files.items()}, scan=False)
    with toys.served() as http:
        reply = get(http, url("mixed"))
        assert (reply.headers["x-assets"], reply.headers["x-assets-skipped"]) == ("1", "3")
        assert "etag" not in reply.headers


def test_tile_assets_lists_granules_best_first(http: httpx.Client) -> None:
    path = f"/mosaics/three/tiles/{TMS}/{Z}/{X}/{Y}/assets"
    assert [granule["id"] for granule in get(http, path).json()] == ["1", "2", "3"]
    assert get(http, f"/mosaics/three/tiles/{TMS}/{Z}/{X + 40}/{Y}/assets").json() == []
