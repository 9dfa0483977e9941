"""A budget of memory: how many bytes the reads of one image may hold at once, however many granules it has."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Budget:
    """At most `capacity` bytes, given out in the order they are asked for; who asks for more waits to be alone."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def holding(self, weight: int) -> AsyncGenerator[None]:
        """Hold so many bytes for as long as the block takes."""
        await self._take(weight)
        try:
            yield
        finally:
            self._held -= weight
            self._admit()

    async def _take(self, weight: int) -> None:
        if not self._waiting and self._has_room(weight):
            self._held += weight
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((weight, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._held -= weight
            self._admit()
            raise

    def _has_room(self, weight: int) -> bool:
        return self._held == 0 or self._held + weight <= self._capacity

    def _admit(self) -> None:
        """Let in who is next, as far as there is room; those who gave up are passed over."""
        while self._waiting:
            weight, turn = self._waiting[0]
            if not turn.cancelled():
                if not self._has_room(weight):
                    return
                self._held += weight
                turn.set_result(None)
            self._waiting.popleft()
