"""Where an area given in degrees lies on a grid: its box in the grid's own units, and the tiles that the box covers."""

import math
from dataclasses import dataclass

import numpy as np
import shapely

from quadmosaic.domain.granules import Bounds
from quadmosaic.domain.grid import Grid
from quadmosaic.domain.projecting import projected

_ROUNDING = 1e-9
"""Cells by which a box may pass a tile's edge without touching the next tile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TileRange:
    """Columns and rows of one zoom, first and last included."""

    zoom: int
    min_column: int
    max_column: int
    min_row: int
    max_row: int


def bounds_on(bounds: Bounds, grid: Grid) -> Bounds | None:
    """The box around `bounds` (lon/lat degrees) in CRS units, within the grid; None where the grid does not reach.

    Edges are bent as the projection asks, so a box around a pole is a full circle's.
    """
    edges = projected([shapely.box(*bounds)], grid, 0).edges
    if not len(edges.owner):
        return None
    left, top = grid.origin
    columns = np.clip([np.min((edges.x0, edges.x1)), np.max((edges.x0, edges.x1))], 0, grid.root_width)
    rows = np.clip([np.min((edges.y0, edges.y1)), np.max((edges.y0, edges.y1))], 0, grid.root_height)
    if columns[0] == columns[1] or rows[0] == rows[1]:
        return None
    side = grid.root_size
    west, east = (left + columns * side).tolist()
    north, south = (top - rows * side).tolist()
    return west, south, east, north


def tiles_within(box: Bounds, grid: Grid, zoom: int) -> TileRange:
    """The tiles that a box (CRS units, within the grid) covers at a zoom."""
    minx, miny, maxx, maxy = box
    left, top = grid.origin
    side = grid.cell_size(zoom)
    width, height = grid.matrix_size(zoom)
    min_column, max_column = _span((minx - left) / side, (maxx - left) / side, width)
    min_row, max_row = _span((top - maxy) / side, (top - miny) / side, height)
    return TileRange(zoom=zoom, min_column=min_column, max_column=max_column, min_row=min_row, max_row=max_row)


def _span(start: float, end: float, count: int) -> tuple[int, int]:
    first = min(max(math.floor(start + _ROUNDING), 0), count - 1)
    last = min(max(math.ceil(end - _ROUNDING) - 1, first), count - 1)
    return first, last
