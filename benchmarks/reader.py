"""CPU per tile of the fast reader beside the rasterio reader, on one ortho and one DTM, in one interleaved run.

Headers are known and transformers warm, as in a process that has served before; blocks are cold except where said.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import shapely
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from quadmosaic.domain import grids
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.grids import Tile
from quadmosaic.ports import GranuleReader, Layer, ReadOptions
from quadmosaic.reading.fast_reader import MEGABYTE, FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader

CRS = "+proj=eqc +lat_ts=20 +lon_0=180 +R=3396190 +units=m +no_defs"
LEFT, TOP = -5_900_000.0, 1_150_000.0
GRIDS = ("MarsMercatorSphere", "MarsEquidistantCylindricalSphere", "MarsNorthPolarSphere")
TILES = 20
PASSES = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ortho = write(Path(folder) / "ortho.tif", width=6000, height=20000, pixel=6.0, dtype="uint8", predictor=1)
        dtm = write(Path(folder) / "dtm.tif", width=1500, height=5000, pixel=24.0, dtype="float32", predictor=3)
        print(f"{'':<52}{'rasterio':>10}{'fast':>8}{'warm':>8}{'ratio':>8}   CPU ms per tile")
        for path, below in ((ortho, (0, 3)), (dtm, (0, 2))):
            for grid_id in GRIDS:
                for zooms_below in below:
                    for kernel in ("nearest", "bilinear") if zooms_below == 0 else ("nearest",):
                        report(path, grid_id, zooms_below, kernel)


def write(path: Path, *, width: int, height: int, pixel: float, dtype: str, predictor: int) -> Path:
    """A deflated COG-like strip with blocks of 512 and overviews, rough enough to be packed like the real ones."""
    rng = np.random.default_rng(7)
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": 1,
        "dtype": dtype,
        "nodata": 0,
        "crs": pyproj.CRS(CRS).to_wkt(),
        "transform": from_origin(LEFT, TOP, pixel, pixel),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "predictor": predictor,
    }
    columns = np.arange(width) * pixel
    with rasterio.open(path, "w", **profile) as file:
        for top in range(0, height, 2000):
            rows = np.arange(top, min(top + 2000, height)) * pixel
            ground = np.sin(columns / 900)[None] + np.cos(rows / 700)[:, None] + rng.normal(0, 0.05, (len(rows), width))
            values = ground * 40 + 120 if dtype == "uint8" else ground * 200 - 3000
            file.write(values.astype(dtype)[None], window=((top, top + len(rows)), (0, width)))
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4, 8, 16, 32], Resampling.average)
    return path


def report(path: Path, grid_id: str, zooms_below: int, kernel: str) -> None:
    """One line of the table."""
    granule = Granule(id="g", hrefs={"image": str(path)}, footprint=shapely.box(-180, -90, 180, 90))
    slow = RasterioReader(buckets={}, max_reads=2)
    fast = FastReader(slow, buckets={}, block_cache_bytes=1)
    warm = FastReader(slow, buckets={}, block_cache_bytes=512 * MEGABYTE)
    header = asyncio.run(slow.scan(str(path)))
    boxes, zoom = tiles(header, grid_id, zooms_below)
    options = ReadOptions(asset="image", resampling=kernel, reproject=kernel)
    taken: dict[str, list[float]] = {"slow": [], "fast": [], "warm": []}
    for _ in range(PASSES + 1):
        for name, reader in (("slow", slow), ("fast", fast), ("warm", warm)):
            taken[name].append(asyncio.run(cpu_ms(reader, granule, boxes, options, {"g": header})))
    cost = {name: statistics.median(times[1:]) for name, times in taken.items()}
    label = f"{path.stem} {grid_id} z{zoom} {kernel}"
    print(
        f"{label:<52}{cost['slow']:>10.2f}{cost['fast']:>8.2f}{cost['warm']:>8.2f}{cost['slow'] / cost['fast']:>7.1f}x"
        + (f"   fallbacks: {dict(fast.tally.fallbacks)}" if fast.tally.fallbacks else ""),
        flush=True,
    )


def tiles(header: Header, grid_id: str, zooms_below: int) -> tuple[list[GeoBox], int]:
    """Tiles over the raster at the zoom that is as fine as it is, or so many zooms below."""
    rng = np.random.default_rng(3)
    grid = grids.load(grid_id)
    a, _, left, _, e, top = header.transform
    columns, rows = rng.uniform(0.1, 0.9, TILES) * header.width, rng.uniform(0.02, 0.98, TILES) * header.height
    to_grid = pyproj.Transformer.from_crs(header.crs, grid.crs, always_xy=True)
    x, y = to_grid.transform(left + columns * a, top + rows * e)
    x2, y2 = to_grid.transform(left + (columns + 1) * a, top + rows * e)
    zoom = round(np.log2(grid.resolution(0) / np.median(np.hypot(x2 - x, y2 - y)))) - zooms_below
    size = grid.cell_size(zoom)
    return [
        grid.geobox(Tile(int((px - grid.origin[0]) // size), int((grid.origin[1] - py) // size), zoom))
        for px, py in zip(x, y, strict=True)
    ], zoom


async def cpu_ms(
    reader: GranuleReader,
    granule: Granule,
    boxes: Sequence[GeoBox],
    options: ReadOptions,
    headers: Mapping[str, Header],
) -> float:
    """Milliseconds of CPU per tile, over all threads."""
    started = time.process_time()
    for box in boxes:
        async with aclosing(reader.read([granule], box, options, headers=headers)) as answers:
            async for answer in answers:
                assert isinstance(answer, Layer), answer
                assert answer.mask.any()
    return (time.process_time() - started) * 1000 / len(boxes)


if __name__ == "__main__":
    main()
