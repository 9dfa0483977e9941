"""The fast reader beside the rasterio reader: every way of packing pixels, every kernel, every grid of Mars.

Nearest and masks are the same, pixel for pixel. Kernels differ by rounding: at most 1 of bytes, a thousandth of the
range else, on all but one pixel in a thousand.
"""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely

from quadmosaic.domain import grids
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.grids import Tile
from quadmosaic.ports import GranuleReader, Layer, ReadOptions
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader
from rasters import Array, waves, write_raster

MARS = "IAU_2015:49910"
DEGREE = 3396190 * np.pi / 180
BOUNDS = (0.0, 0.0, 30000.0, 30000.0)
BOX = GeoBox(MARS, (1000.0, 2000.0, 26000.0, 28000.0), 64, 64)

FINER = GeoBox(MARS, (1000.0, 2000.0, 19000.0, 20000.0), 96, 96)


class Pair:
    """Both readers."""

    def __init__(self) -> None:
        self.oracle = RasterioReader(buckets={}, max_reads=2)
        self.fast = FastReader(self.oracle, buckets={})

    async def read(self, path: Path, box: GeoBox, **options: object) -> tuple[Layer, Layer]:
        """The fast reader's layer, and the oracle's."""
        return await one(self.fast, path, box, **options), await one(self.oracle, path, box, **options)

    def fallbacks(self) -> dict[str, int]:
        return dict(self.fast.tally.fallbacks)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    yield pair
    pair.fast.close()
    pair.oracle.close()


async def one(reader: GranuleReader, path: Path, box: GeoBox, **options: object) -> Layer:
    granule = Granule(id="g", hrefs={"image": str(path)}, footprint=shapely.box(-1, -1, 1, 1))
    asked = ReadOptions(asset="image", **options)  # type: ignore[arg-type]
    (answer,) = [answer async for answer in reader.read([granule], box, asked)]
    assert isinstance(answer, Layer), answer
    return answer


def check_same(found: Layer, expected: Layer) -> None:
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_array_equal(found.bands, expected.bands)
    assert found.bands.dtype == expected.bands.dtype
    assert (found.band_names, found.nodata, found.palette) == (expected.band_names, expected.nodata, expected.palette)


DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64", "float16", "float32", "float64")


def packings() -> Iterator[tuple[str, int, str, str, str]]:
    """Compression x predictor x dtype; interleave and byte order take turns."""
    turns = itertools.cycle(itertools.product(("pixel", "band"), ("LITTLE", "BIG")))
    rarer = itertools.product(("none", "packbits", "lzma"), ("uint8", "int16", "float64"))
    for compression, dtype in [*itertools.product(("deflate", "lzw", "zstd"), DTYPES), *rarer]:
        predictors = [1]
        if compression in ("deflate", "lzw", "zstd"):
            predictors += [3] if dtype in ("float32", "float64") else [] if dtype == "float16" else [2]
        for predictor in predictors:
            yield (compression, predictor, dtype, *next(turns))


@pytest.mark.parametrize(("compression", "predictor", "dtype", "interleave", "order"), list(packings()))
async def test_every_packing_is_read_fast_and_alike(
    pair: Pair, tmp_path: Path, compression: str, predictor: int, dtype: str, interleave: str, order: str
) -> None:
    layout = {
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 32,
        "compress": compression,
        "interleave": interleave,
        "ENDIANNESS": order,
        **({"predictor": predictor} if predictor > 1 else {}),
    }
    data = waves(dtype, bands=2)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOUNDS, layout=layout, overviews=(2,))
    for box in (BOX, GeoBox(MARS, (3000.0, 3000.0, 7800.0, 7800.0), 32, 32)):
        check_same(*await pair.read(path, box))
    check_same(*await pair.read(path, BOX, bidx=(2, 1)))
    assert pair.fallbacks() == {}


@pytest.mark.parametrize(
    ("photometric", "bands", "interleave"),
    [("MINISBLACK", 1, "pixel"), ("RGB", 3, "pixel"), ("YCBCR", 3, "pixel"), ("RGB", 3, "band")],
)
@pytest.mark.parametrize("masked", [False, True])
async def test_every_jpeg_is_read_fast_and_alike(
    pair: Pair, tmp_path: Path, photometric: str, bands: int, interleave: str, masked: bool
) -> None:
    layout = {
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
        "compress": "jpeg",
        "photometric": photometric,
        "interleave": interleave,
    }
    mask = np.indices((200, 200)).sum(axis=0) > 150 if masked else None
    data = waves("uint8", bands=bands)
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOUNDS, layout=layout, mask=mask, overviews=(2, 4))
    check_same(*await pair.read(path, BOX))
    assert pair.fallbacks() == {}


