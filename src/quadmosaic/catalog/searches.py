"""STAC sources as a catalog: an API, a static catalog, a list of items or a GeoParquet table, found out by looking."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import IO

from quadmosaic.catalog.assets import Allowed
from quadmosaic.catalog.documents import Files
from quadmosaic.catalog.items import ItemHarvest
from quadmosaic.catalog.placing import Unplaced, placed
from quadmosaic.catalog.stac import ItemPage, StacHttp, links, search_endpoint, search_pages
from quadmosaic.catalog.stac_collections import search_of_collection
from quadmosaic.catalog.stac_http import Session
from quadmosaic.catalog.stac_parquet import parquet_pages
from quadmosaic.catalog.stac_static import catalog_pages, list_pages
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Harvest, JsonObject, Refusal
from quadmosaic.domain.sources import StacSource
from quadmosaic.ports import HarvestPage, Scan

_TABLE_BYTES = 1 << 30


async def search_source_pages(
    source: StacSource,
    *,
    assets: Sequence[str],
    body: str | None,
    http: StacHttp,
    scan: Scan,
    allowed: Allowed | None,
    files: Files,
    after: JsonObject | None,
) -> AsyncGenerator[HarvestPage]:
    """Granules in the source's order, a page in memory at a time.

    Raises Unavailable when it is out of reach or its answers are no STAC, Invalid (field "source.href" or
    "source.search") when it refuses.
    """
    harvest = ItemHarvest(assets=assets, body=body, allowed=allowed)
    session = Session(http=http)
    table = await files.opened(source.href, max_bytes=_TABLE_BYTES) if source.is_table else None
    pages = _pages(session, source, table, after)
    told_bytes = told_requests = 0
    try:
        while (found := await asyncio.to_thread(_next, pages, harvest)) is not None:
            page, answers = found
            yield HarvestPage(
                answers=tuple(await placed(answers, scan)),
                next=page.next,
                bytes=session.received - told_bytes,
                requests=session.asked - told_requests,
            )
            told_bytes, told_requests = session.received, session.asked
    finally:
        session.close()
        if table is not None:
            table.close()


def _next(
    pages: Iterator[ItemPage], harvest: ItemHarvest
) -> tuple[ItemPage, list[Harvest | Refusal | Unplaced]] | None:
    page = next(pages, None)
    if page is None:
        return None
    return page, [harvest.take(item, place=f"items[{page.number + n}]") for n, item in enumerate(page.items)]


def _pages(
    session: Session, source: StacSource, table: IO[bytes] | None, after: JsonObject | None
) -> Iterator[ItemPage]:
    if table is not None:
        return parquet_pages(source, table, after)
    match None if after is None else after.get("kind"):
        case "search":
            return search_pages(session, source, "", after)
        case "list":
            return list_pages(session, source, None, after)
        case "catalog":
            return catalog_pages(session, source, after)
        case _:
            return _found_out(session, source)


def _found_out(session: Session, source: StacSource) -> Iterator[ItemPage]:
    endpoint, landing = search_endpoint(session, source)
    if endpoint is not None:
        return search_pages(session, source, endpoint, None)
    if (through := search_of_collection(session, source, landing)) is not None:
        endpoint, narrowed = through
        return search_pages(session, narrowed, endpoint, None)
    if isinstance(landing.get("features"), list):
        return list_pages(session, source, landing, None)
    if any(link.get("rel") in ("item", "items", "child") for link in links(landing)):
        return catalog_pages(session, source, None)
    raise Invalid("is no STAC: it links to no search, no items and no catalogs", field="source.href")
