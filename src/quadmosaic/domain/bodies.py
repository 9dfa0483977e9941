"""The bodies of the IAU's 2015 list: their names, their geographic CRSs, and which one a CRS belongs to."""

import re
from functools import cache
from itertools import pairwise

import pyproj
from pyproj.database import get_codes, query_crs_info
from pyproj.enums import PJType

from quadmosaic.domain.errors import NotFound

EARTH = "Earth"
LOCAL_RADIUS_TOLERANCE = 0.005
"""How far, as a share, a radius may lie outside a body's own axes: products use the radius of their latitude."""

_ALIASES = {"luna": "Moon", "lunar": "Moon", "wgs": EARTH}


@cache
def _codes() -> dict[str, int]:
    """Body name without spaces -> the NAIF id that IAU_2015 codes start with."""
    geographic = query_crs_info("IAU_2015", pj_types=PJType.GEOGRAPHIC_2D_CRS)
    spheres = (info for info in geographic if int(info.code) % 100 == 0)
    return {info.name.split(" (2015)")[0].replace(" ", ""): int(info.code) // 100 for info in spheres}


def names() -> tuple[str, ...]:
    """All bodies, spelled as in planetcantile's ids: no spaces ("52Europa", "Hartley2")."""
    return tuple(sorted(_codes()))


def body_named(text: str) -> str | None:
    """The body that a free text names ("MARS", "GCS_Moon_2000", "Equirectangular EUROPA"), if any."""
    words = [word.lower() for word in re.findall(r"[A-Za-z]+(?:-[A-Za-z]+)*|\d+", text)]
    pairs = [first + second for first, second in pairwise(words)]
    known = {name.lower(): name for name in _codes()} | _ALIASES
    return next((known[word] for word in (*pairs, *words) if word in known), None)


def iau_code(body: str, offset: int) -> str | None:
    """`IAU_2015:NNNxx` for an offset like 10 (equirectangular), if PROJ knows that CRS."""
    number = _codes().get(body)
    code = None if number is None else f"{number * 100 + offset}"
    return f"IAU_2015:{code}" if code is not None and code in _all_codes() else None


@cache
def _all_codes() -> frozenset[str]:
    return frozenset(get_codes("IAU_2015", PJType.CRS))


def geographic_id(body: str) -> str:
    """The authority code of a body's geographic CRS: `IAU_2015:49900` for Mars, `EPSG:4326` for Earth."""
    if body == EARTH:
        return "EPSG:4326"
    if body not in _codes():
        raise NotFound(f"there is no body named {body!r}")
    return f"IAU_2015:{_codes()[body] * 100}"


@cache
def geographic_crs(body: str) -> pyproj.CRS:
    """Longitude and latitude in degrees on a body. Raises NotFound for an unknown one."""
    return pyproj.CRS(geographic_id(body))


def from_degrees(body: str, crs: pyproj.CRS) -> pyproj.Transformer:
    """From longitude and latitude on a body to a CRS of it, x (or longitude) first.

    On spheres degrees are degrees, whatever the radius; PROJ would refuse radii that differ much.
    """
    longest, shortest = ellipsoid_axes(crs)
    degrees = crs.geodetic_crs if longest == shortest else geographic_crs(body)
    return pyproj.Transformer.from_crs(degrees, crs, always_xy=True)


def longitude_first(crs: pyproj.CRS) -> pyproj.CRS:
    """The same CRS with longitude before latitude, also where `always_xy` keeps PROJ's order: that of longitudes
    counted westwards and of ocentric latitudes.
    """
    directions = [axis.direction for axis in crs.axis_info]
    if crs.is_projected or directions not in (["north", "east"], ["north", "west"]) or _is_swapped_by_proj(crs):
        return crs
    document = crs.to_json_dict()
    document["coordinate_system"]["axis"].reverse()
    document.pop("id", None)
    return pyproj.CRS.from_json_dict(document)


def _is_swapped_by_proj(crs: pyproj.CRS) -> bool:
    return crs.type_name == "Geographic 2D CRS" and crs.axis_info[1].direction == "east"


def mean_radius(body: str) -> float:
    """Radius of the body's sphere, metres."""
    return max(ellipsoid_axes(geographic_crs(body)))


def body_of(crs: pyproj.CRS) -> str | None:
    """The body a CRS lies on: by name, and by radius only where the CRS names none."""
    geodetic = crs.geodetic_crs
    if geodetic is None:
        return None
    ellipsoid = geodetic.ellipsoid
    datum = geodetic.datum
    texts = [crs.name, geodetic.name, *(part.name for part in (datum, ellipsoid) if part is not None)]
    named = next((body for text in texts if (body := body_named(text)) is not None), None)
    if named is not None:
        return named
    return None if ellipsoid is None else _body_of_radius(ellipsoid.semi_major_metre)


def _body_of_radius(radius: float) -> str | None:
    def gap(axes: tuple[float, float]) -> float:
        low, high = axes
        return max(low - radius, radius - high, 0.0) / radius

    nearest = min(_axes(), key=lambda body: gap(_axes()[body]))
    return nearest if gap(_axes()[nearest]) <= LOCAL_RADIUS_TOLERANCE else None


@cache
def _axes() -> dict[str, tuple[float, float]]:
    """Shortest and longest axis of each body's sphere and ellipsoid, metres."""
    axes = {}
    for body in _codes():
        codes = (iau_code(body, offset) for offset in (0, 1))
        lengths = [length for code in codes if code is not None for length in ellipsoid_axes(pyproj.CRS(code))]
        axes[body] = (min(lengths), max(lengths))
    return axes


def ellipsoid_axes(crs: pyproj.CRS) -> tuple[float, float]:
    """Semi-major and semi-minor axis, metres."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        raise NotFound(f"{crs.name} has no ellipsoid")
    return float(ellipsoid.semi_major_metre), float(ellipsoid.semi_minor_metre)


def geographic_proj4(body: str) -> str:
    """The geographic CRS for proj4js, which knows no IAU codes."""
    longest, shortest = ellipsoid_axes(geographic_crs(body))
    return f"+proj=longlat +a={longest} +b={shortest} +no_defs"
