"""GDAL's smoothing kernels as taps: which pixels along one axis a position reads, and with which weights."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from quadmosaic.reading.numbers import Flags
from quadmosaic.reading.positions import Floats

RADII = {"bilinear": 1, "cubic": 2, "cubic_spline": 2, "lanczos": 3}
"""Pixels on either side of a position that a kernel uses at its plain width."""

ANTIALIAS_FROM = 2.0
"""Image pixels per GeoBox pixel from which a kernel widens to smooth: overviews ran out."""

_SHORTEST = float(np.finfo(np.float64).tiny)
"""Keeps a pixel that spans nothing from being divided by 0."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Taps:
    """For each position the `indices` of the pixels it reads, their `weights`, and which are `within` the image.

    Indices outside are moved to the edge, and their weight is 0. All are (tap, position); `inside` says which positions
    read no pixel outside.
    """

    indices: npt.NDArray[np.int64]
    weights: Floats
    within: Flags
    inside: Flags

    @property
    def counting(self) -> "Taps":
        """The same pixels, each with a weight of one."""
        return replace(self, weights=self.within.astype(np.float64))

    @property
    def total(self) -> Floats:
        """The sum of each position's weights."""
        return np.asarray(self.weights.sum(axis=0))

    @property
    def reach(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The first pixel that each position reads, and the one behind the last."""
        return self.indices[0], self.indices[-1] + 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Axis:
    """Positions along one axis of an image; an average needs the `ends` (low, high) of the stretch around each."""

    positions: Floats
    ends: tuple[Floats, Floats] | None = None

    def take(self, at: slice | npt.NDArray[np.int64]) -> "Axis":
        """Some of the positions."""
        ends = None if self.ends is None else (self.ends[0][at], self.ends[1][at])
        return Axis(positions=self.positions[at], ends=ends)

    def taps(self, kernel: str, *, size: int, scale: float) -> Taps:
        """What a kernel reads along an axis of `size` pixels; `scale` is pixels per GeoBox pixel."""
        return (
            taps_of(kernel, self.positions, size=size, scale=scale)
            if self.ends is None
            else area_taps(*self.ends, size=size)
        )


def taps_of(kernel: str, positions: Floats, *, size: int, scale: float) -> Taps:
    """Taps along an axis of `size` pixels; `scale` is pixels per step between positions."""
    widening = scale if scale >= ANTIALIAS_FROM else 1.0
    radius = math.ceil(RADII[kernel] * widening)
    first = np.floor(positions - 0.5)
    steps = np.arange(1 - radius, radius + 1)[:, None]
    beyond = positions - 0.5 - first
    if widening == 1.0 and kernel in _AT_ONCE:
        weights = np.stack(_AT_ONCE[kernel](beyond))
    else:
        weights = _CURVES[kernel](np.abs(steps - beyond) / widening)
    return _within(first.astype(np.int64) + steps, weights, size)


def area_taps(low: Floats, high: Floats, *, size: int) -> Taps:
    """Taps of an average: what part of the way from `low` to `high` each pixel takes."""
    way = high - low
    count = int(np.ceil(way.max())) + 1
    indices = np.floor(low + 1e-10).astype(np.int64) + np.arange(count)[:, None]
    shares = np.minimum(high, indices + 1) - np.maximum(low, indices)
    return _within(indices, np.maximum(shares, 0) / np.maximum(way, _SHORTEST), size)


def _within(indices: npt.NDArray[np.int64], weights: Floats, size: int) -> Taps:
    """Taps without what lies outside; `indices` ascend by one from tap to tap."""
    if indices[0].min() >= 0 and indices[-1].max() < size:
        everywhere = np.broadcast_to(np.True_, indices.shape)
        return Taps(indices=indices, weights=weights, within=everywhere, inside=everywhere[0])
    within = (indices >= 0) & (indices < size)
    return Taps(
        indices=np.clip(indices, 0, size - 1),
        weights=np.where(within, weights, 0.0),
        within=within,
        inside=within[0] & within[-1],
    )


def steps_around(positions: Floats, *, scale: float) -> tuple[Floats, Floats]:
    """Lower and upper ends of the steps around positions along one axis; `scale` is that of a single one."""
    steps = np.diff(positions) if positions.size > 1 else np.array([scale])
    between = (positions[:-1] + positions[1:]) / 2
    edges = np.concatenate([positions[:1] - steps[:1] / 2, between, positions[-1:] + steps[-1:] / 2])
    return np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])


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


def _bilinear_at_once(t: Floats) -> tuple[Floats, ...]:
    return 1 - t, t


def _cubic_at_once(t: Floats) -> tuple[Floats, ...]:
    u = 1 - t
    return -0.5 * t * u * u, (1.5 * t - 2.5) * t * t + 1, (1.5 * u - 2.5) * u * u + 1, -0.5 * u * t * t


def _lanczos_at_once(t: Floats) -> tuple[Floats, ...]:
    """By the sines of sums, so that three sines serve six taps."""
    full, third_sine, third_cosine = np.sin(np.pi * t), np.sin(np.pi * t / 3), np.cos(np.pi * t / 3)
    weights = []
    for tap in range(-2, 4):
        away = t - tap
        third = third_sine * math.cos(math.pi * tap / 3) - third_cosine * math.sin(math.pi * tap / 3)
        scaled = math.pi**2 / 3 * (-1) ** tap * away * away
        is_hit = np.abs(away) < 1e-9
        weights.append(np.where(is_hit, 1.0, full * third / np.where(is_hit, 1.0, scaled)))
    return tuple(weights)


_AT_ONCE = {"bilinear": _bilinear_at_once, "cubic": _cubic_at_once, "lanczos": _lanczos_at_once}
"""All taps at the plain width, for positions so far beyond the middle of a pixel: several times as fast as curves."""

_CURVES = {"bilinear": _bilinear, "cubic": _cubic, "cubic_spline": _cubic_spline, "lanczos": _lanczos}
