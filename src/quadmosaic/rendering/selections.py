"""Pixel selections: what many granules' values at one pixel become, taken in one layer after the other.

They are rio-tiler's, by the same names and with the same values. All but the median need no more memory for many
layers than for two.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from quadmosaic.domain.errors import Invalid, TooLarge

type Bands = npt.NDArray[np.generic]
type Flags = npt.NDArray[np.bool_]
type Floats = npt.NDArray[np.float64]

MEDIAN_BYTES = 256 << 20
"""Pixels that a median may hold: a thousand tiles of 256 x 256 floats."""

_STRIP_BYTES = 1 << 20


class Merger(Protocol):
    """Takes bands (band, height, width) with where they are valid: of the same shape, or (1, height, width)."""

    @property
    def done(self) -> bool:
        """Whether nothing that follows can change the result."""
        ...

    def feed(self, bands: Bands, valid: Flags) -> None:
        """Take the next layer, which stays as it is."""
        ...

    def result(self) -> tuple[Bands, Flags] | None:
        """What was made of them; None of none."""
        ...


@dataclass(kw_only=True)
class First:
    """The first valid value of each pixel."""

    _merged: tuple[Bands, Flags] | None = field(init=False, default=None)

    @property
    def done(self) -> bool:
        return self._merged is not None and bool(self._merged[1].all())

    def feed(self, bands: Bands, valid: Flags) -> None:
        """Fill the pixels that are not valid yet; values take the type that holds all."""
        if self._merged is None:
            self._merged = bands, valid
        else:
            before, filled = self._merged
            self._merged = np.where(valid & ~filled, bands, before), filled | valid

    def result(self) -> tuple[Bands, Flags] | None:
        return self._merged


@dataclass(kw_only=True)
class Extreme:
    """The value that is `better` than those before it; with `by_last`, the last band decides and is left out."""

    name: str
    better: Callable[[Bands, Bands], Flags]
    by_last: bool = False
    done: bool = field(init=False, default=False)
    _merged: tuple[Bands, Flags] | None = field(init=False, default=None)

    def feed(self, bands: Bands, valid: Flags) -> None:
        """Raises Invalid (field "pixel_selection") where there is no band beside the last one."""
        if self.by_last and len(bands) < 2:
            raise Invalid(
                f"{self.name} goes by the last band and leaves it out, so it needs two bands or more; ask for them by "
                "bidx, or use highest or lowest",
                field="pixel_selection",
            )
        if self._merged is None:
            self._merged = bands, valid
            return
        before, filled = self._merged
        decides = self.better(bands, before)
        if self.by_last:
            decides = valid[-1:] & (~filled[-1:] | decides[-1:])
        self._merged = np.where(valid & (~filled | decides), bands, before), filled | valid

    def result(self) -> tuple[Bands, Flags] | None:
        if self._merged is None or not self.by_last:
            return self._merged
        bands, valid = self._merged
        return bands[:-1], valid if len(valid) == 1 else valid[:-1]


@dataclass(kw_only=True)
class Mean:
    """The mean of the valid values, cut to the type of the first layer."""

    done: bool = field(init=False, default=False)
    _total: Floats | None = field(init=False, default=None)
    _count: npt.NDArray[np.int32] = field(init=False)
    _dtype: np.dtype[np.generic] = field(init=False)

    def feed(self, bands: Bands, valid: Flags) -> None:
        if self._total is None:
            self._total, self._count = np.zeros(bands.shape), np.zeros(valid.shape, np.int32)
            self._dtype = bands.dtype
        self._total += np.where(valid, bands, 0)
        self._count = self._count + valid

    def result(self) -> tuple[Bands, Flags] | None:
        if self._total is None:
            return None
        return (self._total / np.maximum(self._count, 1)).astype(self._dtype), self._count > 0


@dataclass(kw_only=True)
class Deviation:
    """The standard deviation of the valid values, by Welford's running sums, as 64-bit floats."""

    done: bool = field(init=False, default=False)
    _mean: Floats | None = field(init=False, default=None)
    _squares: Floats = field(init=False)
    _count: npt.NDArray[np.int32] = field(init=False)

    def feed(self, bands: Bands, valid: Flags) -> None:
        if self._mean is None:
            self._mean, self._squares = np.zeros(bands.shape), np.zeros(bands.shape)
            self._count = np.zeros(valid.shape, np.int32)
        self._count = self._count + valid
        values = np.where(valid, bands, self._mean).astype(np.float64)
        off = values - self._mean
        self._mean += off / np.maximum(self._count, 1)
        self._squares += off * (values - self._mean)

    def result(self) -> tuple[Bands, Flags] | None:
        if self._mean is None:
            return None
        return np.sqrt(self._squares / np.maximum(self._count, 1)), self._count > 0


