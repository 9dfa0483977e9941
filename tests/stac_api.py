"""A small STAC API on 127.0.0.1: a landing page and an item search with paging, by POST body or by GET address."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from listening import listening
from stac_items import COLLECTION, Item


@dataclass(kw_only=True)
class Script:
    """What the API serves and how it misbehaves; `asked` collects the searches as (method, parameters)."""

    items: list[Item]
    paging: str = "token"
    """"token" (POST body), "merge" (POST body to be merged), "get" (a relative GET address) or "circle"."""
    failures: list[int] = field(default_factory=list)
    """Status codes to answer the next searches with."""
    allows_post: bool = True
    garbage: bytes | None = None
    has_search: bool = True
    has_children: bool = False
    root: str | None = None
    """Where the collection says that the API is; its own address when None."""
    redirect: str | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """The root address of an API that follows `script`."""
    handler = type("Handler", (_Handler,), {"script": script})
    with listening(handler) as address:
        yield f"http://{address}/api"


class _Handler(BaseHTTPRequestHandler):
    script: Script

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        if split.path == "/api":
            self._answer(200, self._landing())
        elif split.path == "/api/search":
            self._search("GET", dict(parse_qsl(split.query)))
        elif split.path == f"/api/collections/{COLLECTION}":
            self._answer(200, {"type": "Collection", "id": COLLECTION, "links": self._collection_links()})
        elif split.path == f"/api/collections/{COLLECTION}/items":
            self._items(dict(parse_qsl(split.query)))
        else:
            self._answer(404, {"description": "no such page"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.script.allows_post:
            self._answer(405, {"description": "use GET"})
        else:
            self._search("POST", body)

    def _landing(self) -> dict[str, Any]:
        search = [{"rel": "search", "href": f"{self._root()}/search", "method": method} for method in ("GET", "POST")]
        child = [{"rel": "child", "href": f"{self._root()}/collections/{COLLECTION}"}]
        shown = [*(search if self.script.has_search else []), *(child if self.script.has_children else [])]
        return {"type": "Catalog", "id": "test", "links": shown}

    def _collection_links(self) -> list[dict[str, Any]]:
        items = {"rel": "items", "href": f"{self._root()}/collections/{COLLECTION}/items"}
        return [items, {"rel": "root", "href": self.script.root or self._root()}]

    def _items(self, asked: dict[str, Any]) -> None:
        """OGC API Features: the items of the collection, whose next page is a GET address."""
        self.script.asked.append(("ITEMS", asked))
        page = self._page(asked)
        following = [{**link, "href": f"?token={link['body']['token']}"} for link in page["links"]]
        links = [{"rel": link["rel"], "href": link["href"]} for link in following] + self._collection_links()[1:]
        self._answer(200, {**page, "links": links})

    def _search(self, method: str, asked: dict[str, Any]) -> None:
        script = self.script
        script.asked.append((method, asked))
        if script.redirect is not None:
            self.send_response(307)
            self.send_header("Location", script.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif script.failures:
            self._answer(script.failures.pop(0), {"description": "secret prose of the API"})
        elif script.garbage is not None:
            self._send(200, script.garbage)
        else:
            self._answer(200, self._page(asked))

    def _page(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [item for item in self.script.items if not asked.get("ids") or item["id"] in asked["ids"]]
        found = [item for item in found if item.get("collection") in asked.get("collections", [item.get("collection")])]
        start, limit = int(asked.get("token", 0)), int(asked.get("limit", 10))
        links = [self._next(asked, start + limit)] if start + limit < len(found) else []
        return {"type": "FeatureCollection", "features": found[start : start + limit], "links": links}

    def _next(self, asked: dict[str, Any], start: int) -> dict[str, Any]:
        match self.script.paging:
            case "merge":
                body = {"token": str(start)}
                return {"rel": "next", "href": f"{self._root()}/search", "method": "POST", "body": body, "merge": True}
            case "get":
                return {"rel": "next", "href": "/api/search?" + urlencode({**asked, "token": start})}
            case "circle":
                start = 0
        body = {**asked, "token": str(start)}
        return {"rel": "next", "href": f"{self._root()}/search", "method": "POST", "body": body, "merge": False}

    def _root(self) -> str:
        return f"http://{self.headers['Host']}/api"

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        self._send(status, json.dumps(document).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/geo+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""
