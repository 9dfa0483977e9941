"""Searches of a mosaic's granules: by the area that they touch and the time that they are of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import shapely

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule, Json

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_HAIR = 1e-6
"""Degrees: enough for a box to have an area in any projection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """A span of time with both its ends, None where it is open."""

    start: datetime | None
    end: datetime | None

    def meets(self, properties: Mapping[str, Json]) -> bool:
        """Is a STAC item with these properties of that time? One without a time is of none."""
        moment = properties.get("datetime")
        start = _moment(properties.get("start_datetime") or moment or properties.get("end_datetime"))
        end = _moment(properties.get("end_datetime") or moment or properties.get("start_datetime"))
        if start is None or end is None:
            return False
        return (self.start is None or end >= self.start) and (self.end is None or start <= self.end)


@dataclass(frozen=True, kw_only=True, slots=True)
class GranuleSearch:
    """What is asked for; `area` is in lon/lat degrees of the body, -180..180, and may be a line or a point."""

    area: shapely.Geometry | None = None
    period: Period | None = None

    def wants(self, granule: Granule) -> bool:
        """Is the granule one of those?"""
        return (self.period is None or self.period.meets(granule.properties)) and (
            self.area is None or bool(shapely.intersects(self.area, granule.footprint))
        )

    @property
    def surroundings(self) -> shapely.Geometry | None:
        """The area and a hair around it, so that nothing which it only touches lies outside."""
        if self.area is None:
            return None
        west, south, east, north = shapely.bounds(shapely.get_parts(self.area)).T
        lon, lat = np.clip([west - _HAIR, east + _HAIR], -180, 180), np.clip([south - _HAIR, north + _HAIR], -90, 90)
        return shapely.union_all(shapely.box(lon[0], lat[0], lon[1], lat[1]))


def parse_bbox(text: str) -> shapely.Geometry:
    """`west,south,east,north`, or with heights as six numbers; across 180 degrees where west is larger than east.

    Raises Invalid (field "bbox").
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (4, 6) or not np.isfinite(numbers).all():
        raise Invalid("must be west,south,east,north in degrees", field="bbox")
    half = len(numbers) // 2
    west, south, east, north = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    if not -90 <= south <= north <= 90 or max(abs(west), abs(east)) > 360:
        raise Invalid("south and north must be ordered and within -90 to 90, west and east -360 to 360", field="bbox")
    if east - west >= 360:
        return _box(-180, south, 180, north)
    west, east = _wrapped(west), _wrapped(east)
    if west <= east:
        return _box(west, south, east, north)
    return shapely.union(_box(west, south, 180, north), _box(-180, south, east, north))


def parse_period(text: str) -> Period:
    """A time as RFC 3339 has it, or an interval of two with `..` at an open end. Raises Invalid (field "datetime")."""
    ends = text.upper().split("/")
    is_sound = all(_MOMENT.fullmatch(end) or (end in ("", "..") and len(ends) == 2) for end in ends)
    moments = [_moment(end) for end in ends]
    if len(ends) > 2 or not is_sound or not any(moments):
        raise Invalid(
            "must be like 2020-01-01T00:00:00Z, or an interval like 2020-01-01T00:00:00Z/..", field="datetime"
        )
    unknown = [end for end, moment in zip(ends, moments, strict=True) if moment is None and end not in ("", "..")]
    if unknown:
        raise Invalid(f"{unknown[0]} is no time", field="datetime")
    start, end = moments[0], moments[-1]
    if start is not None and end is not None and start > end:
        raise Invalid("ends before it starts", field="datetime")
    return Period(start=start, end=end)


def _box(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    """A rectangle, or the line or point that is left of it."""
    return shapely.envelope(shapely.MultiPoint([(west, south), (east, north)]))


def _wrapped(lon: float) -> float:
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


def _moment(value: Json) -> datetime | None:
    """A time in UTC where it does not say; None for what is no time."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