def sparse(path: Path, nodata: float | None) -> Path:
    data = waves("uint16")
    data[0, :70, :70] = 0 if nodata is None else nodata
    layout = {"tiled": True, "blockxsize": 64, "blockysize": 64, "SPARSE_OK": True}
    return write_raster(path, data, crs=MARS, bounds=BOUNDS, layout=layout, nodata=nodata)


def scattered(data: Array, value: float) -> Array:
    data[:, np.random.default_rng(1).random(data.shape[1:]) < 0.1] = value
    return data


CIRCLE = np.hypot(*(np.indices((200, 200)) - 99.5)) < 80

WHAT_IS_VALID = {
    "nodata": lambda path: write_raster(
        path, scattered(waves("int16"), -9999), crs=MARS, bounds=BOUNDS, nodata=-9999, overviews=(2,)
    ),
    "NaN": lambda path: write_raster(path, scattered(waves("float32"), np.nan), crs=MARS, bounds=BOUNDS),
    "one band's nodata": lambda path: write_raster(
        path, np.concatenate([scattered(waves("float32"), 0), waves("float32")]), crs=MARS, bounds=BOUNDS, nodata=0
    ),
    "mask": lambda path: write_raster(
        path, waves("uint8", bands=3), crs=MARS, bounds=BOUNDS, mask=CIRCLE, overviews=(2, 4)
    ),
    "mask and nodata": lambda path: write_raster(
        path, scattered(waves("uint8"), 0), crs=MARS, bounds=BOUNDS, mask=CIRCLE, nodata=0
    ),
    "alpha": lambda path: write_raster(path, waves("uint8", bands=3), crs=MARS, bounds=BOUNDS, alpha=CIRCLE * 255),
    "planar alpha": lambda path: write_raster(
        path,
        waves("uint16", bands=3),
        crs=MARS,
        bounds=BOUNDS,
        alpha=CIRCLE * 65535,
        layout={"tiled": True, "blockxsize": 32, "blockysize": 32, "interleave": "band"},
    ),
    "palette": lambda path: write_raster(
        path, waves("uint8"), crs=MARS, bounds=BOUNDS, palette={1: (255, 0, 0, 255), 9: (0, 0, 255, 0)}
    ),
    "sparse": lambda path: sparse(path, None),
    "sparse with nodata": lambda path: sparse(path, 77),
    "scaled": lambda path: write_raster(
        path, waves("int16", bands=2), crs=MARS, bounds=BOUNDS, nodata=1, scales=(0.5, 2), offsets=(3, -4)
    ),
}


@pytest.mark.parametrize("case", WHAT_IS_VALID)
async def test_every_way_to_say_what_is_valid_is_read_fast_and_alike(pair: Pair, tmp_path: Path, case: str) -> None:
    path = WHAT_IS_VALID[case](tmp_path / "a.tif")
    check_same(*await pair.read(path, BOX))
    check_same(*await pair.read(path, BOX, unscale=True))
    check_same(*await pair.read(path, BOX, nodata=100))
    for kernel in ("bilinear", "cubic", "lanczos"):
        found, expected = await pair.read(path, FINER, resampling=kernel)
        check_close(found, expected, inner=eroded(expected.mask) if kernel == "lanczos" else None)
    assert pair.fallbacks() == {}


def check_close(found: Layer, expected: Layer, *, inner: np.ndarray | None = None) -> None:
    """As the module says; `inner` leaves the edge of the raster out."""
    np.testing.assert_array_equal(found.mask, expected.mask)
    compared = expected.mask if inner is None else expected.mask & inner
    if not compared.any():
        return
    first, second = (layer.bands[:, compared].astype(np.float64) for layer in (found, expected))
    off = np.abs(first - second)[np.isfinite(second)]
    limit = 1.0 if expected.bands.dtype == np.uint8 else 1e-3 * np.ptp(second[np.isfinite(second)])
    assert (off > limit).mean() <= 1e-3


RASTERS = {
    "equirectangular": (MARS, (70 * DEGREE, 10 * DEGREE, 80 * DEGREE, 20 * DEGREE)),
    "geographic 0 to 360": ("IAU_2015:49900", (70.0, 10.0, 80.0, 20.0)),
    "around 180": ("+proj=eqc +lat_ts=40 +lon_0=180 +R=3396190", (-1.4e6, -20 * DEGREE, 1.4e6, 20 * DEGREE)),
    "sinusoidal": ("+proj=sinu +lon_0=70 +R=3396190", (-5 * DEGREE, 10 * DEGREE, 5 * DEGREE, 20 * DEGREE)),
    "polar": ("IAU_2015:49930", (-1.2e6, -1.2e6, 1.2e6, 1.2e6)),
    "whole body": ("IAU_2015:49900", (0.0, -90.0, 360.0, 90.0)),
}
KERNELS = ("bilinear", "cubic", "lanczos", "average")


