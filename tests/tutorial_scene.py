"""The tutorial's COGs, made up: small ones at its ten items' keys, extents, footprints, data types and CRS."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.features import geometry_mask

from quadmosaic.demo.cogs import write_cog
from quadmosaic.demo.strips import Raster, Transform, hillshade
from quadmosaic.demo.terrain import NORTH, RADIUS_M, WEST, Ground, make_ground
from quadmosaic.domain.access import canonical_href

BUCKET = "astrogeo-ard"
ASSETS = ("dtm", "image", "orthoimage")
METRES_PER_DEGREE = RADIUS_M * math.pi / 180
OFFSET_M = 20.0
"""Neighbours in the archive differ by tens of metres, so that the order of granules is visible."""

type Item = Mapping[str, Any]
type Grid2D = npt.NDArray[np.floating]


def write_tutorial_scene(folder: Path, items: Sequence[Item], *, pixel_m: float = 160.0) -> None:
    """Write `folder`/astrogeo-ard/KEY for each asset of each item."""
    ground = make_ground(20211, pixel_km=pixel_m / 1000)
    light = hillshade(ground.height, pixel_m=pixel_m, azimuth=315, elevation=42)
    for number, item in enumerate(items):
        transform, shape = _extent(item, pixel_m)
        inside = ~geometry_mask([_footprint_m(item)], out_shape=shape, transform=Affine(*transform))
        for asset in ASSETS:
            told = item["assets"][asset]["raster:bands"][0]
            pixels = _sampled(_values(asset, ground, light, number), ground, transform, shape).astype(told["data_type"])
            pixels[~inside] = told["nodata"]
            path = asset_file(folder, item, asset)
            path.parent.mkdir(parents=True, exist_ok=True)
            raster = Raster(key=asset, pixels=pixels, transform=transform, nodata=told["nodata"])
            write_cog(path, raster, crs=item["properties"]["proj:wkt2"])


def asset_file(folder: Path, item: Item, asset: str) -> Path:
    """Where an asset lies, as a server of `folder` with the bucket as the first part of the path has it."""
    return folder / canonical_href(item["assets"][asset]["href"], (BUCKET,)).removeprefix("s3://")


def _extent(item: Item, pixel_m: float) -> tuple[Transform, tuple[int, int]]:
    """Affine transform and (height, width): the item's extent in coarser pixels. Its own transform is in GDAL order."""
    left, width_m, _, top, _, height_m = item["properties"]["proj:transform"]
    rows, columns = item["properties"]["proj:shape"]
    shape = (math.ceil(rows * -height_m / pixel_m), math.ceil(columns * width_m / pixel_m))
    return (pixel_m, 0.0, left, 0.0, -pixel_m, top), shape


def _footprint_m(item: Item) -> shapely.Geometry:
    degrees = shapely.geometry.shape(item["geometry"])
    return shapely.transform(degrees, lambda lon_lat: lon_lat * METRES_PER_DEGREE)


def _values(asset: str, ground: Ground, light: Grid2D, number: int) -> Grid2D:
    """What the asset of an item shows of the ground: metres, 1..255, or reflectance."""
    match asset:
        case "dtm":
            return ground.height + np.float32(OFFSET_M * number)
        case "image":
            return 1 + (240 - 4 * number) * light
        case _:
            return ground.albedo * light * np.float32(1 + number / 20)


def _sampled(values: Grid2D, ground: Ground, transform: Transform, shape: tuple[int, int]) -> Grid2D:
    """The values at the pixels' centres, of the edge where the ground ends."""
    side, _, left, _, _, top = transform
    cell_m = ground.pixel_km * 1000
    rows = (NORTH * METRES_PER_DEGREE - top + (np.arange(shape[0]) + 0.5) * side) / cell_m
    columns = (left + (np.arange(shape[1]) + 0.5) * side - WEST * METRES_PER_DEGREE) / cell_m
    height, width = values.shape
    at = np.ix_(np.clip(rows.astype(int), 0, height - 1), np.clip(columns.astype(int), 0, width - 1))
    sampled: Grid2D = values[at]
    return sampled
