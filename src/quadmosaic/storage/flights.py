"""Single flight: however many ask for a key at once, one of them loads it."""

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, Protocol


class Load[T](Protocol):
    """Starts to load a value."""

    def __call__(self) -> Coroutine[Any, Any, T]: ...


class Flights[T]:
    """Loads under way, by key."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    async def join(self, key: Hashable, load: Load[T]) -> T:
        """The value of the load under way, or of a new one; a caller who gives up does not stop it for the others."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(load())
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(task)

    def _land(self, key: Hashable, task: asyncio.Task[T]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled():
            task.exception()