@dataclass(kw_only=True)
class Median:
    """The median of the valid values, or the mean of the middle two, cut to the type of the first layer.

    It holds what it was fed, up to `max_bytes`, and sorts strip by strip.
    """

    max_bytes: int = MEDIAN_BYTES
    done: bool = field(init=False, default=False)
    _layers: list[tuple[Bands, Flags]] = field(init=False, default_factory=list)
    _held: int = field(init=False, default=0)

    def feed(self, bands: Bands, valid: Flags) -> None:
        """Layers without a valid pixel are not held, but for the first. Raises TooLarge."""
        if self._layers and not valid.any():
            return
        self._held += bands.nbytes + valid.nbytes
        if self._held > self.max_bytes:
            raise TooLarge(
                f"pixel_selection: a median of so many granules needs more than {self.max_bytes >> 20} MB; "
                "ask for a smaller image, or use mean"
            )
        self._layers.append((bands, valid))

    def result(self) -> tuple[Bands, Flags] | None:
        if not self._layers:
            return None
        first = self._layers[0][0]
        planes = max(len(valid) for _, valid in self._layers)
        merged, filled = np.empty_like(first), np.empty((planes, *first.shape[1:]), np.bool_)
        row = max(1, sum(bands[:, 0].nbytes for bands, _ in self._layers))
        step = max(1, _STRIP_BYTES // row)
        for top in range(0, first.shape[1], step):
            rows = slice(top, top + step)
            merged[:, rows], filled[:, rows] = _medians(
                np.stack([bands[:, rows] for bands, _ in self._layers]),
                np.stack([np.broadcast_to(valid, (planes, *valid.shape[1:]))[:, rows] for _, valid in self._layers]),
            )
        return merged, filled


def _medians(bands: Bands, valid: Flags) -> tuple[Floats, Flags]:
    """Of (layer, band, row, column), both, the second with one band for all or as many."""
    floating = np.issubdtype(bands.dtype, np.floating)
    last = np.inf if floating else np.iinfo(bands.dtype).max  # type: ignore[type-var]
    ordered = np.sort(np.where(valid, bands, bands.dtype.type(last)), axis=0)
    count = valid.sum(axis=0)
    low, high = (
        np.take_along_axis(ordered, np.broadcast_to(np.maximum(at, 0), ordered.shape[1:])[np.newaxis], axis=0)[0]
        for at in ((count - 1) // 2, count // 2 - (count == 0))
    )
    return (low.astype(np.float64) + high) / 2, count > 0


@dataclass(kw_only=True)
class Count:
    """How many values of the first band are valid: bytes for fewer than 256 layers, and valid everywhere."""

    done: bool = field(init=False, default=False)
    _layers: int = field(init=False, default=0)
    _count: npt.NDArray[np.int64] | None = field(init=False, default=None)

    def feed(self, bands: Bands, valid: Flags) -> None:  # noqa: ARG002 - only what is valid counts
        self._layers += 1
        self._count = valid[:1].astype(np.int64) if self._count is None else self._count + valid[:1]

    def result(self) -> tuple[Bands, Flags] | None:
        if self._count is None:
            return None
        counts = self._count.astype(np.uint8 if self._layers < 256 else np.int64)
        return counts, np.ones(self._count.shape, np.bool_)


_MERGERS: dict[str, Callable[[], Merger]] = {
    "first": First,
    "highest": lambda: Extreme(name="highest", better=np.greater),
    "lowest": lambda: Extreme(name="lowest", better=np.less),
    "mean": Mean,
    "median": Median,
    "stdev": Deviation,
    "lastbandlow": lambda: Extreme(name="lastbandlow", better=np.less, by_last=True),
    "lastbandhigh": lambda: Extreme(name="lastbandhigh", better=np.greater, by_last=True),
    "count": Count,
}
PIXEL_SELECTIONS = tuple(_MERGERS)
BY_LAST_BAND = frozenset({"lastbandlow", "lastbandhigh"})
"""Selections that give a band less than the granules have."""


def merger(name: str) -> Merger:
    """A fresh merger of a pixel selection. Raises Invalid (field "pixel_selection")."""
    if name not in _MERGERS:
        raise Invalid(f"{name!r} is none of {', '.join(PIXEL_SELECTIONS)}", field="pixel_selection")
    return _MERGERS[name]()
