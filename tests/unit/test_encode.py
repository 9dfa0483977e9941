"""Encoding: each format is opened by another library and holds what was put in."""

import io
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, MemoryFile

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.rendering.encode import ImageFormat, encode, parse_format, tiff_nodata
from quadmosaic.rendering.merge import Image
from rasters import Array

BOX = GeoBox("IAU_2015:49910", (1000.0, -500.0, 1320.0, -260.0), 32, 24)
MASK = np.ones((24, 32), np.bool_)
MASK[:5, :7] = False


def image(dtype: str, *, bands: int = 1, nodata: float | None = None) -> Image:
    values = (np.arange(bands * 24 * 32).reshape(bands, 24, 32) % 120 + 1).astype(dtype)
    return Image(bands=values, valid=MASK[np.newaxis], nodata=nodata)


@contextmanager
def opened(content: bytes) -> Iterator[DatasetReader]:
    with warnings.catch_warnings(), MemoryFile(content) as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open() as dataset:
            yield dataset


def as_tiff(given: Image, *, with_mask: bool = False) -> AbstractContextManager[DatasetReader]:
    return opened(encode(given, ImageFormat.TIFF, geobox=BOX, with_mask=with_mask))


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("float32", -32767.0), ("float32", -3.4028226550889045e38), ("int16", -32768), ("uint8", 0), ("float64", 1e300)],
)
def test_a_geotiff_declares_its_nodata_value_crs_and_place(dtype: str, nodata: float) -> None:
    given = image(dtype, nodata=nodata)
    with as_tiff(given) as dataset:
        assert dataset.nodata == nodata
        assert dataset.dtypes == (dtype,)
        assert dataset.crs == rasterio.crs.CRS.from_user_input("IAU_2015:49910")
        assert tuple(dataset.bounds) == BOX.bounds
        assert dataset.res == (10.0, 10.0)
        values = dataset.read()
        np.testing.assert_array_equal(values[:, MASK], given.bands[:, MASK])
        np.testing.assert_array_equal(values[:, ~MASK], np.full_like(values[:, ~MASK], nodata))
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, MASK)


DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")


def beside_seven(dtype: str) -> np.generic:
    kind = np.dtype(dtype).type
    return (
        kind(6)
        if np.dtype(dtype).kind in "iu"
        else kind(7 * (1 - 8 * max(np.finfo(dtype).eps, np.finfo("float32").eps)))
    )


@pytest.mark.parametrize("with_mask", [True, False])
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_and_number_of_bands_is_read_back_by_gdal(dtype: str, bands: int, with_mask: bool) -> None:
    given = image(dtype, bands=bands, nodata=7.0)
    with as_tiff(given, with_mask=with_mask) as dataset:
        assert dataset.dtypes == (dtype,) * bands
        assert dataset.nodata == 7.0
        expected = given.bands if with_mask else np.where(given.bands == 7, beside_seven(dtype), given.bands)
        np.testing.assert_array_equal(dataset.read()[:, MASK], expected[:, MASK])
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, MASK)
        is_color = (bands, dtype) == (3, "uint8")
        assert (dataset.colorinterp[0] is rasterio.enums.ColorInterp.red) is is_color
        assert rasterio.enums.ColorInterp.alpha not in dataset.colorinterp


def test_half_floats_are_read_back_by_gdal() -> None:
    given = image("float16", nodata=7.0)
    with as_tiff(given) as dataset:
        expected = np.where(given.bands == 7, beside_seven("float16"), given.bands)
        np.testing.assert_array_equal(dataset.read()[:, MASK], expected[:, MASK])


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 3000), (2001, 1), (1500, 1100)])
def test_images_of_any_size_are_read_back_by_gdal(width: int, height: int) -> None:
    box = GeoBox("IAU_2015:49910", (0.0, 0.0, 10.0 * width, 10.0 * height), width, height)
    values = np.random.default_rng(1).random((2, height, width), np.float32)
    given = Image(bands=values, valid=values[:1] > 0.5)
    with opened(encode(given, ImageFormat.TIFF, geobox=box, with_mask=True)) as dataset:
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, given.mask)
        np.testing.assert_array_equal(dataset.read()[:, given.mask], values[:, given.mask])
        assert dataset.res == (10.0, 10.0)


