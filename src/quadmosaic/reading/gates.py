"""Gates of buckets and hosts: how many requests go to one at once."""

import asyncio
from collections import defaultdict
from weakref import WeakKeyDictionary

from quadmosaic.reading.access import Place

HOST_REQUESTS = 128
"""At once to one bucket or host, over all images."""


class HostGates:
    """One gate per bucket or host and event loop, as a semaphore serves the loop that first waited for it."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, defaultdict[str, asyncio.Semaphore]] = (
            WeakKeyDictionary()
        )

    def enter(self, place: Place) -> asyncio.Semaphore:
        """The gate of a place in this event loop."""
        gates = self._by_loop.get(loop := asyncio.get_running_loop())
        if gates is None:
            gates = self._by_loop[loop] = defaultdict(lambda: asyncio.Semaphore(self._width))
        return gates[place.host]
