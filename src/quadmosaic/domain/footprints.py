"""Footprints: any GeoJSON outline made one kind of area, valid (Multi)Polygons in -180..180 by -90..90 degrees.

Edges are straight in longitude and latitude, as everywhere in GeoJSON. An edge longer than 180 degrees goes the other
way round, across the antimeridian, unless it is a whole turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely

from quadmosaic.domain import rings
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Json, JsonObject
from quadmosaic.domain.outlines import outline
from quadmosaic.domain.rings import Floats

__all__ = ["normalise", "outline"]

LARGEST_LONGITUDE = 720.0
"""Beyond two turns a number is no longitude but a mistake, metres for example."""
SMALLEST_AREA = 1e-14
"""Square degrees; some 20 square centimetres on Mars, less than any pixel and more than rounding leaves behind."""

TOO_FEW = "has a ring of fewer than three different positions"
COMPUTED = {"0..360", "antimeridian", "pole", "repaired"}
"""Changes that leave vertices which nobody wrote."""

type Changes = dict[str, None]
"""Names of the changes made, in order, each once."""
REPETITIONS = 3
"""Repairing an outline that touches a pole may leave one that touches it in another way."""


@dataclass(frozen=True, slots=True)
class _Ring:
    """A closed ring as given, without Z."""

    lon: Floats
    lat: Floats

    @property
    def is_plain(self) -> bool:
        """Whether the ring means what it says: in range, no jump and no lone vertex at a pole."""
        if np.abs(self.lon).max() > 180.0 or rings.jumps(self.lon, self.lat).any():
            return False
        polar = np.abs(self.lat) == 90.0
        return not polar.any() or len(rings.with_whole_poles(self.lon, self.lat)[0]) == len(self.lon)


def normalise(geometry: JsonObject | None) -> tuple[shapely.Geometry, tuple[str, ...]]:
    """A GeoJSON geometry as a footprint in lon/lat degrees, counter-clockwise, and the names of the changes made.

    The changes: "3d", "closed", "0..360", "antimeridian", "pole" and "repaired". Raises Invalid (field "geometry").
    """
    changes: Changes = {}
    area = _joined([_area(polygon, changes) for polygon in _polygons(geometry, changes)], changes)
    for _ in range(REPETITIONS):
        polygons = [[_ring_of(ring) for ring in shapely.get_rings(part)] for part in shapely.get_parts(area)]
        if all(ring.is_plain for polygon in polygons for ring in polygon):
            break
        area = _joined([_area(polygon, changes) for polygon in polygons], changes)
    parts = shapely.get_parts(area)
    return shapely.orient_polygons(parts[0] if len(parts) == 1 else area), tuple(changes)


def _joined(parts: list[shapely.Geometry], changes: Changes) -> shapely.Geometry:
    """One valid area without edges that would go the other way round when they are read again."""
    parts = [part for part in parts if not part.is_empty]
    area = shapely.multipolygons(shapely.get_parts(parts)) if parts else shapely.MultiPolygon()
    if not area.is_valid:
        area = rings.repaired(shapely.union_all(parts, grid_size=rings.SNAP))
        if not COMPUTED & set(changes):
            changes["repaired"] = None
    if COMPUTED & set(changes):
        area = rings.polygonal(shapely.set_precision(area, rings.SNAP))
        if (np.abs(np.diff(shapely.get_coordinates(area)[:, 0])) > 180.0).any():
            area = shapely.segmentize(area, 180.0)
    if area.area < SMALLEST_AREA:
        raise _invalid("has no area")
    return area


def _ring_of(ring: shapely.Geometry) -> _Ring:
    lon, lat = shapely.get_coordinates(ring).T
    return _Ring(lon, lat)


def _area(polygon: list[_Ring], changes: Changes) -> shapely.Geometry:
    if all(ring.is_plain for ring in polygon):
        shell, *holes = (np.column_stack((ring.lon, ring.lat)) for ring in polygon)
        return _valid(shapely.Polygon(shell, holes), changes)
    shell, *holes = (_unrolled_area(ring, changes) for ring in polygon)
    return rings.polygonal(shell.difference(shapely.union_all(holes))) if holes else shell


def _unrolled_area(ring: _Ring, changes: Changes) -> shapely.Geometry:
    """The area of one ring that leaves -180..180, jumps across 180 or winds around a pole."""
    lon, lat = rings.with_whole_poles(ring.lon, ring.lat)
    if len(lon) != len(ring.lon):
        changes["pole"] = None
    jumps = rings.jumps(lon, lat)
    if jumps.any():
        steps = np.diff(lon)
        lon = rings.along(lon[0], np.where(jumps, rings.short_step(steps), steps))
    if abs(lon[-1] - lon[0]) > 180.0:
        lon, lat = rings.closed_over_pole(lon, lat, north=float(lat[:-1].mean()) >= 0.0)
        changes["pole"] = None
    elif jumps.any() or _crosses_seam(lon):
        changes["antimeridian"] = None
    elif np.abs(lon).max() > 180.0:
        changes["0..360"] = None
    return rings.wrapped(_valid(shapely.Polygon(np.column_stack((lon, lat))), changes))


def _crosses_seam(lon: Floats) -> bool:
    west, east = float(lon.min()), float(lon.max())
    return east - west < 360.0 and any(west < seam < east for seam in (-180.0, 180.0))


def _valid(area: shapely.Geometry, changes: Changes) -> shapely.Geometry:
    if area.is_valid:
        return area
    changes["repaired"] = None
    return rings.repaired(area)


def _polygons(geometry: Json, changes: Changes) -> Iterator[list[_Ring]]:
    """The rings of every polygon, shell first."""
    if geometry is None:
        raise _invalid("is null; a granule needs a footprint")
    if not isinstance(geometry, dict):
        raise _invalid("must be a GeoJSON object")
    match geometry.get("type"):
        case "Polygon":
            yield _rings(geometry.get("coordinates"), changes)
        case "MultiPolygon":
            for polygon in _listed(geometry.get("coordinates"), "coordinates"):
                yield _rings(polygon, changes)
        case "GeometryCollection":
            members = _listed(geometry.get("geometries"), "geometries")
            areas = [member for member in members if isinstance(member, dict) and "Polygon" in str(member.get("type"))]
            if len(areas) < len(members):
                changes["repaired"] = None
            for member in areas:
                yield from _polygons(member, changes)
        case other:
            raise _invalid(f"must be a Polygon, MultiPolygon or GeometryCollection of them, not {other!r}")


def _rings(coordinates: Json, changes: Changes) -> list[_Ring]:
    return [_ring(ring, changes) for ring in _listed(coordinates, "coordinates")]


def _ring(coordinates: Json, changes: Changes) -> _Ring:
    points = _listed(coordinates, "coordinates")
    pairs: list[tuple[float, float]] = []
    for point in points:
        match point:
            case [float() | int() as lon, float() | int() as lat, *rest] if bool not in (type(lon), type(lat)):
                pairs.append((lon, lat))
                if rest:
                    changes["3d"] = None
            case _:
                raise _invalid(f"has a position that is not [longitude, latitude]: {str(point)[:60]}")
    if len(set(pairs)) < 3:
        raise _invalid(TOO_FEW)
    if pairs[0] != pairs[-1]:
        pairs.append(pairs[0])
        changes["closed"] = None
    lon, lat = _checked(pairs).T
    return _Ring(lon, lat)


def _checked(pairs: list[tuple[float, float]]) -> Floats:
    try:
        points = np.array(pairs, dtype=np.float64)
    except OverflowError:
        raise _invalid("has a number out of all bounds") from None
    if not np.isfinite(points).all():
        raise _invalid("has a coordinate that is not a finite number")
    lon, lat = np.abs(points).max(axis=0)
    if lat > 90.0:
        raise _invalid(f"has a latitude of {lat:g}, outside -90..90; coordinates are longitude, latitude in degrees")
    if lon > LARGEST_LONGITUDE:
        raise _invalid(f"has a longitude of {lon:g}; coordinates are longitude, latitude in degrees")
    points = np.round(points, rings.DECIMALS)
    different: Floats = points[np.append(True, (np.diff(points, axis=0) != 0.0).any(axis=1))]
    if len(different) < 4:
        raise _invalid(TOO_FEW)
    return different


def _listed(value: Json, key: str) -> list[Json]:
    if not isinstance(value, list | tuple) or not value:
        raise _invalid(f"needs {key}, a list that is not empty")
    return list(value)


def _invalid(message: str) -> Invalid:
    return Invalid(message, field="geometry")
