"""Outlines: where on its body a rectangle of any coordinate reference system lies."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import CRSError

from quadmosaic.domain import rings
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Bounds
from quadmosaic.domain.rings import Floats

EDGE_POINTS = 64
"""Points per edge: a tile's edge is then within a thirtieth of a pixel of the true curve."""
LIMB_POINTS = 256
"""Points per edge where a rectangle reaches beyond the body's limb."""
SIMPLIFIED_BY = 2e-5
"""Share of the shorter side by which a dropped vertex may change an outline: a two-hundredth of a tile's pixel."""
SWEEP = 60.0
"""Steps of longitude longer than this pass a pole, and a look inside says on which side."""

_POLAR = 90.0 - 1e-9
_CLUSTER = np.concatenate((-(2.0 ** np.arange(6, -3, -1)), [0.0], 2.0 ** np.arange(-2, 7)))
"""Where to sample an edge that passes a pole, in units of the distance between them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Projection:
    """A CRS, seen from longitude and latitude.

    `tolerance` is how far there and back may miss, CRS units; `degrees` are per geodetic unit.
    `cylinder` is (x, longitude there, degrees per unit) where x depends on longitude alone, else None; `poles` are
    x, y of those that are points.
    """

    transformer: pyproj.Transformer
    tolerance: float
    degrees: float
    prime_meridian: float
    cylinder: tuple[float, float, float] | None
    poles: tuple[tuple[float, float], ...]

    def to_degrees(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Infinite where the projection has no such place, and where it folds back on another one."""
        lon, lat = self.transformer.transform(x, y, direction="INVERSE")
        back_x, back_y = self.transformer.transform(lon, lat)
        with np.errstate(invalid="ignore"):
            folded = ~(np.abs(back_x - x) + np.abs(back_y - y) <= self.tolerance)
        lon, lat = lon * self.degrees + self.prime_meridian, lat * self.degrees
        return np.where(folded, np.inf, lon), np.where(folded, np.inf, lat)


def outline(crs: str, bounds: Bounds) -> shapely.Geometry:
    """Where a rectangle (in `crs`: WKT or a code) lies, as a normalised (Multi)Polygon in lon/lat degrees of the body.

    Raises Invalid (field "crs" or "bounds").
    """
    x0, y0, x1, y1 = bounds
    if not np.isfinite(bounds).all() or x0 == x1 or y0 == y1:
        raise Invalid(f"{bounds} is not a rectangle", field="bounds")
    box = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
    projection = _projection(crs)
    area = _on_cylinder(projection, box) if projection.cylinder is not None else _anywhere(projection, box)
    area = rings.wrapped(area if area.is_valid else rings.repaired(area))
    if area.is_empty or area.area == 0.0:
        raise Invalid(f"{bounds} lies nowhere on the body", field="bounds")
    parts = shapely.get_parts(area)
    return shapely.orient_polygons(parts[0] if len(parts) == 1 else area)


@lru_cache(maxsize=256)
def _projection(text: str) -> _Projection:
    try:
        crs = pyproj.CRS(text).to_2d()
        while crs.is_compound or (crs.is_bound and crs.source_crs is not None):
            crs = crs.sub_crs_list[0] if crs.is_compound else crs.source_crs or crs
        geodetic = crs.geodetic_crs
        if geodetic is None:
            raise Invalid(f"{crs.name or text[:60]!r} does not lie on a body", field="crs")
        transformer = pyproj.Transformer.from_crs(geodetic, crs, always_xy=True)
    except CRSError as error:
        raise Invalid(f"not a coordinate reference system: {text[:60]!r}", field="crs") from error
    unit = crs.axis_info[0].unit_conversion_factor
    meridian = geodetic.prime_meridian
    degrees = float(np.degrees(geodetic.axis_info[0].unit_conversion_factor))
    return _Projection(
        transformer=transformer,
        tolerance=1e-6 * geodetic.ellipsoid.semi_major_metre / unit if geodetic.ellipsoid else np.inf,
        degrees=degrees if abs(degrees - 1.0) > 1e-12 else 1.0,
        prime_meridian=float(np.degrees(float(meridian.longitude) * float(meridian.unit_conversion_factor)))
        if meridian
        else 0.0,
        cylinder=_cylinder(transformer, degrees),
        poles=_poles(transformer, degrees),
    )


