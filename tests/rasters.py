"""Small rasters for tests: any CRS, dtype, nodata, mask, alpha, palette, scale and layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.transform import from_bounds

type Array = npt.NDArray[np.generic]
type Bounds = tuple[float, float, float, float]


def waves(dtype: str, *, bands: int = 1, size: int = 200, noise: float = 3.0) -> Array:
    """Smooth values with some noise, of the lower half of a dtype's range and none of them 0."""
    rows, columns = np.mgrid[:size, :size]
    rng = np.random.default_rng(5)
    ground = np.stack([(np.sin(columns / 17 + band) + np.cos(rows / 23 - band) + 2) / 4 for band in range(bands)])
    if dtype.startswith("float"):
        return (ground * 1000 - 500 + rng.normal(0, noise, ground.shape)).astype(dtype)
    highest = {"int8": 100, "uint8": 200}.get(dtype, 20000)
    return (ground * highest + 1 + rng.integers(0, int(noise) + 1, ground.shape)).astype(dtype)


def write_raster(
    path: Path,
    bands: Array,
    *,
    crs: str | None,
    bounds: Bounds | None = None,
    transform: Affine | None = None,
    nodata: float | None = None,
    mask: Array | None = None,
    external_mask: bool = False,
    alpha: Array | None = None,
    palette: Mapping[int, tuple[int, int, int, int]] | None = None,
    scales: Sequence[float] = (),
    offsets: Sequence[float] = (),
    descriptions: Sequence[str] = (),
    overviews: Sequence[int] = (),
    external_overviews: bool = False,
    overview_resampling: str = "nearest",
    layout: Mapping[str, str | int | bool] | None = None,
) -> Path:
    """Write (band, height, width) as a GeoTIFF, tiled in blocks of 64 unless `layout` (creation options) differs."""
    data = bands if alpha is None else np.concatenate([bands, alpha[None].astype(bands.dtype)])
    count, height, width = data.shape
    place = transform if bounds is None else from_bounds(*bounds, width, height)
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": count,
        "dtype": data.dtype.name,
        "nodata": nodata,
        **({} if crs is None else {"crs": pyproj.CRS(crs).to_wkt()}),
        **({} if place is None else {"transform": place}),
        **(
            layout if layout is not None else {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
        ),
    }
    if alpha is not None:
        profile |= {"photometric": "RGB" if len(bands) == 3 else "MINISBLACK", "alpha": "YES"}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=not external_mask):
        with rasterio.open(path, "w", **profile) as file:
            file.write(data)
            if palette is not None:
                file.write_colormap(1, dict(palette))
            if mask is not None:
                file.write_mask(mask.astype(np.uint8) * 255)
            if scales:
                file.scales = tuple(scales)
            if offsets:
                file.offsets = tuple(offsets)
            for index, description in enumerate(descriptions, start=1):
                file.set_band_description(index, description)
        if overviews:
            with rasterio.Env(TIFF_USE_OVR=external_overviews), rasterio.open(path, "r+") as file:
                file.build_overviews(list(overviews), Resampling[overview_resampling])
    return path


def write_degrees(path: Path, *, crs: str, bounds: Bounds, size: tuple[int, int], south_up: bool = False) -> Path:
    """A raster of (width, height) that says where it is: band 1 is longitude (-180..180), band 2 latitude."""
    width, height = size
    minx, miny, maxx, maxy = bounds
    ordered = (minx, maxy, maxx, miny) if south_up else bounds
    transform = from_bounds(*ordered, width, height)
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = transform @ (columns, rows)
    lon, lat = pyproj.Transformer.from_crs(crs, pyproj.CRS(crs).geodetic_crs, always_xy=True).transform(x, y)
    known = np.isfinite(lon) & np.isfinite(lat)
    degrees = np.where(known, [(np.where(known, lon, 0.0) + 180) % 360 - 180, lat], -9999.0)
    return write_raster(path, degrees, crs=crs, transform=transform, nodata=-9999.0)


def ramp(height: int, width: int, *, dtype: str = "uint16", bands: int = 1) -> Array:
    """(band, height, width) in which every value below the dtype's largest occurs once: 1, 2, 3, ..."""
    return (np.arange(bands * height * width).reshape(bands, height, width) + 1).astype(dtype)


def ground_distance(first: tuple[Array, Array], second: tuple[Array, Array]) -> npt.NDArray[np.float64]:
    """Degrees of arc between (lon, lat) points."""
    (lon1, lat1), (lon2, lat2) = (np.radians(np.asarray(pair, np.float64)) for pair in (first, second))
    chord = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(chord, 0, 1))))
