"""Covering: which cells of a grid footprints touch, in the grid's own projected plane."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from quadmosaic.domain import cells
from quadmosaic.domain.cells import Edges, Extents, Integers
from quadmosaic.domain.errors import TooLarge
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaic import Quadkey
from quadmosaic.domain.projecting import AT_ONCE, TOLERANCE, projected

MAX_CELLS = 5_000_000
"""Entries of an index: granules times the cells of each."""
BATCH = 1_000_000
"""Entries worked on at a time, which bounds memory."""


MAX_CELLS_OF_ONE = 200_000
"""Beyond so many cells of one area, those of the zoom above are looked at first."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells(Mapping[Quadkey, tuple[int, ...]]):
    """Sorted quadkeys, and the members of each as a run of one array: `members[starts[n] : starts[n + 1]]`."""

    quadkeys: Sequence[Quadkey]
    starts: Integers
    members: npt.NDArray[np.int32]

    def __getitem__(self, quadkey: Quadkey) -> tuple[int, ...]:
        place = bisect_left(self.quadkeys, quadkey)
        if place == len(self.quadkeys) or self.quadkeys[place] != quadkey:
            raise KeyError(quadkey)
        return tuple(self.members[self.starts[place] : self.starts[place + 1]].tolist())

    def __iter__(self) -> Iterator[Quadkey]:
        return iter(self.quadkeys)

    def __len__(self) -> int:
        return len(self.quadkeys)


def cover(footprints: Sequence[shapely.Geometry], grid: Grid, zoom: int, *, max_cells: int = MAX_CELLS) -> Cells:
    """The cells that each footprint's area touches: sorted quadkey -> positions of footprints, ascending.

    Contact along a boundary is not touching. A footprint outside the grid is in no cell. Raises TooLarge when the
    index would have more than `max_cells` entries.
    """
    place, position = touching(footprints, grid, zoom, max_cells=max_cells)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    row, column = np.divmod(place[starts], grid.matrix_size(zoom)[0])
    quadkeys = grid.quadkeys(column, row, zoom)
    order = sorted(range(len(quadkeys)), key=quadkeys.__getitem__)
    counts = np.diff(starts, append=len(place))[order]
    ends = np.cumsum(counts)
    moved = np.repeat(starts[order] - (ends - counts), counts) + np.arange(len(place))
    return Cells([quadkeys[at] for at in order], np.concatenate(([0], ends)), position[moved].astype(np.int32))


def touching(
    footprints: Sequence[shapely.Geometry], grid: Grid, zoom: int, *, max_cells: int = MAX_CELLS
) -> tuple[Integers, Integers]:
    """Index entries as places (row * columns + column, ascending) and positions of footprints (ascending in a place).

    Raises TooLarge like `cover`.
    """
    places, positions, guessed, found = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0, 0
    for start in range(0, len(footprints), AT_ONCE):
        plane = projected(footprints[start : start + AT_ONCE], grid, zoom, tolerance=TOLERANCE)
        spans = cells.extents(plane.edges, len(plane.footprint), grid.matrix_size(zoom))
        guesses = cells.estimate(plane.edges, spans)
        guessed += int(guesses.sum())
        if guessed > 2 * max_cells:
            raise _too_large(guessed, zoom, max_cells)
        polygon, column, row = cells.joined(*_batched(plane.edges, spans, guesses))
        place, position = row * grid.matrix_size(zoom)[0] + column, plane.footprint[polygon]
        order = np.lexsort((place, position))
        place, position = place[order], position[order]
        fresh = (np.diff(place, prepend=-1) != 0) | (np.diff(position, prepend=-1) != 0)
        found += int(fresh.sum())
        if found > max_cells:
            raise _too_large(found, zoom, max_cells)
        places.append(place[fresh])
        positions.append(position[fresh] + start)
    place, position = np.concatenate(places), np.concatenate(positions)
    order = np.argsort(place, kind="stable")
    return place[order], position[order]


def cells_touching(
    footprint: shapely.Geometry, grid: Grid, zoom: int, *, max_cells: int
) -> tuple[tuple[Quadkey, ...], int]:
    """Sorted quadkeys of all cells that an area touches, and their zoom.

    The zoom is `zoom`, or, where more than `max_cells` are touched there, the highest at which no more are: prefixes
    of theirs. Never leaves a cell out, but may add one that the area misses by a hair.
    """
    plane = projected([footprint], grid, zoom)
    edges, margin, level, count = plane.edges, plane.bend, zoom, len(plane.footprint)
    spans = cells.extents(edges, count, grid.matrix_size(level), margin=margin)
    while level > 0 and (
        cells.at_least(edges, spans) > max_cells or cells.estimate(edges, spans).sum() > MAX_CELLS_OF_ONE
    ):
        level, edges, margin = level - 1, edges.scaled(0.5), margin / 2
        spans = cells.extents(edges, count, grid.matrix_size(level), margin=margin)
    _, column, row = cells.touched(edges, spans, margin=margin)
    width, _ = grid.matrix_size(level)
    places = np.unique(row * width + column)
    while level > 0 and len(places) > max_cells:
        row, column = np.divmod(places, width)
        level, width = level - 1, width // 2
        places = np.unique((row >> 1) * width + (column >> 1))
    row, column = np.divmod(places, width)
    return tuple(sorted(grid.quadkeys(column, row, level))), level


def _batched(edges: Edges, spans: Extents, guesses: Integers) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Touched cells of runs of polygons that have some BATCH of them together."""
    run = np.cumsum(np.maximum(guesses, 1)) // BATCH
    bounds = [*np.flatnonzero(np.diff(run, prepend=-1)).tolist(), len(run)]
    at = np.searchsorted(edges.owner, bounds).tolist()
    for first, last, start, end in zip(bounds[:-1], bounds[1:], at[:-1], at[1:], strict=True):
        chosen = edges.of(slice(start, end))
        polygon, column, row = cells.touched(
            Edges(chosen.x0, chosen.y0, chosen.x1, chosen.y1, chosen.owner - first), spans.of(slice(first, last))
        )
        yield polygon + first, column, row


def _too_large(count: int, zoom: int, max_cells: int) -> TooLarge:
    return TooLarge(f"about {count} entries at quadkey zoom {zoom}, more than {max_cells}; choose a lower quadkey_zoom")
