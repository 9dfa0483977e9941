"""Smoothing: kernels over a window that was decoded already, with GDAL's rules for pixels that are not valid.

A kernel weighs valid pixels only. Cubic at its plain width becomes bilinear where one of its 16 pixels is missing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quadmosaic.reading.kernels import ANTIALIAS_FROM, RADII, Axis, Taps, steps_around
from quadmosaic.reading.levels import NEAREST
from quadmosaic.reading.numbers import Bands, Flags
from quadmosaic.reading.parts import Indices, Part

AVERAGE = "average"
FAST_KERNELS = frozenset({NEAREST, AVERAGE, *RADII})
"""The kernels that are known here."""

type Floating = npt.NDArray[np.floating]
type Array = npt.NDArray[Any]

_LEAST_WEIGHT = 1e-5
_REACH = 4
"""Pixels around a position that the widest kernel uses, at its plain width."""

_PIECE = 1 << 14
"""Single positions that are weighed together, so that what is worked on stays in the processor's cache."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Smooth:
    """Values (band, row, column) or (band, pixel), and where a kernel met enough valid pixels to know them."""

    values: Bands
    known: Flags


def margin(kernel: str, scale: tuple[float, float]) -> int:
    """Pixels around a position that a kernel may need; `scale` is image columns and rows per GeoBox pixel."""
    return 0 if kernel == NEAREST else math.ceil(_REACH * max(1.0, *scale))


def smooth(
    bands: Bands, valid: Flags, part: Part, kernel: str, scale: tuple[float, float], *, wanted: Flags | None = None
) -> Smooth:
    """Apply a kernel at a part's positions to its window; `bands` and `valid` are (band, height, width).

    Where `wanted`, (band, ...) like the values, is False the answer may be anything.
    """
    weighing = _Weighing(bands=bands, valid=valid, kernel=kernel, scale=scale)
    across, down = _axes(part, kernel, scale)
    if part.mesh:
        values, complete = weighing.by_axes(across, down)
    else:
        values, complete = weighing.one_by_one(across, down)
    known = np.broadcast_to(complete, values.shape)
    if not complete.all():
        asked = ~complete if wanted is None else ~complete & wanted.any(axis=0)
        known = known.copy()
        _mend(values, known, np.flatnonzero(asked), weighing, (across, down), mesh=part.mesh)
    return Smooth(values=_cast(values, bands.dtype), known=known)


def _axes(part: Part, kernel: str, scale: tuple[float, float]) -> tuple[Axis, Axis]:
    left, top, _, _ = part.window
    columns, rows = part.columns - left, part.rows - top
    if kernel != AVERAGE:
        return Axis(positions=columns), Axis(positions=rows)
    if part.spans is None:
        ends = [steps_around(at, scale=of) for at, of in zip((columns, rows), scale, strict=True)]
    else:
        ends = [(at - span / 2, at + span / 2) for at, span in zip((columns, rows), part.spans, strict=True)]
    return Axis(positions=columns, ends=ends[0]), Axis(positions=rows, ends=ends[1])


