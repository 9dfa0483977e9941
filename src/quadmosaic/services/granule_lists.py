"""The granules of a version that a client asks for, page by page."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice

from quadmosaic.domain.granule_searches import GranuleSearch
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import Version
from quadmosaic.ports import MosaicStore, Page
from quadmosaic.services.lookup import in_cells_of

LOOKED_AT = 2000
"""Granules looked at for one page, which may end with few or none and a next one."""
_AT_ONCE = 1000

type Wanted = Callable[[Granule], bool]


async def searched(
    store: MosaicStore, version: Version, search: GranuleSearch, also: Wanted | None, *, after: str | None, limit: int
) -> Page[Granule]:
    """A page of those that the search and `also` want, going on behind the granule with the id `after`."""
    if also is None and search == GranuleSearch():
        return await store.granules(version, after=after, limit=limit)

    def wanted(granule: Granule) -> bool:
        return search.wants(granule) and (also is None or also(granule))

    near = await in_cells_of(store, version, search.surroundings)
    if near is None:
        return await _walked(store, version, wanted, after=after, limit=limit)
    behind = sorted((granule for granule in near if after is None or granule.id > after), key=lambda each: each.id)
    found = await asyncio.to_thread(_first, behind, wanted, limit + 1)
    return Page(items=tuple(found[:limit]), next=found[limit - 1].id if len(found) > limit else None)


async def _walked(
    store: MosaicStore, version: Version, wanted: Wanted, *, after: str | None, limit: int
) -> Page[Granule]:
    found: list[Granule] = []
    for _ in range(0, LOOKED_AT, _AT_ONCE):
        page = await store.granules(version, after=after, limit=_AT_ONCE)
        found += await asyncio.to_thread(_first, page.items, wanted, limit - len(found))
        after = page.next
        if len(found) == limit:
            is_end = after is None and found[-1] is page.items[-1]
            return Page(items=tuple(found), next=None if is_end else found[-1].id)
        if after is None:
            break
    return Page(items=tuple(found), next=after)


def _first(granules: Sequence[Granule], wanted: Wanted, count: int) -> list[Granule]:
    return list(islice(filter(wanted, granules), count))
