"""Smoothing: kernels over a window that was decoded already, with GDAL's rules for pixels that are not valid.

A kernel weighs valid pixels only. Cubic at its plain width becomes bilinear where one of its 16 pixels is missing.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from quadmosaic.reading.kernels import ANTIALIAS_FROM, RADII, Taps, area_taps, taps_of
from quadmosaic.reading.levels import NEAREST
from quadmosaic.reading.numbers import Bands, Flags
from quadmosaic.reading.parts import Part

AVERAGE = "average"
FAST_KERNELS = frozenset({NEAREST, AVERAGE, *RADII})
"""The kernels that are known here."""

type Floating = npt.NDArray[np.floating]
type Array = npt.NDArray[Any]

_LEAST_WEIGHT = 1e-5
_REACH = 4
"""Pixels around a position that the widest kernel uses, at its plain width."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Smooth:
    """Values (band, row, column) or (band, pixel), and where a kernel met enough valid pixels to know them."""

    values: Bands
    known: Flags


def margin(kernel: str, scale: tuple[float, float]) -> int:
    """Pixels around a position that a kernel may need; `scale` is image pixels per GeoBox pixel along x and y."""
    return 0 if kernel == NEAREST else math.ceil(_REACH * max(1.0, *scale))


def smooth(bands: Bands, valid: Flags, part: Part, kernel: str, scale: tuple[float, float]) -> Smooth:
    """Apply a kernel at a part's positions to its window; `bands` and `valid` are (band, height, width)."""
    wanted = _Weighing(bands=bands, valid=valid, part=part, scale=scale)
    values, weight, complete = wanted.apply(kernel)
    if kernel == "cubic" and max(scale) < ANTIALIAS_FROM and not complete.all():
        plainer, weight, _ = wanted.apply("bilinear")
        values = np.where(complete, values, plainer)
        weight = np.where(complete, 1, weight)
    return Smooth(values=_cast(values, bands.dtype), known=np.broadcast_to(weight > _LEAST_WEIGHT, values.shape))


class _Weighing:
    """A window and the positions to weigh it at."""

    def __init__(self, *, bands: Bands, valid: Flags, part: Part, scale: tuple[float, float]) -> None:
        working = np.float32 if bands.dtype.itemsize <= 2 or bands.dtype == np.float32 else np.float64
        self._working: type[np.floating] = working
        self._is_whole = bool(valid.all())
        self._filled: Floating = (bands if self._is_whole else np.where(valid, bands, 0)).astype(working)
        alike = bool((valid == valid[:1]).all())
        self._share: Floating = (valid[:1] if alike else valid).astype(working)
        self._part = part
        self._scale = scale

    def apply(self, kernel: str) -> tuple[Floating, Floating, Flags]:
        """Values, the weight of the valid pixels behind them, and where no pixel of the kernel was missing."""
        across, down = self._taps(kernel)
        values = self._convolve(self._filled, across, down)
        if self._is_whole:
            weight = self._product(across.weights.sum(axis=1), down.weights.sum(axis=1)).astype(self._working)
            complete = self._product(across.within.all(axis=1), down.within.all(axis=1))
        else:
            weight = self._convolve(self._share, across, down)
            present = self._convolve(self._share, across.counting, down.counting)
            complete = present > across.weights.shape[1] * down.weights.shape[1] - 0.5
        enough = weight > _LEAST_WEIGHT
        return np.where(enough, values / np.where(enough, weight, 1), 0), weight, complete

    def _taps(self, kernel: str) -> tuple[Taps, Taps]:
        left, top, right, bottom = self._part.window
        make = area_taps if kernel == AVERAGE else partial(taps_of, kernel)
        return (
            make(self._part.columns - left, size=right - left, scale=self._scale[0]),
            make(self._part.rows - top, size=bottom - top, scale=self._scale[1]),
        )

    def _product(self, across: Array, down: Array) -> Array:
        return down[:, None] * across if self._part.mesh else down * across

    def _convolve(self, pixels: Floating, across: Taps, down: Taps) -> Floating:
        """Weighted sums, not normalised."""
        columns, rows = across.weights.astype(self._working), down.weights.astype(self._working)
        if self._part.mesh:
            along = _total(pixels.take(across.indices[:, k], axis=2) * columns[:, k] for k in range(columns.shape[1]))
            return _total(along.take(down.indices[:, k], axis=1) * rows[:, k, None] for k in range(rows.shape[1]))
        flat = pixels.reshape(len(pixels), -1)
        taps = itertools.product(range(rows.shape[1]), range(columns.shape[1]))
        return _total(
            flat.take(down.indices[:, j] * pixels.shape[2] + across.indices[:, k], axis=1)
            * (rows[:, j] * columns[:, k])
            for j, k in taps
        )


def _total(terms: Iterator[Floating]) -> Floating:
    total = next(terms)
    for term in terms:
        total += term
    return total


def _cast(values: Floating, dtype: np.dtype[np.generic]) -> Bands:
    """Whole numbers are rounded and kept within the dtype."""
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    highest = np.nextafter(values.dtype.type(limits.max), 0) if dtype.itemsize == 8 else limits.max
    return np.clip(np.floor(values + 0.5), limits.min, highest).astype(dtype)
