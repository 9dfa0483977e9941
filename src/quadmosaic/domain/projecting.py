"""Footprints in a grid's own plane: lon/lat areas as edges in cell units, bent as the projection asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import shapely

from quadmosaic.domain import cells
from quadmosaic.domain.cells import Edges, Integers
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.outlines import outline
from quadmosaic.domain.rings import WORLD, Floats, polygonal

LONGEST_STEP = 10.0
"""Degrees; edges are at most this long before their bend is measured."""
MOST_PIECES = 256
"""Into which one such edge is cut, however curved."""
TOLERANCE = 1 / 2000
"""Cells, or a fifth of it as share of a smaller footprint."""
INSIDE_SEAM = 180.0 - 1e-10
"""Degrees; PROJ takes both sides of a seam that is not at 180 degrees for the western one."""
AT_ONCE = 4096
"""Footprints that are geometries in memory together."""
STRAIGHT = 1e-9
"""Share of a footprint's size; what bends less is rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """Where a grid lies: a band of latitudes, and the longitude in its middle, opposite its seam."""

    south: float
    north: float
    middle: float


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """Edges in cell units; `footprint` is the position each polygon came from; `bend` (cells) what was left uncut."""

    edges: Edges
    footprint: Integers
    bend: float


@lru_cache(maxsize=64)
def reach(grid: Grid) -> Reach:
    """Generous by a step, so that only places without a projection are cut off."""
    minx, miny, maxx, maxy = grid.bounds
    x, y = np.meshgrid(np.linspace(minx, maxx, 65), np.linspace(miny, maxy, 65))
    _, lat = grid.unproject(x.ravel(), y.ravel())
    lat = np.where(np.isfinite(lat), lat, np.nan).reshape(x.shape)
    step = np.nanmax(np.abs(np.concatenate((np.diff(lat, axis=0).ravel(), np.diff(lat, axis=1).ravel()))))
    return Reach(
        south=float(np.clip(np.nanmin(lat) - step, -90.0, 90.0)),
        north=float(np.clip(np.nanmax(lat) + step, -90.0, 90.0)),
        middle=_middle(grid),
    )


def _middle(grid: Grid) -> float:
    if grid.is_geographic:
        minx, _, maxx, _ = grid.bounds
        return (minx + maxx) / 2
    operation = grid.crs.coordinate_operation
    parameters = operation.params if operation is not None else []
    middle = next((p for p in parameters if p.name.startswith("Longitude of")), None)
    return 0.0 if middle is None else float(np.degrees(float(middle.value) * float(middle.unit_conversion_factor)))


def projected(
    footprints: Sequence[shapely.Geometry], grid: Grid, zoom: int, *, tolerance: float | None = None
) -> Projected:
    """Edges in cells of `zoom`, within `tolerance` (cells) of the true curve; None means a part of a footprint's size.

    The inside lies left of each edge, taking x and y as they stand.
    """
    starts = range(0, max(len(footprints), 1), AT_ONCE)
    found = [_projected(footprints[start : start + AT_ONCE], grid, zoom, tolerance) for start in starts]
    if len(found) == 1:
        return found[0]
    polygons = np.cumsum([0, *(len(plane.footprint) for plane in found)])
    edges = [plane.edges for plane in found]
    return Projected(
        Edges(
            np.concatenate([each.x0 for each in edges]),
            np.concatenate([each.y0 for each in edges]),
            np.concatenate([each.x1 for each in edges]),
            np.concatenate([each.y1 for each in edges]),
            np.concatenate([each.owner + before for each, before in zip(edges, polygons, strict=False)]),
        ),
        np.concatenate([plane.footprint + start for plane, start in zip(found, starts, strict=True)]),
        max(plane.bend for plane in found),
    )


def _projected(footprints: Sequence[shapely.Geometry], grid: Grid, zoom: int, tolerance: float | None) -> Projected:
    areas = np.empty(len(footprints), dtype=object)
    areas[:] = footprints
    polygons, footprint = _unseamed(areas, reach(grid))
    lonlat = _shortened(cells.edges_of(polygons))
    ends = _in_cells(lonlat.x0, lonlat.y0, grid, zoom)
    if not np.isfinite(ends).all():
        within = outline(grid.wkt, grid.bounds)
        polygons, footprint = _unseamed(shapely.intersection(areas, within), reach(grid))
        lonlat = _shortened(cells.edges_of(polygons))
    edges, bend = _bent(lonlat, grid, zoom, tolerance)
    return Projected(_wound(edges), footprint, bend)


