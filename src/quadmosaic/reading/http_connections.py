"""Connections to hosts, pooled by httpcore; each one's IP address is looked at before anything is sent.

httpcore takes a tenth of a second to import, so this is imported by the first request to a host.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore2

from quadmosaic.reading.faults import Unfit, Unreadable
from quadmosaic.reading.http_address import HttpAddress
from quadmosaic.reading.http_messages import CONNECT_S, REQUEST_S, HttpReply, Permits

_KEPT_S = 15.0
_PATIENCE = {"connect": CONNECT_S, "read": REQUEST_S, "write": REQUEST_S, "pool": REQUEST_S}


class HttpConnections:
    """Those of one event loop; `permits` is asked of each IP address that a name has."""

    def __init__(self, permits: Permits | None) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=None,
            keepalive_expiry=_KEPT_S,
            network_backend=_Permitted(permits),
        )

    async def ask(self, method: str, address: HttpAddress, headers: Mapping[str, str], *, most: int) -> HttpReply:
        """What the address itself answers.

        Raises Unfit for a body of more than `most` bytes, Unreadable for an IP address that is not permitted, OSError
        for a host out of reach.
        """
        url = httpcore2.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target)
        told = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        try:
            async with self._pool.stream(method, url, headers=told, extensions={"timeout": _PATIENCE}) as reply:
                body = await _body(reply, most) if reply.status in (200, 206) else b""
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.RemoteProtocolError) as error:
            raise ConnectionError(type(error).__name__) from error
        found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.headers}
        return HttpReply(status=reply.status, headers=found, body=body)


async def _body(reply: httpcore2.Response, most: int) -> bytes:
    body = bytearray()
    async for part in reply.aiter_stream():
        body += part
        if len(body) > most:
            raise Unfit
    return bytes(body)


class _Permitted(httpcore2.AsyncNetworkBackend):
    """Connects where that is permitted."""

    def __init__(self, permits: Permits | None) -> None:
        self._permits = permits
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Raises Unreadable."""
        stream = await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        permits = self._permits
        if permits is not None and _may_change(host) and not permits(stream.get_extra_info("server_addr")[0]):
            await stream.aclose()
            raise Unreadable("its host lies at a private address, which is not allowed (ALLOW_PRIVATE)")
        return stream


def _may_change(host: str) -> bool:
    """Whether a host is a name that can be made to mean another address than when it was registered."""
    if host == "localhost":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
