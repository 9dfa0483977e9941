"""The line from a worker thread to the event loop, which makes its requests."""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from threading import Event
from typing import Any

from quadmosaic.domain.trace import current_trace
from quadmosaic.reading.faults import Unreadable

AT_ONCE = 8
"""Requests of one line."""


class Line:
    """For one read in one thread, made where the event loop runs; requests belong to the trace of that moment."""

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(AT_ONCE)
        self.trace = current_trace()
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._ended = Event()
        self._under_way: Future[Any] | None = None

    @property
    def is_open(self) -> bool:
        """Does anyone still wait for the read?"""
        return not self._ended.is_set()

    def call[T](self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the request gives; blocks the thread. Raises Unreadable once the line is ended."""
        asked = self._asked(request)
        try:
            self._under_way = under_way = self._context.run(asyncio.run_coroutine_threadsafe, asked, self._loop)
        except RuntimeError as error:
            asked.close()
            raise Unreadable("the service is ending", passing=True) from error
        if not self.is_open:
            under_way.cancel()
        try:
            return under_way.result()
        except CancelledError as error:
            raise _given_up() from error

    async def _asked[T](self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The request, unless the line has ended before the event loop came to it."""
        if not self.is_open:
            raise _given_up()
        return await request()

    def note(self, noted: Callable[[], object]) -> None:
        """Have something noted where the event loop runs, before it hears of the read's end."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(noted)

    def end(self) -> None:
        """Stop what is under way, and let nothing more begin."""
        self._ended.set()
        if self._under_way is not None:
            self._under_way.cancel()


def _given_up() -> Unreadable:
    return Unreadable("the read was given up", passing=True)
