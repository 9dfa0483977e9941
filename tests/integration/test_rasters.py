"""Every real raster of the shared catalog: read like GDAL's exact nearest reads it, or refused with a clear reason.

Run with -s for the table.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import pytest
import rasterio
import shapely
from rasterio.transform import from_bounds
from rasterio.warp import reproject

from quadmosaic.domain import bodies, grids
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.grids import Tile
from quadmosaic.ports import Layer, ReadFailure, ReadOptions
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader

pytestmark = [
    pytest.mark.data,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore::rasterio.errors.NodataShadowWarning"),
]

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "rasters"
NAMES = sorted(
    str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.tif*") if path.suffix in (".tif", ".tiff")
) or ["absent"]

TOLERANCE = 0.0001
"""Share of pixels that may differ: a position within 1e-6 of a pixel's edge may fall to either side of it."""

REFUSED = {"slc.tif": "complex", "cog_gcps_ovr.tif": "ground control points"}
DAMAGED = {"corrupt.tif"}
WITHOUT_PIXELS = {"all-nodata.tif", "test_esri_wkt.tif"}
"""Files that a tile may rightly be empty of: one has no data, the other is smaller than a pixel two zooms lower."""


@dataclass(frozen=True, kw_only=True)
class Exact:
    """One image of a file (full resolution or an overview), warped by GDAL without approximation."""

    bands: npt.NDArray[np.generic]
    mask: npt.NDArray[np.bool_]
    reduction: float


def exact(path: Path, level: int, box: GeoBox, indexes: list[int]) -> Exact:
    """GDAL's exact nearest of the full band and of its mask, from one level (-1: full resolution)."""
    options = {} if level < 0 else {"OVERVIEW_LEVEL": level}
    with rasterio.open(path) as full, rasterio.open(path, **options) as image:
        place = {
            "src_transform": full.transform
            @ full.transform.scale(full.width / image.width, full.height / image.height),
            "src_crs": full.crs,
            "dst_transform": from_bounds(*box.bounds, box.width, box.height),
            "dst_crs": rasterio.crs.CRS.from_user_input(box.crs),
            "tolerance": 0,
        }
        values = image.read(indexes)
        valid = (image.read_masks(indexes) > 0).any(axis=0)
        if np.issubdtype(values.dtype, np.floating):
            valid &= ~np.isnan(values).all(axis=0)
        bands = np.zeros((len(indexes), box.height, box.width), values.dtype)
        mask = np.zeros((box.height, box.width), np.uint8)
        for source, target in [*zip(values, bands, strict=True), (valid.astype(np.uint8), mask)]:
            reproject(source, target, **place)
        return Exact(bands=bands, mask=mask > 0, reduction=full.width / image.width)


