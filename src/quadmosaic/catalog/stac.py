"""A STAC API as a catalog: an item search, read page by page, its items turned into granules.

pystac-client costs half a second to import, so it is imported by the first search.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from quadmosaic.catalog.items import ItemHarvest
from quadmosaic.domain.errors import Invalid, QuadmosaicError, Unavailable
from quadmosaic.domain.granules import Harvest, JsonObject, Refusal
from quadmosaic.domain.sources import StacSource

if TYPE_CHECKING:
    from pystac_client.stac_api_io import StacApiIO

log = logging.getLogger(__name__)

_PAGE_SIZE = 200
_PASSING = (429, 502, 503, 504)
_SEARCH_AT_FAULT = (400, 413, 414, 422)


@dataclass(frozen=True, kw_only=True, slots=True)
class StacHttp:
    """How a STAC API is asked. `permit` raises Invalid for an address that must not be fetched, redirects included."""

    timeout_s: float = 30.0
    retries: int = 3
    backoff_s: float = 0.5
    permit: Callable[[str], None] | None = None


async def harvest_search(
    source: StacSource, *, assets: Sequence[str], body: str | None, http: StacHttp
) -> AsyncGenerator[Harvest | Refusal]:
    """Granules in the API's order, a page in memory at a time.

    Raises Unavailable when the API is out of reach or its answers are no STAC, Invalid (field "source.href" or
    "source.search") when it refuses.
    """
    harvest = ItemHarvest(assets=assets, body=body)
    pages = _pages(source, http)
    while (granules := await asyncio.to_thread(_next_granules, pages, harvest)) is not None:
        for granule in granules:
            yield granule


def _next_granules(pages: Iterator[list[Any]], harvest: ItemHarvest) -> list[Harvest | Refusal] | None:
    page = next(pages, None)
    if page is None:
        return None
    return [harvest.take(item, place=f"items[{number}]") for number, item in enumerate(page)]


def _pages(source: StacSource, http: StacHttp) -> Iterator[list[Any]]:
    """The items of each page, at most `max_items` together."""
    stac_io = _stac_io(http)
    try:
        endpoint = _endpoint(stac_io, source.href)
        parameters, page = _first_page(stac_io, endpoint, source)
        left = source.max_items
        asked: set[str] = set()
        while True:
            items = page.get("features") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise Unavailable(f"{source.href} answers a search with something that is no ItemCollection")
            yield items[:left]
            left = None if left is None else left - len(items)
            link = _next_link(page, endpoint)
            if link is None or (left is not None and left <= 0):
                return
            if json.dumps(link, sort_keys=True) in asked:
                raise Unavailable(f"the pages of {source.href} go round in a circle")
            asked.add(json.dumps(link, sort_keys=True))
            page = _follow(stac_io, link, parameters, source.href)
    finally:
        stac_io.session.close()


def _stac_io(http: StacHttp) -> StacApiIO:
    from pystac_client.stac_api_io import StacApiIO
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    class PermittedAdapter(HTTPAdapter):
        """Asks before every request, and so before every redirect."""

        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            if http.permit is not None:
                http.permit(request.url)
            return super().send(request, *args, **kwargs)

    # A Retry-After may be hours; a build would rather fail and be tried again.
    retry = Retry(
        total=http.retries,
        backoff_factor=http.backoff_s,
        status_forcelist=_PASSING,
        allowed_methods=None,
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    stac_io = StacApiIO(timeout=http.timeout_s, max_retries=None)
    for scheme in ("http://", "https://"):
        stac_io.session.mount(scheme, PermittedAdapter(max_retries=retry))
    return stac_io


def _endpoint(stac_io: StacApiIO, href: str) -> str:
    """The address of the item search, as the landing page says; an address that ends in /search is one already."""
    if urlsplit(href).path.rstrip("/").endswith("/search"):
        return href
    with _translated(href, refused="source.href"):
        landing = stac_io.read_json(href)
    links = [link for link in _links(landing) if link.get("rel") == "search"]
    if not links:
        raise Invalid("is no STAC API with an item search: it links to none", field="source.href")
    post = next((link for link in links if str(link.get("method", "")).upper() == "POST"), links[0])
    return urljoin(f"{href.rstrip('/')}/", str(post["href"]))


def _first_page(stac_io: StacApiIO, endpoint: str, source: StacSource) -> tuple[dict[str, Any], JsonObject]:
    """The parameters that a link to the next page may refer to, and the first page; GET where POST is not allowed."""
    from pystac_client.exceptions import APIError

    # CQL2 as text is a parameter of GET only.
    method = "GET" if isinstance(source.search.get("filter"), str) else "POST"
    parameters = _parameters(endpoint, method, source)
    with _translated(source.href, refused="source.search"):
        try:
            return parameters, stac_io.read_json(endpoint, method=method, parameters=parameters)
        except APIError as error:
            if method == "GET" or getattr(error, "status_code", None) != 405:
                raise
        parameters = _parameters(endpoint, "GET", source)
        return parameters, stac_io.read_json(endpoint, method="GET", parameters=parameters)


def _parameters(endpoint: str, method: str, source: StacSource) -> dict[str, Any]:
    """The search in pystac-client's form, which writes out short dates ("2020" is a year) and sort texts."""
    from pystac_client.item_search import ItemSearch

    search: dict[str, Any] = dict(source.search)
    try:
        return ItemSearch(
            endpoint,
            method=method,
            max_items=source.max_items,
            limit=search.get("limit") or _PAGE_SIZE,
            ids=search.get("ids"),
            collections=search.get("collections"),
            bbox=search.get("bbox"),
            intersects=search.get("intersects"),
            datetime=search.get("datetime"),
            query=search.get("query"),
            filter=search.get("filter"),
            filter_lang=search.get("filter-lang") or ("cql2-text" if method == "GET" else "cql2-json"),
            sortby=search.get("sortby"),
        ).get_parameters()
    except ValueError as error:
        raise Invalid(f"is not a time: {error}", field="source.search.datetime") from error


