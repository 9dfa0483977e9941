"""Asking over HTTP: bounded retries, bounded replies, and no address that may not be fetched, redirects included.

requests costs a tenth of a second to import, so it is imported by the first question.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any

from quadmosaic.domain.access import public_href
from quadmosaic.domain.errors import Invalid, QuadmosaicError, TooLarge, Unavailable

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

PASSING = (429, 500, 502, 503, 504)
SEARCH_AT_FAULT = (400, 413, 414, 422)
_CHUNK = 1 << 16
_SHOWN = 300
"""Bytes of what a server says of an error; the rest is not read."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SLOWEST = 10
"""A reply may take so many times the time in which it must begin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StacHttp:
    """How a server is asked. `permit` raises Invalid for an address that must not be fetched, redirects included;
    `permits_address` is asked of the IP address that a connection reached.
    """

    timeout_s: float = 30.0
    retries: int = 4
    backoff_s: float = 0.5
    longest_wait_s: float = 30.0
    max_bytes: int = 64 << 20
    permit: Callable[[str], None] | None = None
    permits_address: Callable[[str], bool] | None = None
    sleep: Callable[[float], None] = time.sleep


class Refused(Exception):
    """A status that trying again does not mend."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(kw_only=True)
class Session:
    """Connections to the servers of one crawl; counts what it asked and read."""

    http: StacHttp
    asked: int = 0
    received: int = 0
    _session: requests.Session | None = field(default=None)

    def json(self, method: str, href: str, *, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        """A JSON document. Raises Refused, Unavailable, or what `permit` raises."""
        for attempt in range(self.http.retries + 1):
            is_last = attempt == self.http.retries
            content = self._content(method, href, body, query, self.http.max_bytes, attempt=attempt)
            try:
                return _plain(json.loads(content), content)
            except (ValueError, RecursionError) as error:
                # A reply that was cut short is whole the next time; a page of HTML is not, and costs a few tries.
                if is_last or not content.lstrip().startswith((b"{", b"[")):
                    raise Unavailable(f"{public_href(href)} answers with something that is no JSON") from error
                self._wait(attempt, None)
        raise Unavailable(f"{public_href(href)} cannot be reached")

    def content(self, href: str, *, max_bytes: int, into: IO[bytes] | None = None) -> bytes:
        """A whole file, or nothing where it is written `into` another one. Raises as `json`, and TooLarge."""
        return self._content("GET", href, None, None, max_bytes, attempt=0, into=into)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _content(
        self,
        method: str,
        href: str,
        body: Any,
        query: Mapping[str, str] | None,
        max_bytes: int,
        *,
        attempt: int,
        into: IO[bytes] | None = None,
    ) -> bytes:
        """Tries as often as is left after `attempt`."""
        import requests

        for number in range(attempt, self.http.retries + 1):
            is_last = number == self.http.retries
            wait: float | None = None
            try:
                self.asked += 1
                session = self._open()
                with session.request(
                    method, href, json=body, params=query, timeout=self.http.timeout_s, stream=True
                ) as reply:
                    if reply.ok:
                        return self._body(reply, href, max_bytes, into)
                    log.warning("%s answers %s: %s", public_href(href), reply.status_code, _beginning(reply))
                    if reply.status_code not in PASSING or is_last:
                        raise _refusal(href, reply.status_code)
                    wait = _retry_after(reply.headers.get("Retry-After"))
            except requests.exceptions.TooManyRedirects as error:
                raise Unavailable(f"{public_href(href)} redirects in a circle") from error
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
                raise Invalid("is no address that can be asked", field="source.href") from error
            except requests.RequestException as error:
                # What requests says of an error repeats the address.
                log.warning("%s: %s", public_href(href), type(error).__name__)
                if is_last:
                    raise Unavailable(f"{public_href(href)} cannot be reached") from error
            self._wait(number, wait)
        raise Unavailable(f"{public_href(href)} cannot be reached")

    def _body(self, reply: requests.Response, href: str, max_bytes: int, into: IO[bytes] | None) -> bytes:
        end = time.monotonic() + self.http.timeout_s * _SLOWEST
        found, length = bytearray(), 0
        if into is not None:
            into.seek(0)
            into.truncate()
        for chunk in reply.iter_content(_CHUNK):
            length += len(chunk)
            (found.extend if into is None else into.write)(chunk)
            if length > max_bytes:
                raise TooLarge(f"{public_href(href)} answers with more than {max_bytes} bytes")
            if time.monotonic() > end:
                raise Unavailable(f"{public_href(href)} answers too slowly")
        self.received += length
        return bytes(found)

    def _wait(self, attempt: int, retry_after: float | None) -> None:
        wait = self.http.backoff_s * 2**attempt if retry_after is None else retry_after
        self.http.sleep(min(wait, self.http.longest_wait_s))

    def _open(self) -> requests.Session:
        if self._session is None:
            self._session = _session(self.http)
        return self._session


def _plain(document: Any, content: bytes) -> Any:
    """The document with a question mark for half of a surrogate pair, which no record can hold."""
    if _SURROGATE.search(content) is None:
        return document
    return json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))


def _refusal(href: str, status: int) -> QuadmosaicError | Refused:
    if status in PASSING:
        return Unavailable(f"{public_href(href)} answered with status {status}")
    return Refused(status) if 400 <= status < 500 else Unavailable(f"{public_href(href)} answered with status {status}")


def _beginning(reply: requests.Response) -> str:
    first: bytes = next(reply.iter_content(_SHOWN), b"")
    return first.decode(errors="replace")


def _retry_after(text: str | None) -> float | None:
    """Seconds, out of a number or a date."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None


def _session(http: StacHttp) -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    def check(connection: HTTPConnection, socket: Any) -> Any:
        """A name may resolve to another address than the one that was looked at before."""
        address = socket.getpeername()[0]
        if http.permits_address is not None and connection.proxy is None and not http.permits_address(address):
            socket.close()
            raise Invalid("lies at a private address, which is not allowed (ALLOW_PRIVATE)", field="source.href")
        return socket

    class CheckedConnection(HTTPConnection):
        def _new_conn(self) -> Any:
            return check(self, super()._new_conn())

    class CheckedSecureConnection(HTTPSConnection):
        def _new_conn(self) -> Any:
            return check(self, super()._new_conn())

    class CheckedPool(HTTPConnectionPool):
        ConnectionCls = CheckedConnection

    class CheckedSecurePool(HTTPSConnectionPool):
        ConnectionCls = CheckedSecureConnection

    class PermittedAdapter(HTTPAdapter):
        """Asks before every request, and so before every redirect."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": CheckedPool, "https": CheckedSecurePool}

        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            if http.permit is not None:
                http.permit(request.url)
            return super().send(request, *args, **kwargs)

    session = requests.Session()
    session.max_redirects = 10
    # Credentials of the user's own netrc are not for the addresses that others name.
    session.auth = lambda request: request
    session.headers["Accept"] = "application/geo+json, application/json"
    for scheme in ("http://", "https://"):
        session.mount(scheme, PermittedAdapter(max_retries=0))
    return session