@pytest.mark.parametrize(
    "crs",
    [
        "EPSG:3857",
        "EPSG:4326",
        "EPSG:32618",
        "IAU_2015:49900",
        "IAU_2015:49930",
        "IAU_2015:30100",
        "+proj=eqc +lat_ts=40 +lon_0=180 +R=3396190 +units=m +no_defs",
        "+proj=sinu +lon_0=70 +R=1737400 +units=m +no_defs",
    ],
)
def test_a_geotiff_says_its_crs_as_gdal_would(crs: str) -> None:
    box = GeoBox(crs, (10.0, 20.0, 42.0, 44.0), 32, 24)
    profile = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "uint8"}
    with MemoryFile() as memory:
        with memory.open(**profile, crs=crs, transform=rasterio.transform.from_origin(0, 0, 2, 2)):
            pass
        with memory.open() as dataset:
            expected = dataset.crs
    with opened(encode(image("uint8"), ImageFormat.TIFF, geobox=box, with_mask=False)) as dataset:
        assert dataset.crs == expected
        assert tuple(dataset.bounds) == box.bounds


@pytest.mark.parametrize("nodata", [-9223372036854775808, -32768, 2147483647])
def test_whole_nodata_values_are_written_as_such(nodata: int) -> None:
    with as_tiff(image("int64", nodata=nodata)) as dataset:
        assert dataset.nodata == nodata


def test_floats_without_a_nodata_value_use_nan() -> None:
    with as_tiff(image("float32")) as dataset:
        assert np.isnan(dataset.nodata)
        assert np.isnan(dataset.read(1)[~MASK]).all()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32"])
def test_integers_without_a_nodata_value_carry_a_mask(dtype: str) -> None:
    with as_tiff(image(dtype)) as dataset:
        assert dataset.nodata is None
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, MASK)


def test_a_mask_may_be_added_to_a_nodata_value() -> None:
    with as_tiff(image("float32", nodata=-1.0), with_mask=True) as dataset:
        assert dataset.nodata == -1.0
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, MASK)


@pytest.mark.parametrize(
    ("dtype", "nodata", "declared"),
    [
        ("uint8", 300, None),
        ("uint8", -1, None),
        ("int16", -32768, -32768),
        ("int16", 0.5, None),
        ("int16", float("nan"), None),
        ("int16", float("inf"), None),
        ("uint16", None, None),
        ("float32", 7.0, 7.0),
    ],
)
def test_a_nodata_value_that_the_type_lacks_is_not_declared(
    dtype: str, nodata: float | None, declared: float | None
) -> None:
    assert tiff_nodata(np.dtype(dtype), nodata) == declared


@pytest.mark.parametrize("nodata", [1e300, float("-inf"), float("inf"), None])
def test_floats_declare_nan_where_a_value_does_not_fit(nodata: float | None) -> None:
    assert np.isnan(tiff_nodata(np.dtype("float32"), nodata) or 0)
    with as_tiff(image("float32", nodata=nodata)) as dataset:
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, MASK)


