"""GDAL's smoothing kernels, applied to a window that was read already, where GDAL can find its pixels."""

import warnings
from functools import lru_cache

import numpy as np
import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import reproject

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.reading.kernels import ANTIALIAS_FROM
from quadmosaic.reading.numbers import Bands, Flags
from quadmosaic.reading.positions import crs_of, geographic_of, transformer

OPAQUE = 100
"""What a valid pixel has in the alpha band of a warp: a number that every dtype holds."""


def blend(
    bands: Bands,
    valid: Flags,
    *,
    crs: str,
    transform: Affine,
    geobox: GeoBox,
    kernel: str,
    scale: tuple[float, float],
) -> tuple[Bands, Flags]:
    """Warp (band, height, width) into the GeoBox; the second array is True where a kernel met a valid pixel.

    The CRSs are some that GDAL knows (`warp_crs`). `scale` is columns and rows of `bands` per GeoBox pixel. Below 2 the
    kernel has its plain width, so that readers which choose an overview first agree; from 2 on, where overviews ran
    out, it widens to smooth.
    """
    crss = warp_crs(crs, geobox.crs)
    assert crss is not None
    alike = bool((valid == valid[0]).all())
    groups = [slice(None)] if alike else [slice(i, i + 1) for i in range(len(bands))]
    warped = np.zeros((len(bands), geobox.height, geobox.width), bands.dtype)
    known = np.zeros(warped.shape, np.bool_)
    for group in groups:
        alpha = np.where(valid[group][:1], OPAQUE, 0).astype(bands.dtype)
        source = np.concatenate([np.where(valid[group], bands[group], 0).astype(bands.dtype), alpha])
        target = np.zeros((len(source), geobox.height, geobox.width), bands.dtype)
        reproject(
            source,
            target,
            src_transform=transform,
            src_crs=crss[0],
            dst_transform=from_bounds(*geobox.bounds, geobox.width, geobox.height),
            dst_crs=crss[1],
            src_alpha=len(source),
            dst_alpha=len(source),
            resampling=Resampling[kernel],
            tolerance=0,
            src_alpha_max=OPAQUE,
            dst_alpha_max=OPAQUE,
            xscale=_kernel_scale(scale[0]),
            yscale=_kernel_scale(scale[1]),
        )
        warped[group], known[group] = target[:-1], target[-1] > 0
    return warped, known


def _kernel_scale(scale: float) -> float:
    return 1.0 if scale < ANTIALIAS_FROM else 1 / scale


@lru_cache(maxsize=256)
def warp_crs(source: str, target: str) -> tuple[CRS, CRS] | None:
    """Both CRSs for GDAL, None where it does not find the same coordinates: ocentric latitudes are beyond it.

    They are bare PROJ strings where those do, since GDAL looks named planetary CRSs up in PROJ's database for every
    warp, which takes longer than the warp.
    """
    bare_source, bare_target = _bare(source), _bare(target)
    if bare_source and bare_target and _same_between(bare_source, bare_target, source, target):
        return CRS.from_string(bare_source), CRS.from_string(bare_target)
    if _is_ocentric(source) or _is_ocentric(target):
        return None
    return CRS.from_wkt(crs_of(source).to_wkt()), CRS.from_wkt(crs_of(target).to_wkt())


def _bare(text: str) -> str | None:
    if _is_ocentric(text):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        proj4 = crs_of(text).to_proj4()
    return proj4 if crs_of(text).ellipsoid is not None and "+R=" in proj4 else None


def _is_ocentric(text: str) -> bool:
    """Whether latitudes are angles at the middle of an ellipsoid, which PROJ strings cannot say."""
    geographic = crs_of(text).geodetic_crs
    system = None if geographic is None else geographic.coordinate_system
    return system is not None and system.name == "spherical"


def _same_between(bare_source: str, bare_target: str, source: str, target: str) -> bool:
    """Whether both pairs of CRSs agree on points all over the body."""
    lon, lat = np.meshgrid(np.linspace(-175, 175, 15), np.linspace(-85, 85, 11))
    x, y = transformer(geographic_of(source), source).transform(lon, lat, errcheck=False)
    known = np.isfinite(x) & np.isfinite(y)
    wanted = transformer(source, target).transform(x[known], y[known], errcheck=False)
    plain = pyproj.Transformer.from_crs(bare_source, bare_target, always_xy=True)
    found = plain.transform(x[known], y[known], errcheck=False)
    return bool(known.any() and np.allclose(wanted, found, rtol=1e-9, atol=1e-6))