def _mend(
    values: Floating, known: Flags, at: Indices, weighing: "_Weighing", axes: tuple[Axis, Axis], *, mesh: bool
) -> None:
    """Weigh again where pixels are missing; `at` counts the flat pixels of `values` and `known`, which are changed."""
    flat_values, flat_known = values.reshape(len(values), -1), known.reshape(len(known), -1)
    width = values.shape[-1]
    for start in range(0, at.size, _PIECE):
        piece = at[start : start + _PIECE]
        columns, rows = (piece % width, piece // width) if mesh else (piece, piece)
        flat_values[:, piece], flat_known[:, piece] = weighing.mended(axes[0].take(columns), axes[1].take(rows))


class _Weighing:
    """A window, and a kernel to weigh it with."""

    def __init__(self, *, bands: Bands, valid: Flags, kernel: str, scale: tuple[float, float]) -> None:
        working = np.float32 if bands.dtype.itemsize <= 2 or bands.dtype == np.float32 else np.float64
        self._working: type[np.floating] = working
        self._valid = valid
        self._gaps = None if valid.all() else _summed(~valid.all(axis=0))
        self._pixels: Array = bands if self._gaps is None else np.where(valid, bands, bands.dtype.type(0))
        self._kernel = kernel
        self._scale = scale

    def by_axes(self, across: Axis, down: Axis) -> tuple[Floating, Flags]:
        """Values as if all were valid, and where all are, at every column of `across` in every row of `down`."""
        columns, rows = self._taps(across, down, self._kernel)
        along = _total(self._pixels.take(i, axis=1) * w[:, None] for i, w in self._each(rows))
        values = _total(along.take(i, axis=2) * w for i, w in self._each(columns))
        self._level(values, columns.total, rows.total[:, None])
        inside = rows.inside[:, None] & columns.inside
        if self._gaps is None:
            return values, inside
        (left, right), (top, bottom) = columns.reach, rows.reach
        sums = self._gaps[:, right] - self._gaps[:, left]
        return values, inside & (sums[bottom] == sums[top])

    def one_by_one(self, across: Axis, down: Axis) -> tuple[Floating, Flags]:
        """The same at single positions."""
        values = np.empty((len(self._pixels), across.positions.size), self._working)
        complete = np.empty(across.positions.size, np.bool_)
        for start in range(0, complete.size, _PIECE):
            at = slice(start, start + _PIECE)
            columns, rows = self._taps(across.take(at), down.take(at), self._kernel)
            values[:, at] = self._gathered(self._pixels, columns, rows)
            self._level(values[:, at], columns.total, rows.total)
            complete[at] = columns.inside & rows.inside
            if self._gaps is not None:
                (left, right), (top, bottom) = columns.reach, rows.reach
                gaps = self._gaps
                complete[at] &= gaps[bottom, right] + gaps[top, left] == gaps[top, right] + gaps[bottom, left]
        return values, complete

    def mended(self, across: Axis, down: Axis) -> tuple[Floating, Flags]:
        """Values by what is valid around single positions, and where that is enough; both (band, pixel)."""
        values, weight, complete = self._by_valid(across, down, self._kernel)
        if self._kernel == "cubic" and max(self._scale) < ANTIALIAS_FROM:
            plainer, least, _ = self._by_valid(across, down, "bilinear")
            values, weight = np.where(complete, values, plainer), np.where(complete, 1, least)
        return values, np.broadcast_to(weight > _LEAST_WEIGHT, values.shape)

    def _by_valid(self, across: Axis, down: Axis, kernel: str) -> tuple[Floating, Floating, Flags]:
        """Values, the weight of the valid pixels behind them, and where no pixel of the kernel is missing."""
        columns, rows = self._taps(across, down, kernel)
        alike = bool((self._valid == self._valid[:1]).all())
        share = self._valid[:1] if alike else self._valid
        weight = self._gathered(share, columns, rows)
        present = self._gathered(share, columns.counting, rows.counting)
        complete = present > len(columns.weights) * len(rows.weights) - 0.5
        enough = weight > _LEAST_WEIGHT
        values = self._gathered(self._pixels, columns, rows)
        return np.where(enough, values / np.where(enough, weight, 1), 0), weight, complete

    def _taps(self, across: Axis, down: Axis, kernel: str) -> tuple[Taps, Taps]:
        _, height, width = self._pixels.shape
        return (
            across.taps(kernel, size=width, scale=self._scale[0]),
            down.taps(kernel, size=height, scale=self._scale[1]),
        )

    def _gathered(self, pixels: Array, across: Taps, down: Taps) -> Floating:
        """Weighted sums at single positions, not normalised."""
        flat, width = pixels.reshape(len(pixels), -1), pixels.shape[2]
        columns = list(self._each(across))
        return _total(
            _total(flat.take(row * width + i, axis=1) * w for i, w in columns) * weight
            for row, weight in self._each(down)
        )

    def _each(self, taps: Taps) -> Iterator[tuple[Indices, Floating]]:
        return zip(taps.indices, taps.weights.astype(self._working), strict=True)

    def _level(self, values: Floating, across: Array, down: Array) -> None:
        """Divide by the sum of weights, which is 1 for kernels at their plain width."""
        if self._kernel in ("lanczos", AVERAGE) or max(self._scale) >= ANTIALIAS_FROM:
            total = (across * down).astype(self._working)
            values /= np.where(total > _LEAST_WEIGHT, total, 1)


def _summed(flags: Flags) -> Indices:
    """Sums of all flags above and to the left: one more row and column than the flags have."""
    sums = np.zeros((flags.shape[0] + 1, flags.shape[1] + 1), np.int64)
    np.cumsum(flags, axis=0, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    return sums


def _total(terms: Iterator[Floating]) -> Floating:
    total = next(terms)
    for term in terms:
        total += term
    return total


def _cast(values: Floating, dtype: np.dtype[np.generic]) -> Bands:
    """Whole numbers are rounded and kept within the dtype."""
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    highest = np.nextafter(values.dtype.type(limits.max), 0) if dtype.itemsize == 8 else limits.max
    return np.clip(np.floor(values + 0.5), limits.min, highest).astype(dtype)