def _follow(stac_io: StacApiIO, link: dict[str, Any], parameters: dict[str, Any], href: str) -> JsonObject:
    from pystac.link import Link

    with _translated(href, refused="source.search"):
        page: JsonObject = stac_io.read_json(Link.from_dict(link), parameters=parameters)
        return page


def _next_link(page: JsonObject, endpoint: str) -> dict[str, Any] | None:
    link = next((link for link in _links(page) if link.get("rel") == "next"), None)
    return None if link is None else {**link, "href": urljoin(endpoint, str(link["href"]))}


def _links(document: Any) -> list[dict[str, Any]]:
    links = document.get("links") if isinstance(document, dict) else None
    return [link for link in links or () if isinstance(link, dict) and isinstance(link.get("href"), str)]


@contextmanager
def _translated(href: str, *, refused: str) -> Iterator[None]:
    """Errors of the API as ours; what it wrote goes to the log only. `refused` is the field it finds fault with."""
    from pystac_client.exceptions import APIError

    try:
        yield
    except APIError as error:
        if isinstance(error.__context__, QuadmosaicError):
            raise error.__context__ from None
        status = getattr(error, "status_code", None)
        log.warning("STAC API %s: %s %s", href, status or "no answer", str(error)[:500])
        raise _refusal(href, status, refused) from error
    except ValueError as error:
        raise Unavailable(f"{href} answers with something that is no JSON") from error


def _refusal(href: str, status: int | None, refused: str) -> Invalid | Unavailable:
    if status is None:
        return Unavailable(f"{href} cannot be reached")
    if status in _SEARCH_AT_FAULT:
        return Invalid(f"the STAC API refused it with status {status}", field=refused)
    if 400 <= status < 500 and status not in _PASSING:
        return Invalid(f"answered with status {status}", field="source.href")
    return Unavailable(f"{href} answered with status {status}")
