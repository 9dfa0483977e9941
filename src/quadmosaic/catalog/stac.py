"""A STAC API as a catalog: an item search, read page by page, its items turned into granules."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from quadmosaic.catalog.stac_http import SEARCH_AT_FAULT, Refused, Session, StacHttp
from quadmosaic.domain.access import public_href
from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.sources import StacSource

__all__ = ["StacHttp"]

log = logging.getLogger(__name__)

PAGE_SIZE = 200
_POST_UNKNOWN = (404, 405, 415, 501)
_BARREN_PAGES = 5
"""Pages in a row without a new item, after which a server is said to give them without end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemPage:
    """Items, and the request for what follows them; `number` counts items before this page."""

    items: list[Any]
    next: JsonObject | None
    number: int = 0


@dataclass(kw_only=True)
class Progress:
    """What tells an endless listing from a long one; `left` is what `max_items` still allows."""

    left: int | None
    number: int = 0
    barren: int = 0
    asked: set[str] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)

    def take(self, items: list[Any], href: str, *, wanted: Callable[[Any], bool] | None = None) -> list[Any]:
        """The items that still count, and are `wanted`. Raises Unavailable when page after page has nothing new."""
        fresh = [hash(_identity(item)) for item in items]
        is_barren = all(key in self.seen for key in fresh)
        self.seen.update(fresh)
        self.barren = self.barren + 1 if is_barren else 0
        if self.barren > _BARREN_PAGES:
            raise Unavailable(f"{public_href(href)} gives page after page without a new item")
        chosen = items if wanted is None else [item for item in items if wanted(item)]
        taken = chosen if self.left is None else chosen[: self.left]
        self.left = None if self.left is None else self.left - len(taken)
        return taken

    def check_circle(self, request: JsonObject, href: str) -> None:
        key = json.dumps(request, sort_keys=True)
        if key in self.asked:
            raise Unavailable(f"the pages of {public_href(href)} go round in a circle")
        self.asked.add(key)


def search_pages(session: Session, source: StacSource, endpoint: str, after: JsonObject | None) -> Iterator[ItemPage]:
    """The pages of an item search. Raises Unavailable or Invalid (field "source.href" or "source.search")."""
    progress = Progress(left=_left(source, after), number=_number(after))
    if after is None:
        request, page = _first_page(session, endpoint, source)
    else:
        request = after["request"] if isinstance(after["request"], dict) else {}
        progress.check_circle(request, source.href)
        page = _ask(session, request)
    while True:
        items = page.get("features") if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise Unavailable(f"{public_href(source.href)} answers a search with something that is no ItemCollection")
        taken = progress.take(items, source.href)
        number, progress.number = progress.number, progress.number + len(taken)
        following = None if progress.left == 0 else _next_request(page, request, endpoint)
        if following is None and progress.left != 0:
            _check_whole(page, items, request, seen=progress.number, href=source.href)
        cursor: JsonObject | None = None
        if following is not None:
            progress.check_circle(following, source.href)
            cursor = {"kind": "search", "request": following, "left": progress.left, "number": progress.number}
        yield ItemPage(items=taken, next=cursor, number=number)
        if following is None:
            return
        request = following
        page = _ask(session, request)


def search_endpoint(session: Session, source: StacSource) -> tuple[str | None, JsonObject]:
    """The address of the item search, as the landing page says, and the page; None where it links to none.

    An address that ends in /search is one already.
    """
    if urlsplit(source.href).path.rstrip("/").endswith("/search"):
        return source.href, {}
    landing = _landing(session, source.href)
    return search_link(landing, source.href), landing


def search_link(landing: Any, href: str) -> str | None:
    """Where the landing page at `href` says that the item search is; by POST, if it is told apart."""
    found = [link for link in links(landing) if link.get("rel") == "search"]
    if not found:
        return None
    post = next((link for link in found if str(link.get("method", "")).upper() == "POST"), found[0])
    return urljoin(f"{href.rstrip('/')}/", str(post["href"]))


def links(document: Any) -> list[dict[str, Any]]:
    """A document's links that have an address."""
    found = document.get("links") if isinstance(document, dict) else None
    return [link for link in found or () if isinstance(link, dict) and _is_address(link.get("href"))]


def _is_address(href: Any) -> bool:
    try:
        return isinstance(href, str) and bool(urlsplit(href))
    except ValueError:
        return False


