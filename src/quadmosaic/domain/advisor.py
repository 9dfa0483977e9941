"""The advisor: which quadkey zoom suits an index, what look-ups meet weighed against how often granules are listed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from quadmosaic.domain import cells
from quadmosaic.domain.cells import Edges, Extents, Integers
from quadmosaic.domain.covering import MAX_CELLS
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.projecting import Projected, projected

COPY_COST = 0.5
"""What one more cell per granule costs, in granules met in vain by a look-up.

Any value from 0.3 to 0.7 advises zoom 9 for ten CTX strips; copies make documents, builds and rebuilds grow, granules
met in vain make each tile read more from the store.
"""
AVERAGE_HREF_BYTES = 190
COARSER, FINER = 4, 3
"""Zooms tried on either side of the one whose cells are as large as a footprint."""
SAMPLE = 150_000
"""Entries counted at each zoom; beyond, in an even selection of places."""

ROUGHLY = 1e-5
"""Share of a root cell that an edge may be off: enough to count by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ZoomAdvice:
    """One row of the table: what an index at `zoom` would be like."""

    zoom: int
    cells: int
    entries: int
    median: float
    p95: float
    maximum: int
    single_share: float
    """Share of cells with one granule."""
    met: float
    """Granules that a look-up meets on average, where granules lie."""
    copies: float
    """Cells that a granule is listed in, on average."""
    document_bytes: int
    """Size of the MosaicJSON document."""
    sampled: bool
    """Whether the counts were taken in a selection of places."""

    @property
    def cost(self) -> float:
        return self.met + COPY_COST * self.copies


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """The recommended zoom, why, and the table behind it; `outside` counts footprints that the grid does not reach."""

    zoom: int
    reason: str
    rows: tuple[ZoomAdvice, ...]
    outside: int

    def as_text(self) -> str:
        """The table and the advice, for a terminal."""
        head = f"{'zoom':>6}{'cells':>10}{'median':>8}{'p95':>7}{'max':>6}{'single':>8}{'copies':>9}{'document':>11}"
        lines = [
            f"{'*' if row.zoom == self.zoom else ' '}{row.zoom:>5}{row.cells:>10}{row.median:>8g}{row.p95:>7g}"
            f"{row.maximum:>6}{row.single_share:>8.0%}{row.copies:>9.1f}{_bytes(row.document_bytes):>11}"
            for row in self.rows
        ]
        return "\n".join((head, *lines, self.reason))


def advise(
    footprints: Sequence[shapely.Geometry],
    grid: Grid,
    *,
    zooms: Sequence[int] | None = None,
    asset_bytes: int = AVERAGE_HREF_BYTES,
) -> Advice:
    """The zoom with the fewest granules met per look-up plus COPY_COST times the copies of each.

    `asset_bytes` is the mean length of a granule's href. Raises Invalid (field "tms") where no footprint lies on the
    grid, and (field "quadkey_zoom") for zooms it does not have.
    """
    plane = projected(footprints, grid, grid.maxzoom, tolerance=ROUGHLY * 2**grid.maxzoom)
    spans = cells.extents(plane.edges, len(plane.footprint), grid.matrix_size(grid.maxzoom))
    within = np.unique(plane.footprint[spans.count > 0])
    if not len(within):
        raise Invalid(f"none of the {len(footprints)} footprints lies on {grid.id}", field="tms")
    tried = _around(spans, grid.maxzoom) if zooms is None else sorted(set(zooms))
    if not tried or tried[0] < 0 or tried[-1] > grid.maxzoom:
        raise Invalid(f"zooms of {grid.id} are 0 to {grid.maxzoom}", field="quadkey_zoom")
    rows = tuple(_rows(plane, grid, tried, len(within), asset_bytes))
    best = min(reversed(rows), key=lambda row: round(row.cost, 2))
    return Advice(zoom=best.zoom, reason=_reason(best, rows), rows=rows, outside=len(footprints) - len(within))


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """Index entries as touching polygons and places (row * columns + column) at a zoom, in `share` of all places."""

    polygon: Integers
    place: Integers
    share: float


def _around(spans: Extents, maxzoom: int) -> list[int]:
    """Zooms around the one at which the median footprint is about as large as a cell."""
    sizes = np.sqrt(spans.count[spans.count > 0])
    middle = maxzoom - round(float(np.log2(np.median(sizes))))
    return list(range(max(middle - COARSER, 0), min(middle + FINER, maxzoom) + 1))


