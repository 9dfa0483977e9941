"""Crops and previews over HTTP: any box, in any CRS of the body, at any size."""

import io
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, MemoryFile

from rasters import Array
from toys import MARS, SIZE, Toys, heights, tile_box, write_tile

NODATA = -32767.0
DEGREES = "IAU_2015:49900"
POLAR = "IAU_2015:49930"


def dtm() -> Array:
    values = heights()
    values[0, :60, :80] = NODATA
    return values


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    toys = Toys(folder=tmp_path_factory.mktemp("crops"))
    toys.publish("dtm", [write_tile(toys.folder / "dtm.tif", dtm(), nodata=NODATA)])
    return toys


@pytest.fixture(scope="module")
def http(toys: Toys) -> Generator[httpx.Client]:
    with toys.served() as client:
        yield client


@contextmanager
def opened(reply: httpx.Response) -> Generator[DatasetReader]:
    assert reply.status_code == 200, reply.text
    with warnings.catch_warnings(), MemoryFile(reply.content) as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open() as dataset:
            yield dataset


def path(box: tuple[float, ...], tail: str = ".tif") -> str:
    return f"/mosaics/dtm/bbox/{','.join(repr(float(edge)) for edge in box)}{tail}"


def in_degrees(box: tuple[float, ...]) -> tuple[float, ...]:
    return pyproj.Transformer.from_crs(MARS, DEGREES, always_xy=True).transform_bounds(*box)


def test_a_box_in_the_files_own_crs_and_size_is_the_file(http: httpx.Client, toys: Toys) -> None:
    reply = http.get(path(tile_box(), f"/{SIZE}x{SIZE}.tif"), params={"coord_crs": MARS})
    with opened(reply) as crop, rasterio.open(toys.folder / "dtm.tif") as file:
        np.testing.assert_array_equal(crop.read(), file.read())
        assert (crop.nodata, crop.dtypes) == (file.nodata, file.dtypes)
        np.testing.assert_allclose(crop.bounds, file.bounds)
    assert reply.headers["content-crs"] == "<http://www.opengis.net/def/crs/IAU/2015/49910>"
    assert reply.headers["x-assets"] == "dtm"


def test_a_part_of_it_is_that_part(http: httpx.Client) -> None:
    left, bottom, right, top = tile_box()
    middle = (left, (bottom + top) / 2, (left + right) / 2, top)
    with opened(http.get(path(middle, "/128x128.tif"), params={"coord_crs": MARS})) as crop:
        np.testing.assert_array_equal(crop.read(), dtm()[:, :128, :128])


def test_without_a_crs_boxes_are_degrees_of_the_body(http: httpx.Client) -> None:
    reply = http.get(path(in_degrees(tile_box())))
    with opened(reply) as crop:
        assert crop.crs == rasterio.crs.CRS.from_user_input(DEGREES)
        np.testing.assert_allclose(crop.bounds, in_degrees(tile_box()))
        valid = crop.read(1) != NODATA
        assert 0.9 < valid.mean() < 0.95
    assert reply.headers["content-crs"].endswith("/IAU/2015/49900>")


def test_the_image_may_have_another_crs_than_the_box(http: httpx.Client) -> None:
    reply = http.get(path(in_degrees(tile_box())), params={"crs": MARS})
    with opened(reply) as crop:
        assert crop.crs == rasterio.crs.CRS.from_user_input(MARS)
        np.testing.assert_allclose(crop.bounds, tile_box(), rtol=1e-9)


def test_the_image_may_be_polar(http: httpx.Client) -> None:
    with opened(http.get(path(in_degrees(tile_box())), params={"crs": POLAR})) as crop:
        assert "stereographic" in crop.crs.to_wkt().lower()
        assert (crop.read(1) != NODATA).mean() > 0.3


@pytest.mark.parametrize("crs", ["IAU_2015:49910", "urn:ogc:def:crs:IAU:2015:49910"])
def test_a_crs_may_be_spelled_as_a_code_or_a_urn(http: httpx.Client, crs: str) -> None:
    assert http.get(path(tile_box()), params={"coord_crs": crs}).status_code == 200


@pytest.mark.parametrize(("box", "shape"), [((1, 1), (256, 256)), ((1, 0.5), (128, 256)), ((0.25, 1), (256, 64))])
def test_the_longest_side_is_as_asked_and_pixels_are_square(
    http: httpx.Client, box: tuple[float, float], shape: tuple[int, int]
) -> None:
    left, bottom, right, top = tile_box()
    part = (left, top - (top - bottom) * box[1], left + (right - left) * box[0], top)
    with opened(http.get(path(part), params={"coord_crs": MARS, "max_size": 256})) as crop:
        assert crop.shape == shape


def test_a_crop_has_every_format(http: httpx.Client) -> None:
    box = path(in_degrees(tile_box()), "/64x32")
    assert np.load(io.BytesIO(http.get(f"{box}.npy").content)).shape == (2, 32, 64)
    for extension, driver in (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")):
        with opened(http.get(f"{box}.{extension}")) as crop:
            assert (crop.driver, crop.shape) == (driver, (32, 64))


@pytest.mark.parametrize(("empty", "status"), [("204", 204), ("404", 404), ("fill", 200)])
def test_a_box_without_data_is_answered_as_asked(http: httpx.Client, empty: str, status: int) -> None:
    assert http.get(path((-10, -10, -9, -9)), params={"empty": empty}).status_code == status


def test_the_granules_of_a_box_are_listed(http: httpx.Client, toys: Toys) -> None:
    listed = http.get(path(in_degrees(tile_box()), "/assets")).json()
    assert listed == [{"id": "dtm", "assets": {"data": str(toys.folder / "dtm.tif")}}]
    assert http.get(path((-10, -10, -9, -9), "/assets")).json() == []


@pytest.mark.parametrize("tail", ["", ".png"])
def test_a_preview_shows_the_whole_mosaic(http: httpx.Client, tail: str) -> None:
    reply = http.get(f"/mosaics/dtm/preview{tail}")
    with opened(reply) as picture:
        assert picture.driver == "PNG"
        assert max(picture.shape) == 512
        assert 0.85 < (picture.read(picture.count) > 0).mean() < 0.98


def test_a_preview_has_values_too(http: httpx.Client) -> None:
    with opened(http.get("/mosaics/dtm/preview.tif", params={"max_size": 100})) as picture:
        assert picture.nodata == NODATA
        assert max(picture.shape) == 100
        np.testing.assert_allclose(picture.bounds, tile_box(), rtol=1e-6)


def test_a_box_all_around_the_body_is_drawn(http: httpx.Client) -> None:
    with opened(http.get(path((-180, -90, 180, 90)), params={"max_size": 2048})) as crop:
        assert crop.shape == (1024, 2048)
        assert (crop.read(1) != NODATA).any()


def test_a_box_in_longitudes_beyond_180_is_the_same_place(http: httpx.Client) -> None:
    west, south, east, north = in_degrees(tile_box())
    replies = [http.get(path((west + turn, south, east + turn, north), "/64x64.tif")) for turn in (-360, 0)]
    with opened(replies[0]) as turned, opened(replies[1]) as plain:
        assert (turned.read() == plain.read()).mean() > 0.98
