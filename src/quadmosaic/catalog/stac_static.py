"""Static STAC: catalogs walked link by link and item lists read as they are, with the search applied here."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin

import shapely
import shapely.geometry

from quadmosaic.catalog.stac import PAGE_SIZE, ItemPage, Progress, links, refused_as
from quadmosaic.catalog.stac_http import Session
from quadmosaic.domain.access import public_href
from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.searches import NO_SHAPE
from quadmosaic.domain.sources import StacSource

_AT_ONCE = 8
_DEEPEST = 32
_UNKNOWN = ("query", "filter", "sortby")


def list_pages(
    session: Session, source: StacSource, first: JsonObject | None, after: JsonObject | None
) -> Iterator[ItemPage]:
    """An ItemCollection and the pages that its next links lead to; `first` is its document, if it was read."""
    check_search(source)
    href = source.href if after is None else str(after["href"])
    progress = _progress(source, after)
    progress.check_circle({"href": href}, source.href)
    page = first if first is not None and after is None else _read(session, href)
    while True:
        items = page.get("features")
        if not isinstance(items, list):
            raise Unavailable(f"{public_href(href)} is no ItemCollection")
        link = next((each for each in links(page) if each.get("rel") == "next"), None)
        found = progress.take(items, source.href, wanted=lambda item: matches(item, source.search))
        number, progress.number = progress.number, progress.number + len(found)
        following = None if link is None or progress.left == 0 else urljoin(href, str(link["href"]))
        cursor: JsonObject | None = None
        if following is not None:
            progress.check_circle({"href": following}, source.href)
            cursor = {"kind": "list", "href": following, "left": progress.left, "number": progress.number}
        yield ItemPage(items=found, next=cursor, number=number)
        if following is None:
            return
        href = following
        page = _read(session, href)


def catalog_pages(session: Session, source: StacSource, after: JsonObject | None) -> Iterator[ItemPage]:
    """The items of a static catalog, depth first; a cursor is the way to where it goes on.

    Collections that list their items page by page, as APIs do, are on the way too.
    """
    check_search(source)
    progress = _progress(source, after)
    way = [(source.href, 0)] if after is None else [(str(h), int(n)) for h, n in _way(after)]
    documents: dict[str, JsonObject] = {}
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="stac") as pool:
        while way and progress.left != 0:
            href, place = way.pop()
            if href not in documents:
                documents = {kept: documents[kept] for kept, _ in way if kept in documents}
                documents[href] = _read(session, href)
            listed = documents[href].get("features")
            if isinstance(listed, list):
                way += _following(documents.pop(href), href, progress)
                yield _page(listed, source, progress, way)
                continue
            steps = [link for link in links(documents[href]) if link.get("rel") in ("item", "items", "child")]
            run = _run_of_items(steps[place:])
            if run:
                way.append((href, place + len(run)))
                addresses = [urljoin(href, str(link["href"])) for link in run]
                documents_read = pool.map(lambda address: _item(session, address), addresses)
                yield _page(list(documents_read), source, progress, way)
            elif place < len(steps):
                child = urljoin(href, str(steps[place]["href"]))
                if child in [h for h, _ in way] or child == href:
                    raise Unavailable(f"the links of {public_href(source.href)} go round in a circle")
                if len(way) >= _DEEPEST:
                    raise Unavailable(f"{public_href(source.href)} is more than {_DEEPEST} catalogs deep")
                way += [(href, place + 1), (child, 0)]
    yield ItemPage(items=[], next=None, number=progress.number)


def _following(page: JsonObject, href: str, progress: Progress) -> list[tuple[str, int]]:
    """The way to the next page of a list of items."""
    link = next((each for each in links(page) if each.get("rel") == "next"), None)
    if link is None:
        return []
    following = urljoin(href, str(link["href"]))
    progress.check_circle({"href": following}, href)
    return [(following, 0)]


def _page(items: list[Any], source: StacSource, progress: Progress, way: list[tuple[str, int]]) -> ItemPage:
    found = progress.take(items, source.href, wanted=lambda item: matches(item, source.search)) if items else []
    number, progress.number = progress.number, progress.number + len(found)
    cursor: JsonObject = {
        "kind": "catalog",
        "way": [[h, n] for h, n in way],
        "left": progress.left,
        "number": progress.number,
    }
    return ItemPage(items=found, next=cursor, number=number)


def check_search(source: StacSource) -> None:
    """Raise Invalid for what only an API can search by."""
    asked = next((key for key in _UNKNOWN if source.search.get(key) is not None), None)
    if asked is not None:
        raise Invalid("needs a STAC API with an item search, and this is none", field=f"source.search.{asked}")


def matches(item: Any, search: JsonObject) -> bool:
    """Is the item what the search asks for? Things that are no items are left for the harvest to refuse."""
    if not isinstance(item, dict):
        return True
    ids, collections = search.get("ids"), search.get("collections")
    if isinstance(ids, list) and ids and item.get("id") not in ids:
        return False
    if isinstance(collections, list) and collections and item.get("collection") not in collections:
        return False
    return _in_time(item, search.get("datetime")) and _in_area(item, search)


def _in_time(item: JsonObject, asked: Any) -> bool:
    if not isinstance(asked, str):
        return True
    from pystac_client.item_search import ItemSearch

    interval = str(ItemSearch("http://localhost/search", datetime=asked).get_parameters()["datetime"])
    low, _, high = interval.partition("/")
    high = high or low
    properties = item.get("properties")
    told: JsonObject = properties if isinstance(properties, dict) else {}
    start = told.get("start_datetime") or told.get("datetime")
    end = told.get("end_datetime") or told.get("datetime")
    if not isinstance(start, str) or not isinstance(end, str):
        return False
    return (low in ("", "..") or end >= low) and (high in ("", "..") or start <= high)


def _in_area(item: JsonObject, search: JsonObject) -> bool:
    area = _area(search)
    geometry = item.get("geometry")
    if area is None or not isinstance(geometry, dict):
        return area is None
    try:
        return bool(shapely.geometry.shape(geometry).intersects(area))
    except NO_SHAPE:
        return True


def _area(search: JsonObject) -> shapely.Geometry | None:
    box, shape = search.get("bbox"), search.get("intersects")
    if isinstance(box, list) and box:
        half = len(box) // 2
        west, south, east, north = (float(str(box[at])) for at in (0, 1, half, half + 1))
        if west <= east:
            return shapely.box(west, south, east, north)
        return shapely.union(shapely.box(west, south, 180, north), shapely.box(-180, south, east, north))
    if isinstance(shape, dict):
        inner = shape.get("geometry") if shape.get("type") == "Feature" else shape
        return shapely.geometry.shape(inner)
    return None


def _run_of_items(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    run: list[dict[str, Any]] = []
    for link in steps[:PAGE_SIZE]:
        if link["rel"] != "item":
            break
        run.append(link)
    return run


def _item(session: Session, href: str) -> JsonObject:
    """An item that says where it is, which its relative hrefs are relative to."""
    item = _read(session, href)
    own = [link for link in links(item) if link.get("rel") != "self"]
    return {**item, "links": [*own, {"rel": "self", "href": href}]}


def _read(session: Session, href: str) -> JsonObject:
    with refused_as("source.href"):
        document = session.json("GET", href)
    if not isinstance(document, dict):
        raise Unavailable(f"{public_href(href)} answers with something that is no STAC")
    return document


def _progress(source: StacSource, after: JsonObject | None) -> Progress:
    left = source.max_items if after is None else after.get("left")
    number = 0 if after is None else after.get("number")
    return Progress(left=left if isinstance(left, int) else None, number=number if isinstance(number, int) else 0)


def _way(after: JsonObject) -> list[tuple[Any, Any]]:
    way = after.get("way")
    return [(step[0], step[1]) for step in way if isinstance(step, list)] if isinstance(way, list) else []
