"""Single flight: however many ask for a key at once, one of them loads it."""

import asyncio
from collections.abc import Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Protocol


class Load[T](Protocol):
    """Starts to load a value."""

    def __call__(self) -> Coroutine[Any, Any, T]: ...


@dataclass(slots=True, eq=False)
class Flight[T]:
    """A load under way, and how many wait for it."""

    key: Hashable
    task: asyncio.Task[T]
    waiting: int = 0


class Flights[T]:
    """Loads under way, by key; for one event loop at a time, and for one after another.

    A caller who gives up does not stop a load for the others; when all have given up it goes on for the next one who
    asks, or ends with `stop_abandoned`.
    """

    def __init__(self, *, stop_abandoned: bool = False) -> None:
        self._flights: dict[Hashable, Flight[T]] = {}
        self._stop_abandoned = stop_abandoned

    def __contains__(self, key: Hashable) -> bool:
        """Whether this event loop is loading it."""
        flight = self._flights.get(key)
        return flight is not None and flight.task.get_loop() is asyncio.get_running_loop()

    async def join(self, key: Hashable, load: Load[T]) -> T:
        """The value of the load under way, or of a new one."""
        flight = self.board(key, load)
        try:
            return await asyncio.shield(flight.task)
        finally:
            self.leave(flight)

    def board(self, key: Hashable, load: Load[T]) -> Flight[T]:
        """The load under way, or a new one; who boards must leave, and must not cancel its task."""
        flight = self._flights[key] if key in self else self._begin(key, load)
        flight.waiting += 1
        return flight

    def leave(self, flight: Flight[T]) -> None:
        """Wait no longer."""
        flight.waiting -= 1
        if self._stop_abandoned and not flight.waiting and not flight.task.done():
            self._forget(flight)
            flight.task.cancel()

    def _begin(self, key: Hashable, load: Load[T]) -> Flight[T]:
        flight = Flight(key=key, task=asyncio.create_task(load()))
        self._flights[key] = flight
        flight.task.add_done_callback(lambda _: self._land(flight))
        return flight

    def _land(self, flight: Flight[T]) -> None:
        self._forget(flight)
        if not flight.task.cancelled():
            flight.task.exception()

    def _forget(self, flight: Flight[T]) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
