"""Connections to hosts, kept for a while; each one's IP address is looked at before anything is sent."""

import asyncio
import ipaddress
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import h11

from quadmosaic.reading.faults import Unfit, Unreadable
from quadmosaic.reading.http_address import HttpAddress

type Permits = Callable[[str], bool]
"""May a connection to that IP address be used?"""

CONNECT_S = 5
_KEPT_S = 15.0
_CHUNK = 1 << 18


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpReply:
    """Header names are in lower case; there is a body only with 200 and 206."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True)
class HttpConnections:
    """Those of one event loop."""

    permits: Permits | None
    _idle: defaultdict[tuple[str, str, int], list["_Connection"]] = field(default_factory=lambda: defaultdict(list))

    async def ask(self, method: str, address: HttpAddress, headers: Mapping[str, str], *, most: int) -> HttpReply:
        """What the address itself answers.

        Raises Unfit for a body of more than `most` bytes, Unreadable for an IP address that is not permitted, OSError
        or h11.RemoteProtocolError for a host out of reach.
        """
        idle = self._idle[address.origin]
        while idle and not idle[-1].is_usable:
            idle.pop().close()
        connection = idle.pop() if idle else await _connected(address, self.permits)
        try:
            reply = await connection.ask(method, address, headers, most)
        except BaseException:
            connection.close()
            raise
        if connection.is_usable:
            idle.append(connection)
        else:
            connection.close()
        return reply


class _Connection:
    """One request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._protocol = h11.Connection(h11.CLIENT)
        self._used = time.monotonic()

    @property
    def is_usable(self) -> bool:
        """Has the last reply been read to its end, and does the server still listen?"""
        is_idle = self._protocol.our_state is self._protocol.their_state is h11.IDLE
        return is_idle and not self._reader.at_eof() and time.monotonic() - self._used < _KEPT_S

    async def ask(self, method: str, address: HttpAddress, headers: Mapping[str, str], most: int) -> HttpReply:
        told = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        request = h11.Request(method=method, target=address.target, headers=told)
        self._writer.write((self._protocol.send(request) or b"") + (self._protocol.send(h11.EndOfMessage()) or b""))
        await self._writer.drain()
        while not isinstance(reply := await self._event(), h11.Response):
            pass
        body = bytearray()
        if reply.status_code in (200, 206):
            while isinstance(event := await self._event(), h11.Data):
                body += event.data
                if len(body) > most:
                    raise Unfit
            if self._protocol.their_state is h11.DONE:
                self._protocol.start_next_cycle()
        self._used = time.monotonic()
        found = {name.decode("latin-1"): value.decode("latin-1") for name, value in reply.headers}
        return HttpReply(status=reply.status_code, headers=found, body=bytes(body))

    def close(self) -> None:
        self._writer.close()

    async def _event(self) -> object:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self._reader.read(_CHUNK))
        return event


async def _connected(address: HttpAddress, permits: Permits | None) -> _Connection:
    _, host, port = address.origin
    async with asyncio.timeout(CONNECT_S):
        reader, writer = await asyncio.open_connection(
            host, port, ssl=_trusted() if address.scheme == "https" else None, limit=_CHUNK
        )
    if permits is not None and _may_change(host) and not permits(writer.get_extra_info("peername")[0]):
        writer.close()
        raise Unreadable("its host lies at a private address, which is not allowed (ALLOW_PRIVATE)")
    return _Connection(reader, writer)


@cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates and those of certifi, for systems that have none."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _may_change(host: str) -> bool:
    """Whether a host is a name that can be made to mean another address than when it was registered."""
    if host == "localhost":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
