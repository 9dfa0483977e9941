"""Cells of a grid as outlines on the body: where a granule lies of which nothing but its cells is known."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import shapely

from quadmosaic.domain import footprints
from quadmosaic.domain.grids import Grid, Tile

type Floats = npt.NDArray[np.float64]

_SAME = 1e-9
"""Degrees within which two edges are one."""


def unions(grid: Grid, tiles: Sequence[Tile], groups: Iterable[Sequence[int]]) -> list[shapely.Geometry]:
    """One lon/lat (Multi)Polygon, -180..180, per group of positions in `tiles` (distinct, all of one zoom)."""
    boxes = _boxes(grid, tiles)
    if boxes is not None:
        return [shapely.orient_polygons(shapely.coverage_union_all(boxes[list(group)])) for group in groups]
    cells = np.array([footprints.outline(grid.wkt, grid.tile_bounds(tile)) for tile in tiles], dtype=object)
    smallest = float(shapely.area(cells).min()) / 2
    return [shapely.orient_polygons(_without_gaps(shapely.union_all(cells[list(g)]), smallest)) for g in groups]


def _without_gaps(area: shapely.Geometry, smallest: float) -> shapely.Geometry:
    """Curved edges of neighbours do not meet exactly: holes of less than a cell are no holes."""
    rings = [
        (part.exterior, [hole for hole in part.interiors if shapely.Polygon(hole).area >= smallest])
        for part in shapely.get_parts(area)
    ]
    parts = [shapely.Polygon(shell, holes) for shell, holes in rings]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _boxes(grid: Grid, tiles: Sequence[Tile]) -> npt.NDArray[np.object_] | None:
    """Cells that are lon/lat rectangles, cut at 180 degrees; None where the grid is not cylindrical."""
    columns, rows = np.array([tile.x for tile in tiles]), np.array([tile.y for tile in tiles])
    (left, top), side = grid.origin, grid.cell_size(tiles[0].z)
    xs = left + np.concatenate([columns, columns + 1]) * side
    ys = top - np.concatenate([rows + 1, rows]) * side
    middle_x, middle_y = left + grid.root_width * grid.root_size / 2, top - grid.root_height * grid.root_size / 2
    lons, _ = grid.unproject(xs, np.full_like(ys, middle_y))
    _, lats = grid.unproject(np.full_like(xs, middle_x), ys)
    if not _agree(lons, lats, *grid.unproject(xs, ys)):
        return None
    (west, east), (south, north) = lons.reshape(2, -1), np.clip(lats, -90.0, 90.0).reshape(2, -1)
    return _cut(_seam_as(-180.0, west), _seam_as(180.0, east), south, north)


def _seam_as(side: float, lons: Floats) -> Floats:
    """Edges on the antimeridian, which projections give as -180, 180 or nearly that, told as one side of it."""
    return np.where(np.abs(np.abs(lons) - 180.0) < _SAME, side, lons)


def _agree(lons: Floats, lats: Floats, corner_lons: Floats, corner_lats: Floats) -> bool:
    """Whether longitude depends on x alone and latitude on y alone."""
    if not np.isfinite([lons, lats, corner_lons, corner_lats]).all():
        return False
    turns = (corner_lons - lons + 180) % 360 - 180
    return bool((np.abs(turns) < _SAME).all() and (np.abs(corner_lats - lats) < _SAME).all())


def _cut(west: Floats, east: Floats, south: Floats, north: Floats) -> npt.NDArray[np.object_]:
    boxes: npt.NDArray[np.object_] = shapely.box(west, south, east, north)
    for cell in np.flatnonzero(east <= west):
        halves = ((west[cell], 180.0), (-180.0, east[cell]))
        boxes[cell] = shapely.MultiPolygon([shapely.box(low, south[cell], high, north[cell]) for low, high in halves])
    return boxes
