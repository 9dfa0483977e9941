"""Which overview to read and with which kernel: the choices that every reader must make alike."""

import math
from collections.abc import Sequence

from quadmosaic.domain.errors import Invalid
from quadmosaic.ports import ReadOptions

NEAREST = "nearest"
KERNELS = frozenset(
    {"nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode"}
    | {"max", "min", "med", "q1", "q3", "sum", "rms"}
)
"""The resampling names that can be used, as in rasterio."""

_ROUNDING = 1.01

MAX_WINDOW_PIXELS = 1 << 24
MAX_WINDOW_BYTES = 1 << 27
"""Larger windows are read thinned out: only rasters without overviews come to this."""


def check_kernels(options: ReadOptions) -> None:
    """Raise Invalid (field "resampling" or "reproject") for a name that nothing has."""
    for field, name in (("resampling", options.resampling), ("reproject", options.reproject)):
        if name not in KERNELS:
            raise Invalid(f"{name!r} is not one of {', '.join(sorted(KERNELS))}", field=field)


def choose_level(widths: Sequence[float], scale: float) -> int:
    """Position in `widths` (finest first) of the coarsest image that is still as fine as wanted.

    `scale` is full-resolution pixels per wanted pixel. An overview of an odd width is a little less than half as wide,
    so its reduction counts with one per cent of grace.
    """
    reductions = [widths[0] / width for width in widths]
    return max(i for i, reduction in enumerate(reductions) if i == 0 or reduction <= scale * _ROUNDING)


def thinning(area: int, *, pixel_bytes: int) -> int:
    """Each how manyth column and row of a window is read, so that it fits into memory; 1 where all are."""
    return max(1, math.ceil(math.sqrt(area / min(MAX_WINDOW_PIXELS, MAX_WINDOW_BYTES // pixel_bytes))))


def choose_kernel(options: ReadOptions, *, same_crs: bool, palette: bool) -> str:
    """The one kernel of a read. Between CRSs a `reproject` that smooths wins over `resampling`; indices never blend."""
    if palette:
        return NEAREST
    if same_crs or options.reproject == NEAREST:
        return options.resampling
    return options.reproject
