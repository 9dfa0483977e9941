"""Gates of buckets and hosts: how many requests go to one at once, and whether its name still leads where it may."""

import asyncio
import ipaddress
import socket
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from quadmosaic.reading.access import Place
from quadmosaic.reading.faults import Unreadable

HOST_REQUESTS = 128
"""At once to one bucket or host, over all images."""
REMEMBERED_S = 60.0
_MOST_HOSTS = 1024

type Permits = Callable[[str], bool]
"""May a connection to that IP address be used?"""

type Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""IP addresses of a host, none where its name does not resolve."""


async def addresses(name: str) -> list[str]:
    """As the system's resolver gives them."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


class HostGates:
    """One gate per bucket or host and event loop: a semaphore serves the loop that first waited for it, and no other.

    With `permits` the addresses of a host are looked at once a minute.
    """

    def __init__(self, width: int, *, permits: Permits | None = None, resolve: Resolve = addresses) -> None:
        self._width = width
        self._permits = permits
        self._resolve = resolve
        self._refused: dict[str, tuple[float, bool]] = {}
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, defaultdict[str, asyncio.Semaphore]] = (
            WeakKeyDictionary()
        )

    async def enter(self, place: Place) -> asyncio.Semaphore:
        """The gate of a place in this event loop. Raises Unreadable where its host may not be read."""
        if self._permits is not None and await self._is_refused(place.host, self._permits):
            raise Unreadable("its host now lies at a private address, which is not allowed (ALLOW_PRIVATE)")
        gates = self._by_loop.get(loop := asyncio.get_running_loop())
        if gates is None:
            gates = self._by_loop[loop] = defaultdict(lambda: asyncio.Semaphore(self._width))
        return gates[place.host]

    async def _is_refused(self, host: str, permits: Permits) -> bool:
        """Whether a name has come to mean another address than one that may be read; an address itself never does."""
        name = urlsplit(host).hostname
        if name is None or name == "localhost" or _is_address(name):
            return False
        now = time.monotonic()
        known = self._refused.get(name)
        if known is None or now - known[0] > REMEMBERED_S:
            while len(self._refused) >= _MOST_HOSTS:
                self._refused.pop(next(iter(self._refused)))
            known = self._refused[name] = (now, not all(map(permits, await self._resolve(name))))
        return known[1]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
