"""GDAL's smoothing kernels as taps: which pixels along one axis a position reads, and with which weights."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quadmosaic.reading.numbers import Flags
from quadmosaic.reading.positions import Floats

RADII = {"bilinear": 1, "cubic": 2, "cubic_spline": 2, "lanczos": 3}
"""Pixels on either side of a position that a kernel uses at its plain width."""

ANTIALIAS_FROM = 2.0
"""Image pixels per GeoBox pixel from which a kernel widens to smooth: overviews ran out."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Taps:
    """For each position (row) the `indices` of the pixels it reads, their `weights`, and which are `within` the image.

    Indices outside are moved to the edge, and their weight is 0. All are (position, tap).
    """

    indices: npt.NDArray[np.int64]
    weights: Floats
    within: Flags

    @property
    def counting(self) -> "Taps":
        """The same pixels, each with a weight of one."""
        return Taps(indices=self.indices, weights=self.within.astype(np.float64), within=self.within)


def taps_of(kernel: str, positions: Floats, *, size: int, scale: float) -> Taps:
    """Taps along an axis of `size` pixels; `scale` is pixels per step between positions."""
    widening = scale if scale >= ANTIALIAS_FROM else 1.0
    radius = math.ceil(RADII[kernel] * widening)
    first = np.floor(positions - 0.5)
    steps = np.arange(1 - radius, radius + 1)
    distances = (steps - (positions - 0.5 - first)[:, None]) / widening
    indices = first.astype(np.int64)[:, None] + steps
    within = (indices >= 0) & (indices < size)
    weights = np.where(within, _CURVES[kernel](np.abs(distances)), 0.0)
    return Taps(indices=np.clip(indices, 0, size - 1), weights=weights, within=within)


def area_taps(positions: Floats, *, size: int, scale: float) -> Taps:
    """Taps of an average: the share of each pixel that the step around a position covers."""
    steps = np.diff(positions) if positions.size > 1 else np.array([scale])
    between = (positions[:-1] + positions[1:]) / 2
    edges = np.concatenate([positions[:1] - steps[:1] / 2, between, positions[-1:] + steps[-1:] / 2])
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    count = int(np.ceil((high - low).max())) + 1
    indices = np.floor(low + 1e-10).astype(np.int64)[:, None] + np.arange(count)
    within = (indices >= 0) & (indices < size)
    shares = np.minimum(high[:, None], indices + 1) - np.maximum(low[:, None], indices)
    weights = np.where(within, np.maximum(shares, 0), 0.0)
    return Taps(indices=np.clip(indices, 0, size - 1), weights=weights, within=within)


def _bilinear(x: Floats) -> Floats:
    return np.maximum(1 - x, 0)


def _cubic(x: Floats) -> Floats:
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _cubic_spline(x: Floats) -> Floats:
    near = (0.5 * x - 1) * x * x + 2 / 3
    return np.where(x <= 1, near, np.where(x < 2, (2 - x) ** 3 / 6, 0.0))


def _lanczos(x: Floats) -> Floats:
    return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_CURVES = {"bilinear": _bilinear, "cubic": _cubic, "cubic_spline": _cubic_spline, "lanczos": _lanczos}
