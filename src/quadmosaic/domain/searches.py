"""The body of a STAC item search: which keys it may have, and what each must look like.

Source: https://github.com/radiantearth/stac-api-spec/tree/main/item-search and its query, filter and sort extensions.
"""

import re
from collections.abc import Callable
from datetime import datetime

import shapely.geometry
from shapely.errors import ShapelyError

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Json, JsonObject

_DATETIME = re.compile(r"\d{4}(-\d{2}(-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})?)?)?)?", re.ASCII)
NO_SHAPE = (ShapelyError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)
"""What shapely raises for a geometry that is none."""
_GEOMETRIES = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection")
_FIRST_DAY = "2000-01-01"
_MAX_PAGE = 10_000


def validate_search(search: JsonObject, *, field: str) -> None:
    """Raise Invalid for the first wrong key, as `field`.key; null counts as absent."""
    for key, value in search.items():
        if key not in _CHECKS:
            raise Invalid(f"is not read from a search: {', '.join(_CHECKS)} are", field=f"{field}.{key}")
        reason = None if value is None else _CHECKS[key](value)
        if reason is not None:
            raise Invalid(reason, field=f"{field}.{key}")
    if search.get("bbox") is not None and search.get("intersects") is not None:
        raise Invalid("cannot be joined with bbox: give one of the two", field=f"{field}.intersects")


def _texts(value: Json) -> str | None:
    is_sound = isinstance(value, list) and all(isinstance(text, str) and text for text in value)
    return None if is_sound else "must be a list of strings"


def _bbox(value: Json) -> str | None:
    if not isinstance(value, list) or len(value) not in (4, 6):
        return "must be [west, south, east, north]"
    numbers = [float(n) for n in value if isinstance(n, int | float) and not isinstance(n, bool) and abs(n) < 1e12]
    if len(numbers) != len(value):
        return "must be finite numbers"
    half = len(numbers) // 2
    south, north = numbers[1], numbers[half + 1]
    return None if -90 <= south <= north <= 90 else "south and north must be ordered and within -90 to 90"


def _intersects(value: Json) -> str | None:
    geometry = value.get("geometry") if isinstance(value, dict) and value.get("type") == "Feature" else value
    form = "must be a GeoJSON geometry or a Feature with one"
    if not isinstance(geometry, dict) or geometry.get("type") not in _GEOMETRIES:
        return form
    try:
        shapely.geometry.shape(geometry)
    except NO_SHAPE:
        return f"{form}, with coordinates of its type"
    return None


def _datetime(value: Json) -> str | None:
    form = "must be a time or an interval like 2020-01-01T00:00:00Z/.."
    if not isinstance(value, str):
        return form
    ends = value.split("/")
    open_ends = [end in ("", "..") for end in ends]
    if len(ends) > 2 or all(open_ends):
        return form
    return None if all(is_open or _is_time(end) for end, is_open in zip(ends, open_ends, strict=True)) else form


def _is_time(text: str) -> bool:
    """Is it a year, a month, a day or a time, and one that the calendar has?"""
    if _DATETIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text.upper() + _FIRST_DAY[len(text) :])
    except ValueError:
        return False
    return True


def _query(value: Json) -> str | None:
    return None if isinstance(value, dict) else "must be an object of operators by property"


def _filter(value: Json) -> str | None:
    is_sound = isinstance(value, dict) or (isinstance(value, str) and value.strip())
    return None if is_sound else "must be CQL2, as a text or as a JSON object"


def _filter_lang(value: Json) -> str | None:
    return None if value in ("cql2-text", "cql2-json") else "must be cql2-text or cql2-json"


def _sortby(value: Json) -> str | None:
    form = 'must be a list of {"field", "direction": "asc" or "desc"}, or a text like "-datetime,id"'
    if isinstance(value, str):
        return None if value else form
    parts = value if isinstance(value, list) else []
    is_sound = all(
        (isinstance(part, str) and part)
        or (isinstance(part, dict) and isinstance(part.get("field"), str) and part.get("direction") in ("asc", "desc"))
        for part in parts
    )
    return None if parts and is_sound else form


def _limit(value: Json) -> str | None:
    is_sound = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_PAGE
    return None if is_sound else f"must be an integer from 1 to {_MAX_PAGE}: the items of one page"


_CHECKS: dict[str, Callable[[Json], str | None]] = {
    "collections": _texts,
    "ids": _texts,
    "bbox": _bbox,
    "intersects": _intersects,
    "datetime": _datetime,
    "query": _query,
    "filter": _filter,
    "filter-lang": _filter_lang,
    "sortby": _sortby,
    "limit": _limit,
}
