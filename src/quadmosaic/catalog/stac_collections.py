"""A collection's own address as a source: the search of the API that it belongs to, narrowed to the collection."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote, urljoin, urlsplit

from quadmosaic.catalog.stac import links, search_link
from quadmosaic.catalog.stac_http import Refused, Session
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.sources import StacSource

_ITEMS = re.compile(r".*/collections/([^/]+)/items/?")


def search_of_collection(session: Session, source: StacSource, document: JsonObject) -> tuple[str, StacSource] | None:
    """The address of the search and what to ask there, out of the document of a collection or of its items.

    None where it is neither, or its root links to no search or must not be asked. Raises Invalid (field
    "source.search.collections") for a search of other collections.
    """
    collection = _collection_id(source.href, document)
    root = next((str(link["href"]) for link in links(document) if link.get("rel") == "root"), None)
    if collection is None or root is None:
        return None
    address = urljoin(source.href, root)
    try:
        endpoint = search_link(session.json("GET", address), address)
    except (Refused, Invalid):
        return None
    return None if endpoint is None else (endpoint, _narrowed(source, collection))


def _collection_id(href: str, document: JsonObject) -> str | None:
    if document.get("type") == "Collection" and any(link.get("rel") == "items" for link in links(document)):
        return str(document["id"]) if isinstance(document.get("id"), str) else None
    parts = urlsplit(href)
    found = None if parts.query else _ITEMS.fullmatch(parts.path)
    return unquote(found[1]) if found is not None and isinstance(document.get("features"), list) else None


def _narrowed(source: StacSource, collection: str) -> StacSource:
    asked = source.search.get("collections")
    if isinstance(asked, list) and asked and collection not in asked:
        raise Invalid(
            f"the address is that of {collection!r}, which is none of them", field="source.search.collections"
        )
    return replace(source, search={**source.search, "collections": [collection]})
