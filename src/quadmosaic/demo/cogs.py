"""Writes the scene's rasters as Cloud Optimized GeoTIFFs like those of a real archive."""

from pathlib import Path

import rasterio
from affine import Affine

from quadmosaic.demo.strips import Raster

CRS = "IAU_2015:49910"
BLOCK_SIZE = 512


def write_cog(path: Path, raster: Raster, *, crs: str = CRS) -> int:
    """Write a tiled, compressed GeoTIFF with overviews, in one step as seen from outside; its size in bytes."""
    height, width = raster.pixels.shape
    unfinished = path.with_suffix(".part")
    with rasterio.open(
        unfinished,
        "w",
        driver="COG",
        width=width,
        height=height,
        count=1,
        dtype=raster.pixels.dtype,
        crs=crs,
        transform=Affine(*raster.transform),
        nodata=raster.nodata,
        blocksize=BLOCK_SIZE,
        compress="DEFLATE",
        predictor="YES",
        overview_resampling="AVERAGE",
        num_threads="ALL_CPUS",
    ) as dataset:
        dataset.write(raster.pixels, 1)
    unfinished.replace(path)
    return path.stat().st_size