def _cylinder(transformer: pyproj.Transformer, degrees: float) -> tuple[float, float, float] | None:
    lon, lat = np.meshgrid(np.arange(-150.0, 151.0, 50.0), [-40.0, 0.0, 40.0])
    x, y = transformer.transform(lon / degrees, lat / degrees)
    if not np.isfinite((x, y)).all():
        return None
    tolerance = 1e-9 * np.ptp(x)
    if (np.ptp(x, axis=0) > tolerance).any() or (np.ptp(y, axis=1) > tolerance).any():
        return None
    per_degree = float(np.median(np.diff(x[0]) / 50.0))
    return float(x[0, 3]), float(lon[0, 3]), 1.0 / per_degree


def _poles(transformer: pyproj.Transformer, degrees: float) -> tuple[tuple[float, float], ...]:
    poles = []
    for lat in (90.0, -90.0):
        x, y = transformer.transform(np.array([0.0, 60.0, 170.0]) / degrees, np.full(3, lat / degrees))
        if np.isfinite((x, y)).all() and np.ptp(x) + np.ptp(y) < 1e-3 / degrees:
            poles.append((float(x[0]), float(y[0])))
    return tuple(poles)


def _on_cylinder(projection: _Projection, box: Bounds) -> shapely.Geometry:
    """Meridians and parallels: exact, and right for rectangles wider than the world too."""
    assert projection.cylinder is not None
    x, lon, degrees_per_unit = projection.cylinder
    west, east = sorted(lon + (side - x) * degrees_per_unit + projection.prime_meridian for side in (box[0], box[2]))
    east = min(east, west + 360.0)
    _, lats = projection.transformer.transform(np.full(2, x), np.array([box[1], box[3]]), direction="INVERSE")
    ends = np.where(np.isfinite(lats), lats * projection.degrees, np.array([-90.0, 90.0]))
    south, north = np.sort(np.clip(_rounded(ends), -90.0, 90.0))
    west, east = _rounded(np.array([west, east]))
    return shapely.box(west, south, east, north)


def _rounded(degrees: Floats) -> Floats:
    """Without the last few bits, so that sides that mean 180 or 90 degrees are that."""
    return np.round(degrees, 12)


def _anywhere(projection: _Projection, box: Bounds) -> shapely.Geometry:
    """The area inside a rectangle's edge, walked counter-clockwise with the inside on the left."""
    x, y = _edge(projection, box, EDGE_POINTS)
    center = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    lon, lat = projection.to_degrees(x, y)
    if not np.isfinite(lon).all():
        center, x, y = _within_reach(projection, box, *_edge(projection, box, LIMB_POINTS))
        lon, lat = projection.to_degrees(x, y)
        reached = np.isfinite(lon)
        x, y, lon, lat = x[reached], y[reached], lon[reached], lat[reached]
    lon, lat = _walked(projection, center, np.column_stack((x, y)), lon, lat)
    turn = (lon[-1] - lon[0]) * _handedness(projection, center, box)
    if abs(turn) > 180.0:
        lon, lat = rings.closed_over_pole(lon, lat, north=turn > 0.0)
    area = shapely.Polygon(np.column_stack((lon, lat)))
    area = area if area.is_valid else rings.repaired(area)
    if abs(turn) <= 180.0 and _signed_area(lon, lat) * _handedness(projection, center, box) < 0.0:
        return rings.WORLD.difference(rings.wrapped(area))
    west, south, east, north = area.bounds
    return shapely.simplify(area, SIMPLIFIED_BY * min(east - west, north - south))


def _edge(projection: _Projection, box: Bounds, count: int) -> tuple[Floats, Floats]:
    """Points along the edge, counter-clockwise and closed, denser where a pole is near."""
    minx, miny, maxx, maxy = box
    south = _along(minx, maxx, count, [(px, abs(py - miny)) for px, py in projection.poles])
    east = _along(miny, maxy, count, [(py, abs(px - maxx)) for px, py in projection.poles])
    north = _along(minx, maxx, count, [(px, abs(py - maxy)) for px, py in projection.poles])[::-1]
    west = _along(miny, maxy, count, [(py, abs(px - minx)) for px, py in projection.poles])[::-1]
    x = np.concatenate((south[:-1], np.full(len(east) - 1, maxx), north[:-1], np.full(len(west), minx)))
    y = np.concatenate((np.full(len(south) - 1, miny), east[:-1], np.full(len(north) - 1, maxy), west))
    return x, y


