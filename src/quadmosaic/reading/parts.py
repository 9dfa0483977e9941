"""The pixels of a GeoBox that one side of a raster serves, and the window of an image that they need."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from quadmosaic.domain.granules import Level
from quadmosaic.reading.numbers import Bands, Flags
from quadmosaic.reading.placement import Placement
from quadmosaic.reading.positions import Floats, covered, nearest

type Window = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of an image."""

type Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Pixels of a GeoBox, and where they are in an image.

    `columns` and `rows` are positions in the image. Where `mesh`, they are those of the GeoBox's columns `across` and
    rows `down`; else of single pixels, whose numbers in the flat GeoBox are `across`. `spans` are the columns and rows
    of the image that each of them covers, where that was asked for and it is no mesh.
    """

    columns: Floats
    rows: Floats
    across: Indices
    down: Indices
    mesh: bool
    image: tuple[int, int]
    window: Window
    spans: tuple[Floats, Floats] | None = None

    @cached_property
    def indices(self) -> tuple[Indices, Indices]:
        """Columns and rows of the nearest pixels, counted from the window's corner."""
        width, height = self.image
        left, top, _, _ = self.window
        return nearest(self.columns, size=width) - left, nearest(self.rows, size=height) - top

    @property
    def area(self) -> int:
        left, top, right, bottom = self.window
        return (right - left) * (bottom - top)

    def put(self, values: Bands | Flags, target: Bands | Flags) -> None:
        """Write values, (band, row, column) or (band, pixel), into `target`, (band, height, width)."""
        if not self.mesh:
            pixels = target.reshape(len(target), -1)
            pixels[:, slice(None) if self.across.size == pixels.shape[1] else self.across] = values
            return
        rows, columns = slice(self.down[0], self.down[-1] + 1), slice(self.across[0], self.across[-1] + 1)
        if values.shape[1:] == target[0, rows, columns].shape:
            target[:, rows, columns] = values
        else:
            target[:, self.down[:, None], self.across] = values


def parts_of(
    placement: Placement, level: Level, *, full: tuple[int, int], margin: int, with_spans: bool = False
) -> Iterator[Part]:
    """One part for each turn around the body that was taken; `margin` pixels around each position are needed."""
    wide, high = level.width / full[0], level.height / full[1]
    every = placement.inside
    for turn in np.unique(placement.turns).tolist() if placement.turns.any() else [0]:
        served = placement.turns == turn
        if placement.separable:
            across = np.flatnonzero(every.any(axis=0) & served[0])
            down = np.flatnonzero(every.any(axis=1))
            columns, rows = placement.columns[0, across], placement.rows[down, 0]
        else:
            across = down = np.flatnonzero(every & served)
            columns, rows = (
                np.broadcast_to(positions, every.shape).ravel()[slice(None) if across.size == every.size else across]
                for positions in (placement.columns, placement.rows)
            )
        if across.size and down.size:
            spans = None
            if with_spans and not placement.separable:
                spans = (
                    covered(placement.columns, most=placement.spread[0]).ravel()[across] * wide,
                    covered(placement.rows, most=placement.spread[1]).ravel()[across] * high,
                )
            columns, rows = columns * wide, rows * high
            yield Part(
                columns=columns,
                rows=rows,
                across=across,
                down=down,
                mesh=placement.separable,
                image=(level.width, level.height),
                window=_window(columns, rows, level, margin),
                spans=spans,
            )


def _window(columns: Floats, rows: Floats, level: Level, margin: int) -> Window:
    left, right = nearest(np.array([columns.min(), columns.max()]), size=level.width).tolist()
    top, bottom = nearest(np.array([rows.min(), rows.max()]), size=level.height).tolist()
    return (
        max(left - margin, 0),
        max(top - margin, 0),
        min(right + margin + 1, level.width),
        min(bottom + margin + 1, level.height),
    )
