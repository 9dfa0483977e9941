"""Files of http and https hosts: no redirect is followed, and no address asked that is not permitted."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.http_address import HttpAddress
from quadmosaic.reading.http_messages import REQUEST_S, HttpReply, Permits

if TYPE_CHECKING:
    from quadmosaic.reading.http_connections import HttpConnections

RETRIES = 2
_BACKOFF_S = 0.1
_PASSING = (429, 500, 502, 503, 504)
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "quadmosaic"}


class HttpHosts:
    """The connections to hosts, those of the event loop that asked last; `permits` is asked of each IP address."""

    def __init__(self, permits: Permits | None) -> None:
        self._permits = permits
        self._kept: tuple[asyncio.AbstractEventLoop, HttpConnections] | None = None

    async def ask(self, method: str, address: HttpAddress, headers: Mapping[str, str], *, most: int) -> HttpReply:
        """What the address itself answers, after bounded retries.

        Raises Unfit for a body of more than `most` bytes, Unreadable for a redirect, an IP address that is not
        permitted, and a host out of reach.
        """
        told = {**_HEADERS, **address.headers, **headers}
        for attempt in range(RETRIES + 1):
            is_last = attempt == RETRIES
            try:
                async with asyncio.timeout(REQUEST_S):
                    reply = await self._connections().ask(method, address, told, most=most)
            except OSError as error:
                if is_last:
                    raise Unreadable("the file is out of reach", passing=True) from error
            else:
                if 300 <= reply.status < 400:
                    raise Unreadable("its address redirects, which is not followed: give the address that it leads to")
                if is_last or reply.status not in _PASSING:
                    return reply
            await asyncio.sleep(_BACKOFF_S * 2**attempt)
        raise AssertionError("the last try returns or raises")

    def disconnect(self) -> None:
        """Forget the connections."""
        self._kept = None

    def _connections(self) -> "HttpConnections":
        from quadmosaic.reading.http_connections import HttpConnections

        loop = asyncio.get_running_loop()
        if self._kept is None or self._kept[0] is not loop:
            self._kept = loop, HttpConnections(permits=self._permits)
        return self._kept[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpFile:
    """A file of a host."""

    hosts: HttpHosts
    address: HttpAddress

    async def ask(self, method: str, headers: Mapping[str, str], *, most: int) -> HttpReply:
        """As `HttpHosts.ask`."""
        return await self.hosts.ask(method, self.address, headers, most=most)
