"""Milliseconds and bytes of encoding a tile, as it is done and as it could be, on terrain made by the demo.

uv run python benchmarks/encoders.py
"""

import io
import statistics
import time
from collections.abc import Callable, Iterator

import imagecodecs
import numpy as np
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds

from quadmosaic.demo.fields import fractal
from quadmosaic.demo.strips import hillshade
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.rendering.encode import ImageFormat, encode
from quadmosaic.rendering.merge import Image

MARS = "IAU_2015:49910"
PASSES = 15


def main() -> None:
    print(f"{'':<44}{'ms':>9}{'bytes':>10}")
    for size in (256, 512):
        for name, image in images(size):
            for label, work in ways(image, size):
                taken, count = measured(work)
                print(f"{f'{size} {name}: {label}':<44}{taken:>9.2f}{count:>10}", flush=True)


def images(size: int) -> Iterator[tuple[str, Image]]:
    """A hillshade, a picture in colour and heights with a wedge of nodata."""
    rng = np.random.default_rng(3)
    ground = fractal(rng, (size, size), pixel_km=0.02, slope=2.4, longest_km=4) * np.float32(150)
    shade = hillshade(ground, pixel_m=20, azimuth=300, elevation=35) * 254 + 1 + rng.normal(0, 1, ground.shape)
    mask = np.add.outer(np.arange(size), 2 * np.arange(size)) > size // 2
    gray = np.clip(shade, 1, 255).astype(np.uint8)
    color = np.stack(
        [gray, np.clip(shade * 0.8, 1, 255).astype(np.uint8), np.clip(shade * 0.6, 1, 255).astype(np.uint8)]
    )
    yield "1 byte", Image(bands=np.where(mask, gray, 0)[None], valid=mask[None])
    yield "3 bytes", Image(bands=np.where(mask, color, 0).astype(np.uint8), valid=mask[None])
    heights = np.where(mask, ground - 2500, -32767).astype(np.float32)
    yield "float32", Image(bands=heights[None], valid=mask[None], nodata=-32767.0)


def ways(image: Image, size: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """How a format is written here, and others."""
    box = GeoBox(MARS, (4.5e6, 1e6, 4.5e6 + size * 20, 1e6 + size * 20), size, size)
    for each in ImageFormat:
        if each.is_view and image.bands.dtype != np.uint8:
            continue
        yield (
            f"{each} (ours)",
            lambda each=each: encode(image, each, geobox=box, with_mask=each is not ImageFormat.JPEG),
        )
    if image.bands.dtype == np.uint8:
        yield from _other_views(image)
    yield from _other_tiffs(image, box)


def _other_views(image: Image) -> Iterator[tuple[str, Callable[[], bytes]]]:
    alpha = np.where(image.mask, 255, 0).astype(np.uint8)
    full = np.ascontiguousarray(np.moveaxis(np.concatenate([image.bands, alpha[None]]), 0, -1))
    plain = np.ascontiguousarray(np.moveaxis(image.bands, 0, -1)).squeeze()
    color = full if len(image.bands) == 3 else np.ascontiguousarray(full[..., [0, 0, 0, 1]])
    for level in (1, 6):
        yield f"png, libpng level {level}", lambda level=level: bytes(imagecodecs.png_encode(full, level=level))
    yield "png, GDAL", lambda: _by_gdal("PNG", np.concatenate([image.bands, alpha[None]]))
    for level in (60, 75, 85, 95):
        yield f"jpg, quality {level}", lambda level=level: bytes(imagecodecs.jpeg8_encode(plain, level=level))
    yield "jpg, GDAL", lambda: _by_gdal("JPEG", image.bands)
    for method in (0, 2, 4):
        yield (
            f"webp, quality 75, method {method}",
            lambda method=method: bytes(imagecodecs.webp_encode(color, level=75, lossless=False, method=method)),
        )
    for method in (0, 1, 4):
        yield (
            f"webp, lossless, method {method}",
            lambda method=method: bytes(imagecodecs.webp_encode(color, level=0, lossless=True, method=method)),
        )


def _by_gdal(driver: str, bands: np.ndarray) -> bytes:
    with MemoryFile() as memory:
        count, height, width = bands.shape
        with memory.open(driver=driver, count=count, height=height, width=width, dtype=bands.dtype) as file:
            file.write(bands)
        return bytes(memory.read())


def _other_tiffs(image: Image, box: GeoBox) -> Iterator[tuple[str, Callable[[], bytes]]]:
    predictor = 3 if image.bands.dtype == np.float32 else 2
    options = {
        "deflate 6": {"compress": "deflate"},
        f"deflate 6, predictor {predictor}": {"compress": "deflate", "predictor": predictor},
        f"deflate 1, predictor {predictor}": {"compress": "deflate", "predictor": predictor, "zlevel": 1},
        f"zstd 1, predictor {predictor}": {"compress": "zstd", "predictor": predictor, "zstd_level": 1},
        f"lzw, predictor {predictor}": {"compress": "lzw", "predictor": predictor},
        "uncompressed": {},
    }
    crs = rasterio.crs.CRS.from_user_input(box.crs)
    for name, creation in options.items():
        yield f"tif, GDAL, {name}", lambda creation=creation: _tiff(image, box, crs, creation)
    yield "npy, numpy", lambda: _npy(image)


def _tiff(image: Image, box: GeoBox, crs: rasterio.crs.CRS, creation: dict[str, object]) -> bytes:
    count, height, width = image.bands.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=count, height=height, width=width, dtype=image.bands.dtype, crs=crs,
            transform=from_bounds(*box.bounds, width, height), nodata=image.nodata, **creation,
        ) as file:  # fmt: skip
            file.write(image.bands)
        return bytes(memory.read())


def _npy(image: Image) -> bytes:
    with io.BytesIO() as memory:
        np.save(memory, image.bands)
        return memory.getvalue()


def measured(work: Callable[[], bytes]) -> tuple[float, int]:
    """Median milliseconds of CPU, and bytes."""
    count = len(work())
    taken = []
    for _ in range(PASSES):
        started = time.process_time_ns()
        work()
        taken.append((time.process_time_ns() - started) / 1e6)
    return statistics.median(taken), count


if __name__ == "__main__":
    main()