def _rows(plane: Projected, grid: Grid, zooms: list[int], granules: int, asset_bytes: int) -> Iterator[ZoomAdvice]:
    """A row per zoom, up to the first that is too large to build."""
    coarse: tuple[int, _Counted] | None = None
    for zoom in zooms:
        edges = plane.edges.scaled(0.5 ** (grid.maxzoom - zoom))
        spans = cells.extents(edges, len(plane.footprint), grid.matrix_size(zoom))
        guess = int(cells.estimate(edges, spans).sum())
        if guess > MAX_CELLS and coarse is not None:
            return
        if coarse is None or guess <= SAMPLE:
            polygon, column, row = cells.touched(edges, spans)
            counted = _Counted(polygon, row * grid.matrix_size(zoom)[0] + column, 1.0)
            coarse = zoom, counted
        else:
            counted = _sampled(edges, spans, grid, zoom, coarse, SAMPLE / guess)
        yield _row(zoom, counted, plane.footprint, grid, granules, asset_bytes)


def _sampled(
    edges: Edges, spans: Extents, grid: Grid, zoom: int, coarse: tuple[int, _Counted], share: float
) -> _Counted:
    """Entries within an even selection of the places counted at a coarser zoom."""
    level, counted = coarse
    occupied = np.unique(counted.place)
    chosen = occupied[np.linspace(0, len(occupied) - 1, max(int(share * len(occupied)), 1)).astype(np.int64)]
    inside = np.isin(counted.place, chosen)
    polygon, (row, column) = counted.polygon[inside], np.divmod(counted.place[inside], grid.matrix_size(level)[0])
    deeper = zoom - level
    windows = Extents(
        np.maximum(spans.left[polygon], column << deeper),
        np.maximum(spans.top[polygon], row << deeper),
        np.minimum(spans.right[polygon], (column + 1) << deeper),
        np.minimum(spans.bottom[polygon], (row + 1) << deeper),
        np.ones(len(polygon), dtype=np.bool_),
    )
    window, column, row = cells.touched(edges.each(polygon), windows)
    return _Counted(polygon[window], row * grid.matrix_size(zoom)[0] + column, len(chosen) / len(occupied))


def _row(zoom: int, counted: _Counted, footprint: Integers, grid: Grid, granules: int, asset_bytes: int) -> ZoomAdvice:
    position = footprint[counted.polygon]
    order = np.lexsort((position, counted.place))
    place, position = counted.place[order], position[order]
    place = place[(np.diff(place, prepend=-1) != 0) | (np.diff(position, prepend=-1) != 0)]
    _, met = np.unique(place, return_counts=True)
    found, entries = round(len(met) / counted.share), round(len(place) / counted.share)
    return ZoomAdvice(
        zoom=zoom,
        cells=found,
        entries=entries,
        median=float(np.median(met)),
        p95=float(np.percentile(met, 95)),
        maximum=int(met.max()),
        single_share=float(np.mean(met == 1)),
        met=float((met**2).sum() / met.sum()),
        copies=entries / granules,
        document_bytes=_document_bytes(grid, zoom, found, entries, asset_bytes),
        sampled=counted.share < 1.0,
    )


def _document_bytes(grid: Grid, zoom: int, found: int, entries: int, asset_bytes: int) -> int:
    """Compact JSON: `"quadkey":["href","href"],` for each cell after the header and the grid's own document."""
    header = 300 + len(json.dumps(grid.document, separators=(",", ":")))
    return header + found * (zoom + 5) + entries * (asset_bytes + 3)


def _reason(best: ZoomAdvice, rows: Sequence[ZoomAdvice]) -> str:
    """One sentence for a person."""
    others = {row.zoom: row for row in rows}
    coarser, finer = others.get(best.zoom - 1), others.get(best.zoom + 1)
    because = [
        *([f"at {coarser.zoom} it would meet {coarser.met:.1f}"] if coarser else []),
        *([f"at {finer.zoom} each would be listed in {finer.copies:.1f}"] if finer else []),
    ]
    return (
        f"Zoom {best.zoom}: a look-up meets {best.met:.1f} granules on average (at most {best.maximum}) and a granule "
        f"is listed in {best.copies:.1f} cells" + ("; " + " and ".join(because) if because else "") + "."
    )


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