def _unseamed(footprints: npt.NDArray[np.object_], where: Reach) -> tuple[npt.NDArray[np.object_], Integers]:
    """Single polygons within a grid's latitudes that do not cross its seam, lon as difference from the middle."""
    parts, footprint = shapely.get_parts(footprints, return_index=True)
    if where.middle != 0.0:
        moved = shapely.transform(parts, lambda points: points - np.array([where.middle, 0.0]))
        west, _, east, _ = shapely.bounds(moved).T
        turns = [(moved, west < -180.0, 1), (moved, east > 180.0, -1), (moved, (east > -180.0) & (west < 180.0), 0)]
        parts = np.concatenate([_window(area[chosen], turn) for area, chosen, turn in turns])
        footprint = np.concatenate([footprint[chosen] for _, chosen, _ in turns])
    _, south, _, north = shapely.bounds(parts).T
    beyond = (south < where.south) | (north > where.north)
    parts[beyond] = shapely.intersection(parts[beyond], shapely.box(-180.0, where.south, 180.0, where.north))
    parts, index = shapely.get_parts([polygonal(part) for part in parts] if beyond.any() else parts, return_index=True)
    order = np.argsort(footprint[index], kind="stable")
    return parts[order], footprint[index][order].astype(np.int64)


def _window(parts: npt.NDArray[np.object_], turn: int) -> npt.NDArray[np.object_]:
    """What lies in -180..180 once moved by a number of turns."""
    moved = shapely.transform(parts, lambda points: points + np.array([360.0 * turn, 0.0]))
    west, _, east, _ = shapely.bounds(moved).T
    cut = (west < -180.0) | (east > 180.0)
    moved[cut] = shapely.intersection(moved[cut], WORLD)
    return np.array([polygonal(part) for part in moved], dtype=object)


def _shortened(edges: Edges) -> Edges:
    """Straight in lon/lat, and short enough for a curve to show at its quarters."""
    longest = np.maximum(np.abs(edges.x1 - edges.x0), np.abs(edges.y1 - edges.y0))
    return edges.divided(np.ceil(longest / LONGEST_STEP))


def _in_cells(lon: Floats, lat: Floats, grid: Grid, zoom: int) -> tuple[Floats, Floats]:
    """Columns and rows, with fractions; `lon` is the difference from the grid's middle."""
    middle = reach(grid).middle
    x, y = grid.project(lon if middle == 0.0 else np.clip(lon, -INSIDE_SEAM, INSIDE_SEAM) + middle, lat)
    left, top = grid.origin
    side = grid.cell_size(zoom)
    return (x - left) / side, (top - y) / side


def _bent(lonlat: Edges, grid: Grid, zoom: int, tolerance: float | None) -> tuple[Edges, float]:
    """Edges in cells, cut where they bend by more than the tolerance, and the largest bend left in any."""
    straight = _straight(lonlat, grid, zoom)
    bends = _bends(lonlat, straight, grid, zoom)
    size = max(np.ptp(straight.x0), np.ptp(straight.y0)) if len(straight.owner) else 0.0
    allowed = min(TOLERANCE, size * TOLERANCE / 5) if tolerance is None else tolerance
    bends[bends < STRAIGHT * size] = 0.0
    pieces = np.clip(np.ceil(np.sqrt(bends / max(allowed, 1e-12))), 1, MOST_PIECES)
    bend = float(np.max(bends / pieces**2, initial=0.0)) * 1.5
    return (straight if pieces.max(initial=1) == 1 else _straight(lonlat.divided(pieces), grid, zoom)), bend


def _straight(lonlat: Edges, grid: Grid, zoom: int) -> Edges:
    x0, y0 = _in_cells(lonlat.x0, lonlat.y0, grid, zoom)
    x1, y1 = _in_cells(lonlat.x1, lonlat.y1, grid, zoom)
    lost = ~np.isfinite((x0, y0, x1, y1)).all(axis=0)
    return Edges(x0, y0, x1, y1, lonlat.owner).of(~np.isin(lonlat.owner, lonlat.owner[lost]))


def _bends(lonlat: Edges, straight: Edges, grid: Grid, zoom: int) -> Floats:
    """How far each edge's true curve leads away from the straight one, cells, from its quarters."""
    dx, dy = straight.x1 - straight.x0, straight.y1 - straight.y0
    length = np.hypot(dx, dy)
    bends = np.zeros(len(length))
    for share in (0.25, 0.5, 0.75):
        lon = lonlat.x0 + share * (lonlat.x1 - lonlat.x0)
        lat = lonlat.y0 + share * (lonlat.y1 - lonlat.y0)
        x, y = _in_cells(lon, lat, grid, zoom)
        away_x, away_y = x - straight.x0, y - straight.y0
        with np.errstate(divide="ignore", invalid="ignore"):
            across = np.where(length > 1e-9, np.abs(away_x * dy - away_y * dx) / length, np.hypot(away_x, away_y))
        bends = np.maximum(bends, np.where(np.isfinite(across), across, 0.0) / (4 * share * (1 - share)))
    return bends


def _wound(edges: Edges) -> Edges:
    """With each polygon's inside on the left: rows count downwards, and a CRS may be mirrored."""
    turns = np.bincount(edges.owner, edges.x0 * edges.y1 - edges.x1 * edges.y0)
    flip = turns[edges.owner] < 0
    return Edges(
        np.where(flip, edges.x1, edges.x0),
        np.where(flip, edges.y1, edges.y0),
        np.where(flip, edges.x0, edges.x1),
        np.where(flip, edges.y0, edges.y1),
        edges.owner,
    )
