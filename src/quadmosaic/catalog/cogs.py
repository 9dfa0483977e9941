"""A plain list of COGs as a catalog: each file's header gives its granule's footprint and body."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache

import pyproj
from pyproj.exceptions import CRSError

from quadmosaic.catalog.features import key_of_files, offset_of
from quadmosaic.catalog.items import TARGETS, other_body
from quadmosaic.catalog.placing import header_bounds
from quadmosaic.domain import bodies, footprints
from quadmosaic.domain.errors import Invalid, QuadmosaicError
from quadmosaic.domain.granule_ids import granule_ids
from quadmosaic.domain.granules import Granule, Harvest, Header, Json, JsonObject, Refusal
from quadmosaic.domain.sources import CogsSource
from quadmosaic.ports import HarvestPage, Scan

_AT_ONCE = 16


async def cog_pages(
    source: CogsSource, *, scan: Scan, assets: Sequence[str], body: str | None, after: JsonObject | None
) -> AsyncGenerator[HarvestPage]:
    """Granules in the order of the list, with their headers; files that cannot be read are refused with the reason.

    A page is one file, so that the stream can be left as soon as it has given enough.
    """
    asset = key_of_files(assets)
    ids = granule_ids(source.hrefs)
    hrefs = tuple(dict.fromkeys(source.hrefs))
    start = offset_of(after)
    scanned = _scanned(hrefs[start:], scan)
    try:
        async for href, header in scanned:
            granule = _granule(ids[href], href, header, asset=asset, body=body)
            if isinstance(granule, Harvest):
                body = body or _body_of(granule.headers[asset])
            start += 1
            yield HarvestPage(answers=(granule,), next={"offset": start})
    finally:
        await scanned.aclose()
    twice = [href for href, times in Counter(source.hrefs).items() if times > 1]
    answers = tuple(Refusal(ids[href], "duplicate id: the list has this file more than once") for href in twice)
    yield HarvestPage(answers=answers, next=None)


async def _scanned(hrefs: Sequence[str], scan: Scan) -> AsyncGenerator[tuple[str, Header | QuadmosaicError]]:
    """Headers in order, while later ones are read already; closing the stream stops all reads."""
    waiting: deque[tuple[str, asyncio.Task[Header | QuadmosaicError]]] = deque()
    try:
        for href in hrefs:
            waiting.append((href, asyncio.create_task(_header(href, scan))))
            if len(waiting) == _AT_ONCE:
                first, task = waiting.popleft()
                yield first, await task
        while waiting:
            first, task = waiting.popleft()
            yield first, await task
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)


async def _header(href: str, scan: Scan) -> Header | QuadmosaicError:
    try:
        return await scan(href)
    except QuadmosaicError as error:
        return error


def _granule(
    granule_id: str, href: str, header: Header | QuadmosaicError, *, asset: str, body: str | None
) -> Harvest | Refusal:
    if isinstance(header, QuadmosaicError):
        return Refusal(granule_id, header.message)
    found = _body_of(header)
    foreign = other_body(body, (found,) if found else ())
    if foreign is not None:
        return Refusal(granule_id, foreign)
    if not header.crs:
        return Refusal(granule_id, "has no coordinate system")
    try:
        footprint = footprints.outline(header.crs, header_bounds(header))
    except Invalid as error:
        return Refusal(granule_id, str(error))
    properties: dict[str, Json] = {TARGETS: [found]} if found else {}
    granule = Granule(id=granule_id, hrefs={asset: href}, footprint=footprint, properties=properties)
    return Harvest(granule, headers={asset: header})


def _body_of(header: Header) -> str | None:
    try:
        return bodies.body_of(_crs(header.crs)) if header.crs else None
    except CRSError:
        return None


@lru_cache(maxsize=64)
def _crs(text: str) -> pyproj.CRS:
    return pyproj.CRS.from_user_input(text)
