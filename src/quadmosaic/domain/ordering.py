"""The order of granules, best first: one rule for a whole mosaic, kept when the lists of several cells are merged."""

import heapq
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

import pyproj

from quadmosaic.domain import bodies
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule, Header, Json

type SortKey = tuple[int, float | str]
"""Numbers come before texts."""


def ordered(
    granules: Sequence[Granule], order: str, headers: Mapping[str, Mapping[str, Header]] | None = None
) -> tuple[int, ...]:
    """Positions of the granules, best first; equals stay in the source's order and those without a value come last.

    `order` is "source", "newest", "best-resolution", "id" or the name of a property, with a leading "-" for
    descending; `headers` are by granule id and asset key. Raises Invalid (field "order") where no granule has a value.
    """
    if order == "source" or not granules:
        return tuple(range(len(granules)))
    if order == "newest":
        keys, descending = [_date(granule) for granule in granules], True
    elif order == "best-resolution":
        keys, descending = [_resolution(granule, (headers or {}).get(granule.id, {})) for granule in granules], False
    else:
        name, descending = order.removeprefix("-"), order.startswith("-")
        keys = [_property(granule, name) for granule in granules]
    known = [(key, position) for position, key in enumerate(keys) if key is not None]
    if not known:
        raise Invalid(_nothing_to_order_by(order), field="order")
    known.sort(key=lambda pair: pair[0], reverse=descending)
    unknown = (position for position, key in enumerate(keys) if key is None)
    return (*(position for _, position in known), *unknown)


def merged(lists: Sequence[Sequence[Granule]]) -> tuple[Granule, ...]:
    """Each granule once, in an order that agrees with every list; where lists disagree or say nothing, who came first.

    Granules are told apart by their id.
    """
    first: dict[str, Granule] = {}
    for granules in lists:
        for granule in granules:
            first.setdefault(granule.id, granule)
    if len(lists) <= 1:
        return tuple(first.values())
    rank = {granule_id: place for place, granule_id in enumerate(first)}
    return tuple(first[granule_id] for granule_id in _consistent(rank, _successors(rank, lists)))


def _successors(rank: Mapping[str, int], lists: Sequence[Sequence[Granule]]) -> dict[str, set[str]]:
    after: dict[str, set[str]] = {granule_id: set() for granule_id in rank}
    for granules in lists:
        for one, other in pairwise(granules):
            if one.id != other.id:
                after[one.id].add(other.id)
    return after


def _consistent(rank: Mapping[str, int], after: Mapping[str, set[str]]) -> list[str]:
    """Kahn's topological order, smallest rank first; a circle is opened at its smallest rank."""
    waiting = dict.fromkeys(rank, 0)
    for followers in after.values():
        for follower in followers:
            waiting[follower] += 1
    ready = [(rank[granule_id], granule_id) for granule_id, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    by_rank = iter(rank)
    done: dict[str, None] = {}
    while len(done) < len(rank):
        granule_id = heapq.heappop(ready)[1] if ready else next(by_rank)
        if granule_id in done:
            continue
        done[granule_id] = None
        for follower in after[granule_id]:
            waiting[follower] -= 1
            if waiting[follower] == 0 and follower not in done:
                heapq.heappush(ready, (rank[follower], follower))
    return list(done)


def _date(granule: Granule) -> SortKey | None:
    """Seconds since 1970 of `datetime`, or of `start_datetime` where that is null."""
    for name in ("datetime", "start_datetime"):
        text = granule.properties.get(name)
        if isinstance(text, str):
            try:
                moment = datetime.fromisoformat(text)
                return 0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            except (ValueError, OverflowError):
                continue
    return None


def _resolution(granule: Granule, headers: Mapping[str, Header]) -> SortKey | None:
    """Metres per pixel: `gsd`, or what the finest asset's header says."""
    gsd = granule.properties.get("gsd")
    if isinstance(gsd, int | float) and not isinstance(gsd, bool) and 0 < gsd < math.inf:
        return 0, float(gsd)
    sizes = [size for header in headers.values() if (size := _pixel_size(header)) is not None]
    return (0, min(sizes)) if sizes else None


def _pixel_size(header: Header) -> float | None:
    a, b, _, d, e, _ = header.transform
    metres = _metres_per_unit(header.crs)
    size = math.sqrt(abs(a * e - b * d))
    return size * metres if metres is not None and size > 0 else None


@lru_cache(maxsize=256)
def _metres_per_unit(crs: str) -> float | None:
    """At the equator for degrees; None for a CRS that lies on no body."""
    try:
        parsed = pyproj.CRS(crs)
    except pyproj.exceptions.CRSError:
        return None
    if not parsed.axis_info:
        return None
    unit = float(parsed.axis_info[0].unit_conversion_factor)
    if not parsed.is_geographic:
        return unit
    ellipsoid = parsed.ellipsoid
    body = bodies.body_of(parsed)
    if ellipsoid is None:
        return None if body is None else unit * bodies.mean_radius(body)
    return unit * float(ellipsoid.semi_major_metre)


def _property(granule: Granule, name: str) -> SortKey | None:
    value: Json = granule.properties.get(name, granule.id if name == "id" else None)
    match value:
        case bool() | int() | float() if not math.isnan(value):
            return 0, value
        case str():
            return 1, value
        case _:
            return None


def _nothing_to_order_by(order: str) -> str:
    match order:
        case "newest":
            return "no granule has a datetime or start_datetime; use 'source' or the name of a property"
        case "best-resolution":
            return "no granule has a gsd or a header that was read; use 'source' or the name of a property"
        case _:
            return (
                f"no granule has a property {order.removeprefix('-')!r} to sort by; use 'source', 'newest', "
                "'best-resolution' or the name of a property, with a leading '-' for descending"
            )