def _along(start: float, end: float, count: int, poles: list[tuple[float, float]]) -> Floats:
    """Positions on one edge; `poles` are (position of the foot of the perpendicular, distance)."""
    places = np.linspace(start, end, count + 1)
    step = places[1] - places[0]
    for foot, distance in poles:
        if distance < 8 * step and start - 8 * step < foot < end + 8 * step:
            near = foot + max(distance, 1e-9 * step) * _CLUSTER
            places = np.union1d(places, near[(near > start) & (near < end)])
    return places


def _within_reach(projection: _Projection, box: Bounds, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """The edge drawn in to the places that exist, seen from a centre (x, y) among them: what exists is convex."""
    across, up = np.meshgrid(np.linspace(box[0], box[2], 33)[1:-1], np.linspace(box[1], box[3], 33)[1:-1])
    reached = np.isfinite(projection.to_degrees(across.ravel(), up.ravel())[0])
    if not reached.any():
        raise Invalid(f"{box} lies nowhere on the body", field="bounds")
    inside = np.column_stack((across.ravel(), up.ravel()))[reached]
    mean = inside.mean(axis=0)
    center = inside[np.argmin(((inside - mean) ** 2).sum(axis=1))]
    low, high = np.zeros(len(x)), np.ones(len(x))
    for _ in range(40):
        share = np.where(np.isfinite(projection.to_degrees(x, y)[0]), 1.0, (low + high) / 2)
        found = np.isfinite(
            projection.to_degrees(center[0] + share * (x - center[0]), center[1] + share * (y - center[1]))[0]
        )
        low, high = np.where(found, share, low), np.where(found, high, share)
    return center, center[0] + low * (x - center[0]), center[1] + low * (y - center[1])


def _walked(projection: _Projection, center: Floats, points: Floats, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """The closed ring with longitudes that go on without jumps, and whole stretches of a pole where it touches one."""
    polar = np.abs(lat) > _POLAR
    if polar.any():
        points, lon, lat = _with_single_poles(points, lon, lat)
        polar = np.abs(lat) == 90.0
    steps = rings.short_step(np.diff(lon))
    wide = np.flatnonzero(np.abs(steps) > SWEEP)
    if len(wide):
        inward = (points[wide] + points[wide + 1]) / 2
        inward = inward + 0.05 * (center - inward)
        between = projection.to_degrees(inward[:, 0], inward[:, 1])[0]
        steps[wide] = rings.short_step(between - lon[wide]) + rings.short_step(lon[wide + 1] - between)
    lon = rings.along(lon[0], steps)
    return rings.with_whole_poles(lon, lat) if polar.any() else (lon, lat)


def _with_single_poles(points: Floats, lon: Floats, lat: Floats) -> tuple[Floats, Floats, Floats]:
    """The closed ring with one vertex for each time it touches a pole, beginning and ending elsewhere."""
    polar = np.abs(lat[:-1]) > _POLAR
    order = np.roll(np.arange(len(polar)), -int(np.argmin(polar)))
    order = order[~(polar[order] & np.roll(polar[order], 1))]
    order = np.append(order, order[0])
    return points[order], lon[order], np.where(np.abs(lat) > _POLAR, np.sign(lat) * 90.0, lat)[order]


def _handedness(projection: _Projection, center: Floats, box: Bounds) -> float:
    """1 where the axes are turned like east and north, -1 where they are mirrored."""
    size = 1e-4 * min(box[2] - box[0], box[3] - box[1])
    lon, lat = projection.to_degrees(center[0] + np.array([0.0, size, 0.0]), center[1] + np.array([0.0, 0.0, size]))
    east, north = rings.short_step(lon[1:] - lon[0]), lat[1:] - lat[0]
    return -1.0 if east[0] * north[1] - east[1] * north[0] < 0.0 else 1.0


def _signed_area(lon: Floats, lat: Floats) -> float:
    return float(np.sum(lon[:-1] * lat[1:] - lon[1:] * lat[:-1]))