@pytest.mark.parametrize(("with_mask", "bands"), [(True, 3), (False, 2)])
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
def test_npy_holds_bands_then_mask(dtype: str, with_mask: bool, bands: int) -> None:
    given = image(dtype, bands=2)
    array = np.load(io.BytesIO(encode(given, ImageFormat.NPY, geobox=BOX, with_mask=with_mask)))
    assert array.shape == (bands, 24, 32)
    np.testing.assert_array_equal(array[:2], given.bands)
    if with_mask:
        np.testing.assert_array_equal(array[2], np.where(MASK, 255, 0))


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize(("image_format", "driver"), [(ImageFormat.PNG, "PNG"), (ImageFormat.WEBP, "WEBP")])
def test_views_have_alpha_when_asked(image_format: ImageFormat, driver: str, bands: int) -> None:
    given = image("uint8", bands=bands)
    for with_mask in (True, False):
        with opened(encode(given, image_format, geobox=BOX, with_mask=with_mask)) as dataset:
            assert dataset.driver == driver
            assert (dataset.colorinterp[-1] is rasterio.enums.ColorInterp.alpha) is with_mask
            if with_mask:
                np.testing.assert_array_equal(dataset.read(dataset.count) > 0, MASK)
            if image_format is ImageFormat.PNG:
                np.testing.assert_array_equal(dataset.read(list(range(1, bands + 1))), given.bands)


@pytest.mark.parametrize("bands", [1, 3])
def test_jpeg_has_no_alpha(bands: int) -> None:
    given = image("uint8", bands=bands)
    with opened(encode(given, ImageFormat.JPEG, geobox=BOX, with_mask=True)) as dataset:
        assert (dataset.driver, dataset.count) == ("JPEG", bands)


def test_names_of_formats_are_file_extensions_with_two_long_forms() -> None:
    assert [parse_format(name) for name in ("png", "jpeg", "tiff", "tif")] == [
        ImageFormat.PNG,
        ImageFormat.JPEG,
        ImageFormat.TIFF,
        ImageFormat.TIFF,
    ]
    for name in ("", "bmp", "PNG", "png "):
        with pytest.raises(Invalid, match="png, jpg, webp, tif, npy") as error:
            parse_format(name)
        assert error.value.field == "format"


def test_every_format_has_a_media_type_and_knows_whether_it_is_a_view() -> None:
    assert {each: (each.media_type.split("/")[0], each.is_view) for each in ImageFormat} == {
        ImageFormat.PNG: ("image", True),
        ImageFormat.JPEG: ("image", True),
        ImageFormat.WEBP: ("image", True),
        ImageFormat.TIFF: ("image", False),
        ImageFormat.NPY: ("application", False),
    }


def test_the_same_image_gives_the_same_bytes() -> None:
    for image_format in ImageFormat:
        first, second = (encode(image("uint8", bands=3), image_format, geobox=BOX, with_mask=True) for _ in range(2))
        assert first == second


def test_arrays_are_left_as_they_were() -> None:
    given = image("float32", nodata=-1.0)
    before: Array = given.bands.copy()
    encode(given, ImageFormat.TIFF, geobox=BOX, with_mask=False)
    np.testing.assert_array_equal(given.bands, before)


@pytest.mark.parametrize(
    ("dtype", "nodata", "expected"),
    [("uint8", 0, 1), ("int16", -32768, -32767), ("uint8", 255, 254), ("float32", 0, np.finfo("float32").tiny)],
)
def test_a_valid_pixel_never_reads_as_nodata(dtype: str, nodata: int, expected: float) -> None:
    given = Image(bands=np.full((1, 2, 2), nodata, dtype), valid=np.ones((1, 2, 2), np.bool_), nodata=nodata)
    with opened(
        encode(given, ImageFormat.TIFF, geobox=GeoBox("IAU_2015:49910", (0, 0, 2, 2), 2, 2), with_mask=False)
    ) as dataset:
        assert dataset.nodata == nodata
        assert (dataset.read() == expected).all()


def test_a_band_that_is_not_valid_where_another_is_reads_as_nodata() -> None:
    valid = np.array([[[True, False]], [[False, True]]])
    given = Image(bands=np.full((2, 1, 2), 5.0, np.float32), valid=valid, nodata=-9999.0)
    with opened(
        encode(given, ImageFormat.TIFF, geobox=GeoBox("IAU_2015:49910", (0, 0, 2, 1), 2, 1), with_mask=False)
    ) as dataset:
        np.testing.assert_array_equal(dataset.read(), np.where(valid, np.float32(5), np.float32(-9999)))
