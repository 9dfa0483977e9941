"""What every reader owes: the right pixels, in order, from any raster; a clean reason where it cannot read one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from readers import READERS, granule, read_layer, read_one

from quadmosaic.domain import grids
from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.ports import GranuleReader, Layer, ReadFailure, ReadOptions
from rasters import ramp, write_raster

MARS = "IAU_2015:49910"
BOX = GeoBox(MARS, (0.0, 0.0, 6400.0, 6400.0), 64, 64)

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Iterator[GranuleReader]:
    reader = READERS[request.param]()
    yield reader
    reader.close()


def shifted(box: GeoBox, *, pixels: tuple[float, float]) -> GeoBox:
    (dx, dy), (right, up) = box.resolution, pixels
    minx, miny, maxx, maxy = box.bounds
    return GeoBox(
        box.crs, (minx + right * dx, miny + up * dy, maxx + right * dx, maxy + up * dy), box.width, box.height
    )


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic", "lanczos"])
async def test_a_raster_on_the_geobox_s_own_grid_comes_back_pixel_for_pixel(
    reader: GranuleReader, tmp_path: Path, kernel: str
) -> None:
    data = ramp(64, 64)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds)
    layer = await read_layer(reader, path, BOX, resampling=kernel, reproject=kernel)
    np.testing.assert_array_equal(layer.bands, data)
    assert layer.bands.dtype == np.uint16
    assert layer.mask.all()
    assert layer.band_names == ("b1",)


async def test_the_same_grid_under_another_name_of_its_crs_is_pixel_for_pixel(
    reader: GranuleReader, tmp_path: Path
) -> None:
    data = ramp(64, 64)
    path = write_raster(tmp_path / "a.tif", data, crs="+proj=eqc +R=3396190 +units=m", bounds=BOX.bounds)
    np.testing.assert_array_equal((await read_layer(reader, path, BOX)).bands, data)


async def test_what_lies_outside_the_raster_is_masked_and_filled(reader: GranuleReader, tmp_path: Path) -> None:
    data = ramp(64, 64)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, nodata=9999)
    layer = await read_layer(reader, path, shifted(BOX, pixels=(10, -20)))
    np.testing.assert_array_equal(layer.bands[0, :44, :54], data[0, 20:, 10:])
    assert layer.mask[:44, :54].all()
    assert layer.mask.sum() == 44 * 54
    assert (layer.bands[0][~layer.mask] == 9999).all()
    assert layer.nodata == 9999


async def test_a_geobox_far_from_the_raster_is_an_empty_layer(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(64, 64), crs=MARS, bounds=BOX.bounds)
    assert not (await read_layer(reader, path, shifted(BOX, pixels=(1000, 0)))).mask.any()


async def test_south_up_and_rotated_transforms_are_followed(reader: GranuleReader, tmp_path: Path) -> None:
    data = ramp(64, 64)
    south_up = write_raster(tmp_path / "s.tif", data[:, ::-1], crs=MARS, transform=Affine(100, 0, 0, 0, 100, 0))
    turned = write_raster(
        tmp_path / "r.tif", data.transpose(0, 2, 1), crs=MARS, transform=Affine(0, 100, 0, -100, 0, 6400)
    )
    for path in (south_up, turned):
        np.testing.assert_array_equal((await read_layer(reader, path, BOX)).bands, data)


async def test_downsampling_reads_the_overview(reader: GranuleReader, tmp_path: Path) -> None:
    checks = (np.indices((256, 256)).sum(axis=0) % 2 * 200).astype(np.uint8)[None]
    path = write_raster(
        tmp_path / "a.tif", checks, crs=MARS, bounds=BOX.bounds, overviews=(2, 4), overview_resampling="average"
    )
    layer = await read_layer(reader, path, BOX)
    assert (layer.bands == 100).all()
    full = await read_layer(reader, path, GeoBox(MARS, BOX.bounds, 256, 256))
    np.testing.assert_array_equal(full.bands, checks)


async def test_without_overviews_a_smoothing_kernel_widens_to_smooth(reader: GranuleReader, tmp_path: Path) -> None:
    checks = (np.indices((512, 512)).sum(axis=0) % 2 * 200).astype(np.uint8)[None]
    path = write_raster(tmp_path / "a.tif", checks, crs=MARS, bounds=BOX.bounds)
    layer = await read_layer(reader, path, BOX, resampling="bilinear")
    assert np.abs(layer.bands.astype(int) - 100).max() <= 1


TURNED = "+proj=stere +lat_0=90 +lon_0=45 +R=3396190"


@pytest.mark.parametrize("kernel", ["bilinear", "cubic", "lanczos", "average"])
async def test_without_overviews_kernels_smooth_where_axes_are_turned_too(
    reader: GranuleReader, tmp_path: Path, kernel: str
) -> None:
    checks = (np.indices((512, 512)).sum(axis=0) % 2 * 200).astype(np.uint8)[None]
    path = write_raster(tmp_path / "a.tif", checks, crs="IAU_2015:49930", bounds=(-256e2, -256e2, 256e2, 256e2))
    layer = await read_layer(
        reader, path, GeoBox(TURNED, (-128e2, -128e2, 128e2, 128e2), 64, 64), resampling=kernel, reproject=kernel
    )
    assert layer.mask.all()
    assert np.abs(layer.bands.astype(int) - 100).max() <= 12


async def test_an_average_weighs_areas_where_axes_are_turned(reader: GranuleReader, tmp_path: Path) -> None:
    """A pixel of 4 x 4, turned by 45 degrees, spans 4 x 4 of the raster: half of what it has on either side."""
    halves = np.where(np.arange(512) < 256, 0, 200).astype(np.float32)
    path = write_raster(
        tmp_path / "a.tif",
        np.broadcast_to(halves, (1, 512, 512)),
        crs="IAU_2015:49930",
        bounds=(-256e2, -256e2, 256e2, 256e2),
    )
    box = GeoBox(TURNED, (-2e2, -2e2, 2e2, 2e2), 1, 1)
    layer = await read_layer(reader, path, box.buffered(8), resampling="average", reproject="average")
    away = (np.arange(17) - 8) * 4
    offset = (away[None, :] + away[:, None]) / np.sqrt(2)
    turned_other_way = (away[None, :] - away[:, None]) / np.sqrt(2)
    expected = [np.clip(way * 50 + 100, 0, 200) for way in (offset, -offset, turned_other_way, -turned_other_way)]
    assert min(np.abs(layer.bands[0] - each).max() for each in expected) < 0.5


@pytest.mark.parametrize("crs", [MARS, "IAU_2015:49930"])
async def test_an_average_of_less_than_a_pixel_is_that_pixel(reader: GranuleReader, tmp_path: Path, crs: str) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(64, 64), crs=MARS, bounds=BOX.bounds)
    x, y = pyproj.Transformer.from_crs(MARS, crs, always_xy=True).transform(3250, 3250)
    box = GeoBox(crs, (x - 0.05, y - 0.05, x + 0.05, y + 0.05), 16, 16)
    kinds = [
        await read_layer(reader, path, box, resampling=kernel, reproject=kernel) for kernel in ("nearest", "average")
    ]
    np.testing.assert_array_equal(kinds[1].bands, kinds[0].bands)


async def test_what_is_valid_is_said_of_each_band(reader: GranuleReader, tmp_path: Path) -> None:
    data = np.full((2, 64, 64), 5, np.int16)
    data[1, :, :32] = -1
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, nodata=-1)
    layer = await read_layer(reader, path, BOX)
    np.testing.assert_array_equal(layer.valid, data == 5)
    assert layer.mask.all()
    np.testing.assert_array_equal(layer.bands, data)


OCENTRIC = str(grids.load("MarsGeographicOcentric").crs.to_wkt())


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic", "lanczos", "average"])
async def test_boxes_of_ocentric_latitudes_are_placed_and_smoothed(
    reader: GranuleReader, tmp_path: Path, kernel: str
) -> None:
    """The raster holds its own rows, of which the hundredth begins at the latitude in the middle of the box."""
    degree = 3396190 * np.pi / 180
    rows = np.broadcast_to((np.arange(200) + 0.5)[:, None], (1, 200, 200)).astype(np.float32)
    bounds = (70 * degree, 40 * degree, 80 * degree, 50 * degree)
    path = write_raster(tmp_path / "a.tif", rows, crs=MARS, bounds=bounds)
    to_ocentric = pyproj.Transformer.from_crs(MARS, OCENTRIC, always_xy=True)
    x, y = to_ocentric.transform(75 * degree, 45 * degree)
    layer = await read_layer(
        reader,
        path,
        GeoBox(OCENTRIC, (x - 0.5, y - 0.5, x + 0.5, y + 0.5), 20, 20),
        resampling=kernel,
        reproject=kernel,
    )
    assert layer.mask.all()
    assert layer.bands[0, 9:11].mean() == pytest.approx(100, abs=0.6)
    assert 18 < np.ptp(layer.bands) < 21


async def test_a_kernel_that_knows_no_ocentric_latitudes_says_so(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(64, 64), crs=MARS, bounds=(4.2e6, 6e5, 4.6e6, 1e6))
    answer = await read_one(
        reader, path, GeoBox(OCENTRIC, (71.0, 11.0, 75.0, 15.0), 32, 32), resampling="mode", reproject="mode"
    )
    assert isinstance(answer, ReadFailure)
    assert "mode is not known for ocentric latitudes" in answer.reason


async def test_a_huge_window_without_overviews_is_read_thinned_out(reader: GranuleReader, tmp_path: Path) -> None:
    hundreds = np.broadcast_to(np.arange(6000) // 100, (1, 3000, 6000)).astype(np.uint8)
    path = write_raster(tmp_path / "a.tif", hundreds, crs=MARS, bounds=BOX.bounds, layout={"compress": "deflate"})
    layer = await read_layer(reader, path, BOX)
    expected = (np.arange(64) + 0.5) * 6000 / 64 // 100
    assert layer.mask.all()
    assert np.abs(layer.bands[0] - expected).max() <= 1
    assert (layer.bands[0] != expected).mean() < 0.05


NODATA_CASES = {
    "uint8 0": ("uint8", 0.0, 0),
    "int16": ("int16", -32768.0, -32768),
    "float32 lowest": ("float32", -3.4028234663852886e38, -3.4028234663852886e38),
    "float32 Isis null": ("float32", -3.4028226550889045e38, -3.4028226550889045e38),
    "float32 rounded": ("float32", -3.4e38, np.float32(-3.4e38)),
    "float32 NaN": ("float32", float("nan"), float("nan")),
    "float32 undeclared NaN": ("float32", None, float("nan")),
    "float32 NaN beside another nodata": ("float32", 0.0, float("nan")),
    "float64": ("float64", -1.2676506e30, -1.2676506e30),
    "float64 through float32": ("float64", -1.2676506e30, float(np.float32(-1.2676506e30))),
    "int64": ("int64", -1.0, -1),
}


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic"])
@pytest.mark.parametrize("case", NODATA_CASES)
async def test_nodata_is_masked_and_never_blends(reader: GranuleReader, tmp_path: Path, case: str, kernel: str) -> None:
    dtype, declared, stored = NODATA_CASES[case]
    data = np.full((1, 64, 64), 100).astype(dtype)
    data[0, 20:30, 20:30] = stored
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, nodata=declared)
    straight = await read_layer(reader, path, BOX, resampling=kernel)
    moved = await read_layer(reader, path, shifted(BOX, pixels=(0.3, 0.3)), resampling=kernel)
    hole = np.zeros((64, 64), bool)
    hole[20:30, 20:30] = True
    np.testing.assert_array_equal(~straight.mask, hole)
    for layer in (straight, moved):
        assert (~layer.mask[:60, :60]).sum() == 100
        np.testing.assert_allclose(layer.bands[0][layer.mask].astype(float), 100, rtol=1e-6)


async def test_the_request_s_nodata_replaces_the_file_s(reader: GranuleReader, tmp_path: Path) -> None:
    data = ramp(64, 64)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, nodata=1)
    layer = await read_layer(reader, path, BOX, nodata=7)
    assert np.flatnonzero(~layer.mask).tolist() == [6]
    assert layer.nodata == 7


async def test_a_nodata_that_the_dtype_lacks_masks_nothing(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(64, 64, dtype="uint8"), crs=MARS, bounds=BOX.bounds)
    assert (await read_layer(reader, path, BOX, nodata=-9999)).mask.all()
    assert (await read_layer(reader, path, BOX, nodata=0.5)).mask.all()


async def test_a_pixel_is_valid_where_any_band_has_data(reader: GranuleReader, tmp_path: Path) -> None:
    data = np.full((3, 64, 64), 50, np.uint8)
    data[0, :32] = 0
    data[:, :, :8] = 0
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, nodata=0)
    layer = await read_layer(reader, path, BOX, resampling="bilinear")
    np.testing.assert_array_equal(layer.mask, (data > 0).any(axis=0))
    np.testing.assert_array_equal(layer.bands, data)
    assert (await read_layer(reader, path, BOX, bidx=(1,))).mask.sum() == 32 * 56


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("kernel", ["nearest", "bilinear"])
async def test_a_dataset_s_mask_is_followed(reader: GranuleReader, tmp_path: Path, external: bool, kernel: str) -> None:
    mask = np.zeros((64, 64), bool)
    mask[10:50, 5:60] = True
    data = np.where(mask, 100, 255).astype(np.uint8)[None].repeat(3, axis=0)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, mask=mask, external_mask=external)
    layer = await read_layer(reader, path, BOX, resampling=kernel)
    np.testing.assert_array_equal(layer.mask, mask)
    assert (layer.bands[:, mask] == 100).all()
    moved = await read_layer(reader, path, shifted(BOX, pixels=(0.4, 0)), resampling=kernel)
    assert (moved.bands[:, moved.mask] == 100).all()


async def test_a_mask_is_read_from_its_own_overview(reader: GranuleReader, tmp_path: Path) -> None:
    mask = np.zeros((256, 256), bool)
    mask[:128] = True
    data = np.full((1, 256, 256), 9, np.uint8)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, mask=mask, overviews=(2, 4))
    layer = await read_layer(reader, path, BOX)
    assert layer.mask[:32].all()
    assert not layer.mask[32:].any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
async def test_alpha_is_the_mask_and_no_band(reader: GranuleReader, tmp_path: Path, dtype: str) -> None:
    alpha = np.zeros((64, 64), bool)
    alpha[:, 32:] = True
    data = np.where(alpha, 40, 200).astype(dtype)[None].repeat(3, axis=0)
    opaque = np.iinfo(dtype).max
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, alpha=alpha * opaque)
    layer = await read_layer(reader, path, BOX, resampling="cubic")
    assert layer.band_names == ("b1", "b2", "b3")
    np.testing.assert_array_equal(layer.mask, alpha)
    assert (layer.bands[:, alpha] == 40).all()


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
async def test_alpha_below_zero_is_as_transparent_as_zero(
    reader: GranuleReader, tmp_path: Path, dtype: str, resampling: str
) -> None:
    alpha = np.repeat(np.array([-5, 0, 1, 7]), 16)[None].repeat(64, axis=0)
    data = np.full((3, 64, 64), 40, dtype)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, alpha=alpha)
    layer = await read_layer(reader, path, BOX, resampling=resampling)
    np.testing.assert_array_equal(layer.mask, alpha > 0)


async def test_palette_indices_come_with_their_colours_and_are_never_blended(
    reader: GranuleReader, tmp_path: Path
) -> None:
    palette = {1: (255, 0, 0, 255), 9: (0, 0, 255, 255)}
    data = np.where(np.indices((64, 64))[1] % 2, 9, 1).astype(np.uint8)[None]
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, palette=palette)
    layer = await read_layer(reader, path, shifted(BOX, pixels=(0.4, 0.4)), resampling="bilinear", reproject="bilinear")
    assert set(np.unique(layer.bands[0][layer.mask])) == {1, 9}
    assert layer.palette is not None
    assert layer.palette[9] == (0, 0, 255, 255)


async def test_unscale_applies_each_band_s_scale_and_offset(reader: GranuleReader, tmp_path: Path) -> None:
    data = ramp(64, 64, dtype="int16", bands=2)
    path = write_raster(
        tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds, nodata=1, scales=(0.5, 2), offsets=(1000, -3)
    )
    layer = await read_layer(reader, path, BOX, unscale=True)
    assert layer.bands.dtype == np.float32
    np.testing.assert_allclose(layer.bands[1], data[1] * 2.0 - 3)
    np.testing.assert_allclose(layer.bands[0].ravel()[1:], data[0].ravel()[1:] * 0.5 + 1000)
    assert (await read_layer(reader, path, BOX)).bands.dtype == np.int16


async def test_bands_are_read_in_the_order_asked_for(reader: GranuleReader, tmp_path: Path) -> None:
    data = ramp(64, 64, bands=3)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOX.bounds)
    layer = await read_layer(reader, path, BOX, bidx=(3, 1))
    np.testing.assert_array_equal(layer.bands, data[[2, 0]])
    assert layer.band_names == ("b3", "b1")


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("bidx", {"bidx": (4,)}),
        ("bidx", {"bidx": (0,)}),
        ("bidx", {"bidx": ()}),
        ("resampling", {"resampling": "fuzzy"}),
        ("reproject", {"reproject": "fuzzy"}),
    ],
)
async def test_what_no_raster_could_give_is_an_error_of_the_request(
    reader: GranuleReader, tmp_path: Path, field: str, options: dict[str, object]
) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(64, 64), crs=MARS, bounds=BOX.bounds)
    with pytest.raises(Invalid) as error:
        await read_one(reader, path, BOX, **options)
    assert error.value.field == field


def make_missing(folder: Path) -> str:
    return str(folder / "secret-name.tif")


def make_garbage(folder: Path) -> str:
    (folder / "secret-name.tif").write_bytes(b"II*\x00" + b"garbage" * 100)
    return str(folder / "secret-name.tif")


def make_truncated(folder: Path) -> str:
    noise = np.random.default_rng(1).integers(1, 255, (1, 512, 512), np.uint8)
    path = write_raster(folder / "secret-name.tif", noise, crs=MARS, bounds=BOX.bounds)
    path.write_bytes(path.read_bytes()[:100_000])
    return str(path)


def make_without_crs(folder: Path) -> str:
    return str(write_raster(folder / "secret-name.tif", ramp(64, 64), crs=None, bounds=BOX.bounds))


def make_without_transform(folder: Path) -> str:
    return str(write_raster(folder / "secret-name.tif", ramp(64, 64), crs=MARS))


def make_lunar(folder: Path) -> str:
    return str(write_raster(folder / "secret-name.tif", ramp(64, 64), crs="IAU_2015:30110", bounds=BOX.bounds))


def make_complex(folder: Path) -> str:
    return str(write_raster(folder / "secret-name.tif", ramp(64, 64, dtype="complex64"), crs=MARS, bounds=BOX.bounds))


def make_with_gcps(folder: Path) -> str:
    path = folder / "secret-name.tif"
    points = [GroundControlPoint(row=r, col=c, x=c / 10, y=-r / 10) for r in (0, 64) for c in (0, 64)]
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint16"}
    with rasterio.open(path, "w", gcps=points, crs=pyproj.CRS("IAU_2015:49900").to_wkt(), **profile) as file:
        file.write(ramp(64, 64))
    return str(path)


def make_vrt(folder: Path) -> str:
    path = folder / "secret-name.vrt"
    path.write_text('<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte"/></VRTDataset>')
    return str(path)


def make_with_bytes_in_its_crs(folder: Path) -> str:
    path = write_raster(folder / "secret-name.tif", ramp(64, 64), crs=MARS, bounds=BOX.bounds)
    path.write_bytes(path.read_bytes().replace(b"Mars", b"M\xffrs"))
    return str(path)


def make_flat(folder: Path) -> str:
    transform = Affine(100, 100, 0, -100, -100, 6400)
    return str(write_raster(folder / "secret-name.tif", ramp(64, 64), crs=MARS, transform=transform))


def make_with_too_many_bands(folder: Path) -> str:
    path = folder / "secret-name.tif"
    layout = {"driver": "GTiff", "width": 1, "height": 1, "count": 5000, "dtype": "uint8"}
    place = {"crs": pyproj.CRS(MARS).to_wkt(), "transform": Affine(100, 0, 0, 0, -100, 6400)}
    with rasterio.open(path, "w", **layout, **place):
        pass
    return str(path)


def make_virtual_path(folder: Path) -> str:
    return f"/vsigzip/{folder}/secret-name.tif.gz"


UNREADABLE = {
    "missing": (make_missing, "does not exist"),
    "garbage": (make_garbage, "not a raster"),
    "truncated": (make_truncated, "damaged"),
    "without CRS": (make_without_crs, "no CRS"),
    "without transform": (make_without_transform, "no geotransform"),
    "of another body": (make_lunar, "Moon, not on Mars"),
    "CRS in no known letters": (make_with_bytes_in_its_crs, "not a raster that can be read"),
    "flat": (make_flat, "geotransform gives its pixels no area"),
    "of 5000 bands": (make_with_too_many_bands, "5000 bands"),
    "complex": (make_complex, "complex"),
    "placed by GCPs": (make_with_gcps, "ground control points"),
    "VRT": (make_vrt, "not a raster"),
    "GDAL virtual path": (make_virtual_path, "virtual paths"),
    "unknown scheme": (lambda _: "ftp://secret-name/a.tif", "'ftp' href"),
    "unknown bucket": (lambda _: "s3://somewhere/secret-name.tif", "bucket"),
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_granule_that_cannot_be_read_says_why_and_gives_nothing_away(
    reader: GranuleReader, tmp_path: Path, case: str
) -> None:
    make, reason = UNREADABLE[case]
    answer = await read_one(reader, make(tmp_path), BOX)
    assert isinstance(answer, ReadFailure)
    assert reason in answer.reason
    assert "secret" not in answer.reason
    assert str(tmp_path) not in answer.reason
    assert len(answer.reason) < 100


@pytest.mark.parametrize("case", sorted(set(UNREADABLE) - {"truncated", "of another body"}))
async def test_a_file_that_is_no_usable_raster_is_refused_by_a_scan(
    reader: GranuleReader, tmp_path: Path, case: str
) -> None:
    make, reason = UNREADABLE[case]
    with pytest.raises((Invalid, Unavailable)) as error:
        await reader.scan(make(tmp_path))
    assert reason in error.value.message
    assert isinstance(error.value, Unavailable) == (case == "missing")


async def test_an_unknown_asset_is_a_failure_of_its_granule(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(64, 64), crs=MARS, bounds=BOX.bounds)
    answers = [a async for a in reader.read([granule(path)], BOX, ReadOptions(asset="dtm"))]
    assert isinstance(answers[0], ReadFailure)
    assert "'dtm'" in answers[0].reason


async def test_there_is_one_answer_per_granule_in_order(reader: GranuleReader, tmp_path: Path) -> None:
    paths = [
        write_raster(tmp_path / f"{i}.tif", np.full((1, 64, 64), i, np.uint8), crs=MARS, bounds=BOX.bounds)
        for i in range(20)
    ]
    paths[7].unlink()
    granules = [granule(path, name=path.stem) for path in paths]
    answers = [answer async for answer in reader.read(granules, BOX, ReadOptions(asset="image"))]
    assert [answer.granule.id for answer in answers] == [str(i) for i in range(20)]
    assert [i for i, answer in enumerate(answers) if isinstance(answer, ReadFailure)] == [7]
    assert all(answer.bands[0, 0, 0] == i for i, answer in enumerate(answers) if isinstance(answer, Layer))


async def test_a_stream_can_be_closed_early_and_the_reader_goes_on(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(64, 64), crs=MARS, bounds=BOX.bounds)
    stream = reader.read([granule(path)] * 50, BOX, ReadOptions(asset="image"))
    first = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert isinstance(first, Layer)
    assert isinstance(await read_one(reader, path, BOX), Layer)
