"""A server of byte ranges for tests: ETags, conditional requests, and a note of everything that was asked for."""

import contextlib
import hashlib
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Asked:
    """One request: `span` is (start, stop) of its bytes, None for a whole file."""

    method: str
    key: str
    span: tuple[int, int] | None


class RangeServer(ThreadingHTTPServer):
    """Serves a folder, and notes how many requests were under way at once.

    Keys with `slow` wait while `is_slow`, keys with `secret` are forbidden, keys with `plain` have no ETag.

    Keys with `lax` are served whatever If-Match says, keys with `weak` have a weak ETag, keys with `whole` come without
    byte ranges, and GET of keys with `moved` is sent on to the same key without that at `elsewhere`, HEAD is not.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, *, delay_s: float = 0.4) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.delay_s = delay_s
        self.is_slow = True
        self.elsewhere = ""
        self.under_way = 0
        self.most_at_once = 0
        self.counting = threading.Lock()
        self.asked: list[Asked] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def count(self, step: int) -> None:
        """Note that a request began (1) or ended (-1)."""
        with self.counting:
            self.under_way += step
            self.most_at_once = max(self.most_at_once, self.under_way)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self) -> list[Asked]:
        """What was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked


class _Handler(BaseHTTPRequestHandler):
    server: RangeServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        key = self.path.lstrip("/")
        path = self.server.folder / key.partition("?")[0]
        body = path.read_bytes() if path.is_file() else b""
        span = self._span(len(body))
        self.server.asked.append(Asked(self.command, key, span))
        self.server.count(1)
        if "slow" in key and self.server.is_slow:
            time.sleep(self.server.delay_s)
        etag = f'{"W/" * ("weak" in key)}"{hashlib.md5(body).hexdigest()}"'
        status = self._status(key, path, etag, span)
        sent = body[slice(*span)] if span and status == 206 else body if status == 200 else b""
        is_moved = "moved" in key and (self.command == "GET" or "moved-always" in key)
        self.send_response(302 if is_moved else status)
        if is_moved:
            self.send_header("Location", f"{self.server.elsewhere}/{key.rpartition('moved-')[2]}")
        if status == 206 and span:
            self.send_header("Content-Range", f"bytes {span[0]}-{span[1] - 1}/{len(body)}")
        if "plain" not in key:
            self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Fri, 20 Nov 2026 10:00:00 GMT")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.server.count(-1)
        if self.command == "GET":
            with contextlib.suppress(ConnectionError):
                self.wfile.write(sent)

    do_HEAD = do_GET  # noqa: N815

    def _span(self, size: int) -> tuple[int, int] | None:
        if "range" not in self.headers or "whole" in self.path:
            return None
        first, last = self.headers["range"].removeprefix("bytes=").split("-")
        return int(first), min(int(last or size - 1) + 1, size)

    def _status(self, key: str, path: Path, etag: str, span: tuple[int, int] | None) -> int:
        if "secret" in key:
            return 403
        if not path.is_file():
            return 404
        if "lax" not in key and self.headers.get("if-match", etag) != etag:
            return 412
        if span is not None and span[0] >= span[1]:
            return 416
        return 200 if span is None else 206

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
