"""A hostile STAC server: every style of paging, and every way to fail that real servers have shown."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from listening import listening
from stac_items import Item

PAGINGS = (
    "post-token",
    "post-merge",
    "post-token-only",
    "get-token",
    "get-page",
    "get-offset",
    "get-relative",
    "post-href",
)


@dataclass(kw_only=True)
class Hostility:
    """What the server serves and how; `faults` answer the next searches, in order, instead of a page."""

    items: list[Item]
    paging: str = "post-token"
    context: str | None = None
    """"context", "numberMatched" or "lies": more than there are."""
    faults: list[str] = field(default_factory=list)
    """A status like "429" or "503 after 0", "truncated", "html", "timeout", "hang-up", "array", "huge", "flood"."""
    slash: bool | None = None
    """True: only /api/ is known; False: only /api; None: both."""
    only_get: bool = False
    endless: str | None = None
    """"same": the next page has the same items; "empty": no items; "new": items that nobody knew."""
    trailing_empty: bool = False
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    flooded: int = 0
    """Bytes that were sent for the fault "flood"."""


@contextmanager
def hostile(script: Hostility) -> Iterator[str]:
    """The root address of the server, without a slash at its end."""
    handler = type("Handler", (_Handler,), {"script": script})
    with listening(handler) as address:
        yield f"http://{address}/api"


class _Handler(BaseHTTPRequestHandler):
    script: Hostility
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        landing = {True: ("/api/",), False: ("/api",), None: ("/api", "/api/")}[self.script.slash]
        if split.path in landing:
            methods = ("GET",) if self.script.only_get else ("GET", "POST")
            links = [{"rel": "search", "href": f"{self._root()}/search", "method": method} for method in methods]
            self._json(200, {"type": "Catalog", "id": "hostile", "links": links})
        elif split.path == "/api/search":
            self._search("GET", dict(parse_qsl(split.query)))
        else:
            self._json(404, {"description": "no such page"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        query = dict(parse_qsl(urlsplit(self.path).query))
        if self.script.only_get:
            self._json(405, {"description": "use GET"})
        else:
            self._search("POST", {**body, **query})

    def _search(self, method: str, asked: dict[str, Any]) -> None:
        self.script.asked.append((method, asked))
        if self.script.faults:
            self._fault(self.script.faults.pop(0), asked)
        else:
            self._json(200, self._page(method, asked))

    def _fault(self, fault: str, asked: dict[str, Any]) -> None:
        faults: dict[str, Callable[[], None]] = {
            "truncated": lambda: self._send(200, json.dumps(self._page("POST", asked)).encode()[:-40]),
            "html": lambda: self._send(200, b"<html>down for maintenance</html>", kind="text/html"),
            "array": lambda: self._send(200, b"[1, 2]"),
            "timeout": lambda: time.sleep(1.2),
            "hang-up": lambda: self.connection.close(),
            "cut": lambda: self._send(200, b'{"features": [', length=1_000_000),
            "flood": self._flood,
            "huge": lambda: self._send(200, b'{"features": "' + b"x" * 3_000_000 + b'"}'),
        }
        if fault in faults:
            faults[fault]()
            self.close_connection = True
            return
        status, _, after = fault.partition(" after ")
        headers = {"Retry-After": after} if after else {}
        self._send(int(status), b'{"description": "secret prose"}', headers=headers)

    def _flood(self) -> None:
        """An error whose prose never ends."""
        self.send_response(400)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            while True:
                self.wfile.write(b"secret prose " * 1000)
                self.script.flooded += 13_000

    def _page(self, method: str, asked: dict[str, Any]) -> dict[str, Any]:
        script = self.script
        wanted = asked.get("ids")
        found = [item for item in script.items if not wanted or item["id"] in wanted]
        limit = int(asked.get("limit", 4))
        start = self._start(asked, limit)
        features = found[start : start + limit]
        is_more = start + limit < len(found) + (1 if script.trailing_empty else 0)
        if script.endless:
            features, is_more = self._endless(start, found[:limit]), True
        page: dict[str, Any] = {"type": "FeatureCollection", "features": features}
        page["links"] = [self._next(method, asked, start + limit, limit)] if is_more else []
        matched = len(found) * (10 if script.context == "lies" else 1)
        if script.context == "context":
            page["context"] = {"matched": matched, "returned": len(features), "limit": limit}
        elif script.context is not None:
            page |= {"numberMatched": matched, "numberReturned": len(features)}
        return page

    def _endless(self, start: int, first: list[Item]) -> list[Item]:
        match self.script.endless:
            case "same":
                return first
            case "empty":
                return []
            case _:
                return [item | {"id": f"{item['id']}-{start}"} for item in first]

    def _start(self, asked: dict[str, Any], limit: int) -> int:
        if "page" in asked:
            return (int(asked["page"]) - 1) * limit
        return int(asked.get("token", asked.get("offset", asked.get("next", 0))))

    def _next(self, method: str, asked: dict[str, Any], start: int, limit: int) -> dict[str, Any]:
        href = f"{self._root()}/search"
        rest = {key: value for key, value in asked.items() if key not in ("token", "offset", "page", "next")}
        plain = {key: value if isinstance(value, str) else json.dumps(value) for key, value in rest.items()}
        match self.script.paging:
            case "post-merge":
                body = {"token": str(start)}
                return {"rel": "next", "href": href, "method": "POST", "body": body, "merge": True}
            case "post-token-only":
                return {"rel": "next", "href": href, "method": "POST", "body": {"token": str(start)}}
            case "post-href":
                return {"rel": "next", "href": f"{href}?token={start}", "method": "POST"}
            case "get-page":
                return {"rel": "next", "href": f"{href}?" + urlencode({**plain, "page": start // limit + 1})}
            case "get-offset":
                return {"rel": "next", "href": f"{href}?" + urlencode({**plain, "offset": start})}
            case "get-token":
                return {"rel": "next", "href": f"{href}?" + urlencode({**plain, "token": start}), "method": "GET"}
            case "get-relative":
                return {"rel": "next", "href": "?" + urlencode({**plain, "next": start})}
        body = {**asked, "token": str(start)}
        return {"rel": "next", "href": href, "method": method, "body": body, "merge": False}

    def _root(self) -> str:
        return f"http://{self.headers['Host']}/api"

    def _json(self, status: int, document: dict[str, Any]) -> None:
        self._send(status, json.dumps(document).encode())

    def _send(
        self,
        status: int,
        content: bytes,
        *,
        kind: str = "application/geo+json",
        length: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""
