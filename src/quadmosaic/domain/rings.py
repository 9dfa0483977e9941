"""Rings of longitudes and latitudes made into areas of a sphere: unrolled, closed over a pole, cut at 180 degrees."""

import numpy as np
import numpy.typing as npt
import shapely

type Floats = npt.NDArray[np.float64]

DECIMALS = 11
SNAP = 10.0**-DECIMALS
"""Degrees within which two places are one: less than a micrometre on Mars, more than rounding."""
WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)


def short_step(degrees: Floats) -> Floats:
    """Differences of longitude taken the short way round; one of exactly 180 keeps its sign."""
    return degrees - 360.0 * np.round(degrees / 360.0)


def along(start: float, steps: Floats) -> Floats:
    """Longitudes from the first one and the steps that follow."""
    return np.concatenate(([start], start + np.cumsum(steps)))


def jumps(lon: Floats, lat: Floats) -> npt.NDArray[np.bool_]:
    """Which edges of a closed ring go the other way round: those longer than 180 degrees.

    An edge of 360 is meant as it stands, a whole turn, at a pole and where the ring goes on along a meridian: there it
    is the top or bottom of an area as wide as the world. Elsewhere both its ends are one place.
    """
    steps = np.diff(lon)
    long_way: npt.NDArray[np.bool_] = np.abs(steps) > 180.0
    if not long_way.any():
        return long_way
    upright = steps == 0.0
    whole_turn = (np.abs(steps) == 360.0) & (np.roll(upright, 1) | np.roll(upright, -1) | (np.abs(lat[:-1]) == 90.0))
    long_way[whole_turn] = False
    return long_way


def with_whole_poles(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """A lone vertex at a pole has no longitude: it becomes the stretch between its neighbours' meridians.

    Takes and gives closed rings.
    """
    here = lat[:-1]
    lone = (np.abs(here) == 90.0) & (np.roll(here, 1) != here) & (np.roll(here, -1) != here)
    if not lone.any() or len(lon) < 4:
        return lon, lat
    before, after = np.roll(lon[:-1], 1), np.roll(lon[:-1], -1)
    first = np.where(lone, before, lon[:-1])
    doubled = np.repeat(first, 1 + lone)
    doubled[np.cumsum(1 + lone)[lone] - 1] = after[lone]
    lats = np.repeat(lat[:-1], 1 + lone)
    return np.append(doubled, doubled[0]), np.append(lats, lats[0])


def closed_over_pole(lon: Floats, lat: Floats, *, north: bool) -> tuple[Floats, Floats]:
    """An unrolled ring that winds around a pole, with the way up to the pole and back added."""
    pole = 90.0 if north else -90.0
    return np.concatenate((lon, [lon[-1], lon[0], lon[0]])), np.concatenate((lat, [pole, pole, lat[0]]))


def wrapped(area: shapely.Geometry) -> shapely.Geometry:
    """A valid area with longitudes of any size, cut and moved into -180..180."""
    if area.is_empty:
        return area
    west, _, east, _ = area.bounds
    first = int(np.floor((west + 180.0) / 360.0))
    last = max(int(np.ceil((east - 180.0) / 360.0)), first)
    if first == last:
        return _moved(area, -360.0 * first)
    windows = [
        _moved(area.intersection(shapely.box(360.0 * turn - 180.0, -90.0, 360.0 * turn + 180.0, 90.0)), -360.0 * turn)
        for turn in range(first, last + 1)
    ]
    return polygonal(shapely.union_all([polygonal(window) for window in windows], grid_size=SNAP))


def polygonal(area: shapely.Geometry) -> shapely.Geometry:
    """Only the polygons of a geometry."""
    if area.geom_type in ("Polygon", "MultiPolygon"):
        return area
    parts = [part for part in shapely.get_parts(area) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def repaired(area: shapely.Geometry) -> shapely.Geometry:
    """A valid area from one whose rings cross themselves or each other."""
    return polygonal(shapely.make_valid(area, method="structure", keep_collapsed=False))


def _moved(area: shapely.Geometry, degrees: float) -> shapely.Geometry:
    if degrees == 0.0:
        return area
    return shapely.transform(area, lambda points: points + np.array([degrees, 0.0]))