def tile_over_data(path: Path, *, zooms_lower: int) -> tuple[GeoBox, Tile, int]:
    """A tile of the body's map over a valid pixel near the middle, near native zoom; the number of overviews."""
    with rasterio.open(path) as dataset:
        rows, columns = np.nonzero(dataset.read_masks(1))
        target = 0.45 * dataset.height, 0.4 * dataset.width
        best = np.argmin(np.hypot(rows - target[0], columns - target[1])) if rows.size else None
        row, column = target if best is None else (rows[best], columns[best])
        x, y = dataset.transform @ (np.array([column, column + 1]) + 0.5, np.array([row, row]) + 0.5)
        crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt(version="WKT2_2019"))
        overviews = len(dataset.overviews(1))
    body = bodies.body_of(crs)
    assert body is not None
    grid = grids.load(grids.default_map_grid(body))
    gx, gy = pyproj.Transformer.from_crs(crs, grid.crs, always_xy=True).transform(x, y)
    native = round(np.log2(grid.resolution(0) / np.hypot(*np.diff([gx, gy])).item()))
    zoom = min(max(native - zooms_lower, 0), grid.maxzoom)
    left, top = grid.origin
    tile = Tile(int((gx[0] - left) // grid.cell_size(zoom)), int((top - gy[0]) // grid.cell_size(zoom)), zoom)
    return grid.geobox(tile, size=128), tile, overviews


def differing(layer: Layer, oracle: Exact) -> float:
    """Share of pixels whose mask differs, or whose value differs where both are valid."""
    both = layer.mask & oracle.mask
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        same = (layer.bands == oracle.bands) | ((layer.bands != layer.bands) & (oracle.bands != oracle.bands))
    return float(((layer.mask != oracle.mask) | (both & ~same.all(axis=0))).mean())


@dataclass(kw_only=True)
class Readers:
    """The rasterio reader, and the fast one on top of it."""

    rasterio: RasterioReader
    fast: FastReader

    async def read(self, name: str, path: Path, box: GeoBox, bidx: tuple[int, ...] = (1,)) -> Layer | ReadFailure:
        granule = Granule(id=path.name, hrefs={"image": str(path)}, footprint=shapely.box(0, 0, 1, 1))
        reader = self.fast if name == "fast" else self.rasterio
        stream = reader.read([granule], box, ReadOptions(asset="image", bidx=bidx))
        (answer,) = [answer async for answer in stream]
        return answer

    @property
    def way(self) -> str:
        """How the fast reader read."""
        return ", ".join(self.fast.tally.fallbacks) or ("fast" if self.fast.tally.fast else "not at all")


@pytest.fixture
def readers() -> Iterator[Readers]:
    rasterio_reader = RasterioReader(buckets={})
    readers = Readers(rasterio=rasterio_reader, fast=FastReader(rasterio_reader, buckets={}))
    yield readers
    readers.fast.close()
    readers.rasterio.close()


@pytest.mark.usefixtures("shared_data")
@pytest.mark.parametrize("name", [name for name in NAMES if Path(name).name not in {*REFUSED, *DAMAGED}])
async def test_a_real_raster_is_read_as_gdal_reads_it(name: str, readers: Readers) -> None:
    path = FOLDER / name
    header = await readers.rasterio.scan(str(path))
    indexes = tuple(range(1, min(header.bands, 3) + 1))
    for zooms_lower in (0, 2):
        box, tile, overviews = tile_over_data(path, zooms_lower=zooms_lower)
        oracles = [exact(path, level, box, list(indexes)) for level in range(-1, overviews)]
        for reader in ("rasterio", "fast"):
            layer = await readers.read(reader, path, box, indexes)
            assert isinstance(layer, Layer), layer
            shares = [differing(layer, oracle) for oracle in oracles]
            best, share = oracles[int(np.argmin(shares))], min(shares)
            print(
                f"\n{name:75} {tile.z:2}/{tile.x}/{tile.y} overview 1:{best.reduction:.2f} "
                f"valid {layer.mask.mean():7.2%} differing {share:.5%} {readers.way if reader == 'fast' else reader}",
                end="",
            )
            assert share <= TOLERANCE
            assert layer.bands.dtype == best.bands.dtype
            assert layer.mask.any() or path.name in WITHOUT_PIXELS


@pytest.mark.parametrize("name", [name for name in NAMES if Path(name).name in REFUSED])
async def test_a_real_raster_that_has_no_place_or_no_numbers_is_refused(
    name: str, shared_data: Path, readers: Readers
) -> None:
    path = shared_data / "rasters" / name
    with pytest.raises(Invalid, match=REFUSED[path.name]) as error:
        await readers.fast.scan(str(path))
    for reader in ("rasterio", "fast"):
        answer = await readers.read(reader, path, GeoBox("EPSG:3857", (0, 0, 1, 1), 8, 8))
        assert answer == ReadFailure(answer.granule, error.value.message)
    print(f"\n{name:75} refused: {error.value.message}")


@pytest.mark.parametrize("name", [name for name in NAMES if Path(name).name in DAMAGED])
async def test_a_damaged_raster_fails_where_it_is_damaged_and_only_there(
    name: str, shared_data: Path, readers: Readers
) -> None:
    path = shared_data / "rasters" / name
    with rasterio.open(path) as dataset:
        box = GeoBox(dataset.crs.to_wkt(), tuple(dataset.bounds), dataset.width, dataset.height)
    for reader in ("rasterio", "fast"):
        whole = await readers.read(reader, path, box)
        assert isinstance(whole, ReadFailure)
        assert "damaged" in whole.reason
        small = await readers.read(reader, path, GeoBox(box.crs, box.bounds, 64, 64))
        assert isinstance(small, Layer)
        assert small.mask.all()
    print(f"\n{name:75} full resolution: {whole.reason}; its overviews are sound")
