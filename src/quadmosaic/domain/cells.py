"""Unit cells that polygons touch: outlines are cut at the grid lines, insides are filled between their crossings.

All is in cell units: x to the right, y down, and cell (c, r) spans c..c+1 by r..r+1. Contact along an edge or at a
corner is not touching. A polygon may touch itself: only its winding and the parity of its crossings matter.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from quadmosaic.domain.rings import Floats

type Integers = npt.NDArray[np.int64]

CONTACT = 1e-8
"""Cells; an overlap narrower than this is contact, or rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Directed edges with the inside on the same side of each, and the polygon each belongs to (ascending)."""

    x0: Floats
    y0: Floats
    x1: Floats
    y1: Floats
    owner: Integers

    def of(self, chosen: npt.NDArray[np.bool_] | slice) -> "Edges":
        return Edges(self.x0[chosen], self.y0[chosen], self.x1[chosen], self.y1[chosen], self.owner[chosen])

    def each(self, polygons: Integers) -> "Edges":
        """The edges of these polygons, which may repeat; they belong to 0, 1, 2 and so on now."""
        starts = np.searchsorted(self.owner, polygons)
        counts = np.searchsorted(self.owner, polygons, side="right") - starts
        owner, place = _ragged(counts)
        edge = starts[owner] + place
        return Edges(self.x0[edge], self.y0[edge], self.x1[edge], self.y1[edge], owner)

    def divided(self, pieces: Floats) -> "Edges":
        """Each edge in so many equal pieces."""
        if pieces.max(initial=1.0) == 1.0:
            return self
        each, place = _ragged(np.maximum(pieces, 1).astype(np.int64))
        x0, y0, dx, dy = self.x0[each], self.y0[each], (self.x1 - self.x0)[each], (self.y1 - self.y0)[each]
        begin, end = place / pieces[each], (place + 1) / pieces[each]
        last = place + 1 == pieces[each]
        return Edges(
            x0 + begin * dx,
            y0 + begin * dy,
            np.where(last, self.x1[each], x0 + end * dx),
            np.where(last, self.y1[each], y0 + end * dy),
            self.owner[each],
        )

    def grown(self, margin: float) -> "Edges":
        """Each edge moved outwards and lengthened at both ends; no longer closed rings."""
        dx, dy = self.x1 - self.x0, self.y1 - self.y0
        length = np.maximum(np.hypot(dx, dy), 1e-12)
        dx, dy = dx / length * margin, dy / length * margin
        return Edges(self.x0 + dy - dx, self.y0 - dx - dy, self.x1 + dy + dx, self.y1 - dx + dy, self.owner)

    def scaled(self, factor: float) -> "Edges":
        return Edges(self.x0 * factor, self.y0 * factor, self.x1 * factor, self.y1 * factor, self.owner)


@dataclass(frozen=True, slots=True, eq=False)
class Extents:
    """The cells spanned by each polygon, within the grid: `left` to `right` and `top` to `bottom`, ends excluded.

    `partial` is true of polygons that reach beyond the grid.
    """

    left: Integers
    top: Integers
    right: Integers
    bottom: Integers
    partial: npt.NDArray[np.bool_]

    def of(self, chosen: slice) -> "Extents":
        return Extents(
            self.left[chosen], self.top[chosen], self.right[chosen], self.bottom[chosen], self.partial[chosen]
        )

    @property
    def count(self) -> Integers:
        across, down = self.right - self.left, self.bottom - self.top
        return np.where((across > 0) & (down > 0), across * down, 0)


def extents(edges: Edges, polygons: int, size: tuple[int, int], *, margin: float = 0.0) -> Extents:
    """Of each of `polygons` polygons, grown by a margin, on a grid of `size` (columns, rows)."""
    margin -= CONTACT
    width, height = size
    low_x, low_y, high_x, high_y = (np.full(polygons, fill) for fill in (np.inf, np.inf, -np.inf, -np.inf))
    if len(edges.owner):
        starts = np.flatnonzero(np.append(True, np.diff(edges.owner) != 0))
        present = edges.owner[starts]
        low_x[present], low_y[present] = np.minimum.reduceat(edges.x0, starts), np.minimum.reduceat(edges.y0, starts)
        high_x[present], high_y[present] = np.maximum.reduceat(edges.x0, starts), np.maximum.reduceat(edges.y0, starts)
    left, top = np.floor(low_x - margin), np.floor(low_y - margin)
    right, bottom = np.ceil(high_x + margin), np.ceil(high_y + margin)
    return Extents(
        np.clip(left, 0, width).astype(np.int64),
        np.clip(top, 0, height).astype(np.int64),
        np.clip(right, 0, width).astype(np.int64),
        np.clip(bottom, 0, height).astype(np.int64),
        (left < 0) | (top < 0) | (right > width) | (bottom > height),
    )


def estimate(edges: Edges, spans: Extents) -> Integers:
    """About how many cells each polygon touches: the mean over all places that a convex one could have."""
    count = spans.count
    turns = edges.x0 * edges.y1 - edges.x1 * edges.y0
    lengths = np.abs(edges.x1 - edges.x0) + np.abs(edges.y1 - edges.y0)
    area = np.abs(np.bincount(edges.owner, turns, minlength=len(count))) / 2
    perimeter = np.bincount(edges.owner, lengths, minlength=len(count))
    return np.minimum(count, np.ceil(area + perimeter / 2 + 1).astype(np.int64))


def at_least(edges: Edges, spans: Extents) -> int:
    """A number of different cells that the polygons touch together at the least."""
    turns = edges.x0 * edges.y1 - edges.x1 * edges.y0
    area = np.abs(np.bincount(edges.owner, turns, minlength=len(spans.left))) / 2
    across = np.maximum(spans.right - spans.left, spans.bottom - spans.top)
    return int(np.max(np.where(spans.partial, 0.0, np.maximum(area, across)), initial=0.0))


def touched(edges: Edges, spans: Extents, *, margin: float = 0.0) -> tuple[Integers, Integers, Integers]:
    """Polygon, column and row of every cell touched, or touched once grown by a margin (far less than a cell)."""
    thin = (np.minimum(spans.right - spans.left, spans.bottom - spans.top) == 1) & ~spans.partial
    found = [_spanned(np.flatnonzero(thin), spans)]
    thick = ~thin & (spans.count > 0)
    outlines = edges.of(thick[edges.owner])
    if len(outlines.owner):
        fringe = [_crossed(outlines.grown(margin), spans)] if margin > 0.0 else []
        found.append(_unique(joined(_crossed(outlines, spans), _filled(outlines, spans), *fringe), spans))
    return joined(*found)


def _spanned(polygons: Integers, spans: Extents) -> tuple[Integers, Integers, Integers]:
    """All cells of polygons that span a single row or column: being connected, they touch each of them."""
    across = (spans.right - spans.left)[polygons]
    each, place = _ragged(across * (spans.bottom - spans.top)[polygons])
    owner = polygons[each]
    row, column = np.divmod(place, across[each])
    return owner, spans.left[owner] + column, spans.top[owner] + row


def _crossed(edges: Edges, spans: Extents) -> tuple[Integers, Integers, Integers]:
    """Cells that the outlines run through, on their inner side."""
    pieces = _cut(_turned(_cut(_turned(_near(edges, spans)))))
    dx, dy = pieces.x1 - pieces.x0, pieces.y1 - pieces.y0
    length = np.hypot(dx, dy)
    pieces, dx, dy, length = pieces.of(length > CONTACT), *(values[length > CONTACT] for values in (dx, dy, length))
    inward = CONTACT / length
    column = np.floor((pieces.x0 + pieces.x1) / 2 - dy * inward).astype(np.int64)
    row = np.floor((pieces.y0 + pieces.y1) / 2 + dx * inward).astype(np.int64)
    owner = pieces.owner
    inside = (column >= spans.left[owner]) & (column < spans.right[owner])
    inside &= (row >= spans.top[owner]) & (row < spans.bottom[owner])
    return owner[inside], column[inside], row[inside]


def _near(edges: Edges, spans: Extents) -> Edges:
    """Without the edges of partial polygons that pass their extents by."""
    if not spans.partial.any():
        return edges
    owner = edges.owner
    beside = (np.maximum(edges.x0, edges.x1) < spans.left[owner]) | (
        np.minimum(edges.x0, edges.x1) > spans.right[owner]
    )
    beside |= np.maximum(edges.y0, edges.y1) < spans.top[owner]
    beside |= np.minimum(edges.y0, edges.y1) > spans.bottom[owner]
    return edges.of(~beside)


def _turned(edges: Edges) -> Edges:
    """With x and y exchanged."""
    return Edges(edges.y0, edges.x0, edges.y1, edges.x1, edges.owner)


def _cut(edges: Edges) -> Edges:
    """Edges cut wherever y crosses a whole number."""
    y0, y1 = edges.y0, edges.y1
    down = y1 > y0
    first = np.where(down, np.floor(y0) + 1, np.ceil(y0) - 1)
    crossings = np.where(down, np.ceil(y1) - first, first - np.floor(y1))
    each, place = _ragged(np.maximum(crossings, 0).astype(np.int64) + 1)
    if len(each) == len(y0):
        return edges
    x0, x1, y0, y1 = edges.x0[each], edges.x1[each], y0[each], y1[each]
    line = first[each] + np.where(down[each], place, -place)
    last = np.append(each[1:] != each[:-1], True)
    with np.errstate(divide="ignore", invalid="ignore"):
        end_x = np.where(last, x1, x0 + (x1 - x0) * ((line - y0) / (y1 - y0)))
    end_y = np.where(last, y1, line)
    begins = place == 0
    start_x = np.where(begins, x0, np.roll(end_x, 1))
    start_y = np.where(begins, y0, np.roll(end_y, 1))
    return Edges(start_x, start_y, end_x, end_y, edges.owner[each])


def _filled(edges: Edges, spans: Extents) -> tuple[Integers, Integers, Integers]:
    """Cells whose centres lie inside; polygons less than three cells high and wide have none but on their edges."""
    large = spans.partial | ((spans.right - spans.left >= 3) & (spans.bottom - spans.top >= 3))
    edges = edges.of(large[edges.owner])
    low = np.maximum(np.ceil(np.minimum(edges.y0, edges.y1) - 0.5), spans.top[edges.owner]).astype(np.int64)
    high = np.minimum(np.ceil(np.maximum(edges.y0, edges.y1) - 0.5), spans.bottom[edges.owner]).astype(np.int64)
    each, place = _ragged(np.maximum(high - low, 0))
    if not len(each):
        return each, each, each
    row = low[each] + place
    slope = (edges.x1 - edges.x0)[each] / (edges.y1 - edges.y0)[each]
    x = edges.x0[each] + (row + 0.5 - edges.y0[each]) * slope
    owner = edges.owner[each]
    order = np.lexsort((x, row, owner))
    owner, row, x = owner[order], row[order], x[order]
    enter, leave = x[0::2], x[1::2]
    owner, row = owner[0::2], row[0::2]
    start = np.clip(np.ceil(enter - 0.5), spans.left[owner], spans.right[owner]).astype(np.int64)
    end = np.clip(np.ceil(leave - 0.5), spans.left[owner], spans.right[owner]).astype(np.int64)
    each, place = _ragged(np.maximum(end - start, 0))
    return owner[each], start[each] + place, row[each]


def _unique(found: tuple[Integers, Integers, Integers], spans: Extents) -> tuple[Integers, Integers, Integers]:
    """Each cell of each polygon once."""
    owner, column, row = found
    before = np.cumsum(spans.count) - spans.count
    across = np.maximum(spans.right - spans.left, 1)
    keys = np.sort(before[owner] + (row - spans.top[owner]) * across[owner] + column - spans.left[owner])
    keys = keys[np.diff(keys, prepend=-1) != 0]
    owner = np.searchsorted(before, keys, side="right") - 1
    row, column = np.divmod(keys - before[owner], across[owner])
    return owner, spans.left[owner] + column, spans.top[owner] + row


def joined(*found: tuple[Integers, Integers, Integers]) -> tuple[Integers, Integers, Integers]:
    """Several finds as one."""
    nothing = (np.empty(0, dtype=np.int64),) * 3
    owner, column, row = (np.concatenate(values) for values in zip(nothing, *found, strict=True))
    return owner, column, row


def _ragged(counts: Integers) -> tuple[Integers, Integers]:
    """For counts like (2, 0, 3): the positions 0 0 2 2 2 and the places 0 1 0 1 2."""
    each = np.repeat(np.arange(len(counts)), counts)
    return each, np.arange(len(each)) - np.repeat(np.cumsum(counts) - counts, counts)


def edges_of(polygons: npt.NDArray[np.object_]) -> Edges:
    """The edges of an array of Polygons in cell units, shells and holes wound the same way."""
    rings, owner = shapely.get_rings(shapely.orient_polygons(polygons), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    along = ring[1:] == ring[:-1]
    (x0, y0), (x1, y1) = points[:-1][along].T, points[1:][along].T
    return Edges(x0, y0, x1, y1, owner[ring[:-1][along]].astype(np.int64))