def boxes() -> dict[str, GeoBox]:
    """Tiles of every grid of Mars over or near the rasters, and boxes across 180 degrees and up to the pole."""
    found = {
        "geographic": GeoBox("IAU_2015:49900", (72, 11, 76, 15), 128, 128),
        "across 180": GeoBox("IAU_2015:49900", (170, -15, 190, 15), 64, 96),
        "beyond -180": GeoBox("IAU_2015:49900", (-180, -15, -160, 15), 64, 96),
        "top": GeoBox(MARS, (20 * DEGREE, 75 * DEGREE, 50 * DEGREE, 89 * DEGREE), 96, 96),
        "fine": GeoBox(MARS, (74 * DEGREE, 12 * DEGREE, 74.2 * DEGREE, 12.2 * DEGREE), 64, 64),
    }
    for grid_id in grids.ids("Mars"):
        grid = grids.load(grid_id)
        for lon, lat, zoom in ((75.0, 15.0, 6), (30.0, 85.0, 5)):
            x, y = grid.project(np.array([lon]), np.array([lat]))
            column, row = (
                (x[0] - grid.origin[0]) // grid.cell_size(zoom),
                (grid.origin[1] - y[0]) // grid.cell_size(zoom),
            )
            width, height = grid.matrix_size(zoom)
            if 0 <= column < width and 0 <= row < height:
                found[f"{grid_id} {zoom}"] = grid.geobox(Tile(int(column), int(row), zoom), size=64)
    return found


@pytest.mark.parametrize("name", RASTERS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
async def test_every_grid_and_kernel_gives_what_the_oracle_gives(
    pair: Pair, tmp_path: Path, name: str, dtype: str
) -> None:
    crs, bounds = RASTERS[name]
    data = waves(dtype, size=400, noise=20.0)
    if dtype == "float32":
        data[0, np.random.default_rng(2).random((400, 400)) < 0.02] = -9999
    nodata = -9999 if dtype == "float32" else None
    path = write_raster(tmp_path / "a.tif", data, crs=crs, bounds=bounds, nodata=nodata, overviews=(2, 4))
    turns = itertools.cycle(KERNELS)
    mine = itertools.islice(boxes().values(), int(dtype == "float32"), None, 2)
    for box, smoothing in zip(mine, turns, strict=False):
        for kernel in ("nearest", smoothing):
            compare(*await pair.read(path, box, resampling=kernel, reproject=kernel), kernel=kernel)
    assert pair.fallbacks() == {}


def compare(found: Layer, expected: Layer, *, kernel: str) -> None:
    if kernel != "nearest":
        check_close(found, expected, inner=eroded(expected.mask) if kernel == "average" else None)
        return
    assert (found.mask != expected.mask).mean() <= 1e-4
    both = found.mask & expected.mask
    assert (found.bands != expected.bands)[0, both].sum() <= 1e-4 * both.size


def eroded(mask: np.ndarray) -> np.ndarray:
    """Without the pixels near an edge: there GDAL's average and lanczos do not weigh all valid pixels they touch."""
    square = np.lib.stride_tricks.sliding_window_view(np.pad(mask, 3), (7, 7))
    return np.asarray(square.all(axis=(2, 3)))


UNCOVERED = {
    "WebP": {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "webp", "WEBP_LOSSLESS": True},
    "LERC": {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "lerc"},
    "7 bits": {"tiled": True, "blockxsize": 64, "blockysize": 64, "NBITS": 7},
    "stripes": {},
    "CMYK": {"tiled": True, "blockxsize": 64, "blockysize": 64, "photometric": "CMYK"},
}


@pytest.mark.parametrize("case", UNCOVERED)
async def test_what_is_not_covered_is_read_by_the_fallback_and_counted(pair: Pair, tmp_path: Path, case: str) -> None:
    bands = 3 if case == "WebP" else 4 if case == "CMYK" else 1
    data = waves("uint8", bands=bands) // 2 + 1
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOUNDS, layout=UNCOVERED[case])
    check_same(*await pair.read(path, BOX))
    assert sum(pair.fallbacks().values()) == 1