@contextmanager
def refused_as(field: str) -> Iterator[None]:
    """Refusals of the server as ours; `field` is what it finds fault with."""
    try:
        yield
    except Refused as error:
        if error.status in SEARCH_AT_FAULT:
            raise Invalid(f"the STAC API refused it with status {error.status}", field=field) from error
        raise Invalid(f"answered with status {error.status}", field="source.href") from error


def _landing(session: Session, href: str) -> JsonObject:
    """The landing page, with or without the slash that some servers insist on and others do not know."""
    other = href.rstrip("/") if href.endswith("/") else f"{href}/"
    with refused_as("source.href"):
        try:
            found = session.json("GET", href)
        except Refused as error:
            if error.status != 404 or urlsplit(href).query:
                raise
            try:
                found = session.json("GET", other)
            except Refused:
                raise error from None
    if not isinstance(found, dict):
        raise Unavailable(f"{public_href(href)} answers with something that is no STAC")
    return found


def _first_page(session: Session, endpoint: str, source: StacSource) -> tuple[JsonObject, Any]:
    """The request and the first page; by GET where POST is not known."""
    # CQL2 as text is a parameter of GET only.
    method = "GET" if isinstance(source.search.get("filter"), str) else "POST"
    request = _request(endpoint, method, source)
    with refused_as("source.search"):
        try:
            return request, _ask_plainly(session, request)
        except Refused as error:
            if method == "GET" or error.status not in _POST_UNKNOWN:
                raise
            request = _request(endpoint, "GET", source)
            try:
                return request, _ask_plainly(session, request)
            except Refused:
                raise error from None


def _request(endpoint: str, method: str, source: StacSource) -> JsonObject:
    """The search in pystac-client's form, which writes out short dates ("2020" is a year) and sort texts."""
    from pystac_client.item_search import ItemSearch

    search: dict[str, Any] = dict(source.search)
    try:
        parameters: JsonObject = ItemSearch(
            endpoint,
            method=method,
            max_items=source.max_items,
            limit=search.get("limit") or PAGE_SIZE,
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
    return {"href": endpoint, "method": method, "parameters": parameters}


def _ask(session: Session, request: JsonObject) -> Any:
    with refused_as("source.search"):
        return _ask_plainly(session, request)


def _ask_plainly(session: Session, request: JsonObject) -> Any:
    parameters = request.get("parameters")
    if request["method"] == "POST":
        return session.json("POST", str(request["href"]), body=parameters)
    query = {key: value if isinstance(value, str) else json.dumps(value) for key, value in _pairs(parameters).items()}
    return session.json("GET", str(request["href"]), query=query)


def _pairs(parameters: Any) -> JsonObject:
    return parameters if isinstance(parameters, dict) else {}


def _next_request(page: Any, request: JsonObject, endpoint: str) -> JsonObject | None:
    """What the next link asks for.

    The body of a POST link is put on top of the search: some servers say only what is new without saying so, and
    where the body is complete that changes nothing.
    """
    link = next((each for each in links(page) if each.get("rel") == "next"), None)
    if link is None:
        return None
    href = urljoin(str(request["href"]) or endpoint, str(link["href"]))
    if str(link.get("method", "GET")).upper() != "POST":
        return {"href": href, "method": "GET", "parameters": {}}
    body = link.get("body")
    search = _pairs(request.get("parameters")) if request["method"] == "POST" else {}
    return {"href": href, "method": "POST", "parameters": {**search, **(body if isinstance(body, dict) else {})}}


def _check_whole(page: Any, items: list[Any], request: JsonObject, *, seen: int, href: str) -> None:
    """Raise Unavailable for a full page that is the last, by a server which says that there is more."""
    context = page.get("context")
    told = [page.get("numberMatched"), context.get("matched") if isinstance(context, dict) else None]
    matched = next((each for each in told if isinstance(each, int) and not isinstance(each, bool)), None)
    limit = _pairs(request.get("parameters")).get("limit")
    if matched is not None and matched > seen and items and str(len(items)) == str(limit):
        raise Unavailable(f"{public_href(href)} says that {matched} items match, and links to no page after {seen}")


def _left(source: StacSource, after: JsonObject | None) -> int | None:
    left = source.max_items if after is None else after.get("left")
    return left if isinstance(left, int) else None


def _number(after: JsonObject | None) -> int:
    number = 0 if after is None else after.get("number")
    return number if isinstance(number, int) else 0


def _identity(item: Any) -> str:
    if not isinstance(item, dict):
        return repr(item)
    return f"{item.get('collection')}/{item.get('id')}" if "id" in item else repr(item)
