"""Builds within this process: a queue worked off by tasks, and schedules looked at now and then."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from quadmosaic.domain.schedules import Schedule

log = logging.getLogger(__name__)

type Work = Callable[[str, str], Coroutine[None, None, float | None]]
"""Works on a build of a mosaic; answers the seconds after which to go on, None when it is over."""
type Tick = Callable[[], Coroutine[None, None, None]]


@dataclass(kw_only=True)
class LocalQueue:
    """Implements ports.Queue for one process; what is waiting when it ends is found again by the next one."""

    workers: int = 1
    _waiting: asyncio.Queue[tuple[str, str]] | None = None
    _known: set[tuple[str, str]] = field(default_factory=set)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def send(self, *, mosaic: str, build: str, delay_s: int = 0) -> None:
        """A build that waits already is not queued a second time."""
        if (mosaic, build) in self._known:
            return
        self._known.add((mosaic, build))
        if delay_s:
            self._tasks.append(asyncio.create_task(self._later(mosaic, build, delay_s)))
        else:
            self._queue().put_nowait((mosaic, build))

    def start(self, work: Work, *, tick: Tick | None = None, every_s: float = 10.0) -> None:
        """Begin to work in the running loop, and to `tick`, once at first and then every so many seconds."""
        self._tasks = [asyncio.create_task(self._work(work)) for _ in range(self.workers)]
        if tick is not None:
            self._tasks.append(asyncio.create_task(_ticking(tick, every_s)))

    async def stop(self) -> None:
        """Stop in the middle; builds go on where their last record is."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._waiting = None
        self._known.clear()

    async def _work(self, work: Work) -> None:
        while True:
            mosaic, build = await self._queue().get()
            self._known.discard((mosaic, build))
            again_s = await _guarded(work(mosaic, build), f"build {build} of {mosaic}")
            if again_s is not None:
                await self.send(mosaic=mosaic, build=build, delay_s=int(again_s))

    async def _later(self, mosaic: str, build: str, delay_s: int) -> None:
        await asyncio.sleep(delay_s)
        self._queue().put_nowait((mosaic, build))

    def _queue(self) -> asyncio.Queue[tuple[str, str]]:
        if self._waiting is None:
            self._waiting = asyncio.Queue()
        return self._waiting


async def _ticking(tick: Tick, every_s: float) -> None:
    while True:
        await _guarded(tick(), "the look at the schedules")
        await asyncio.sleep(every_s)


async def _guarded[T](work: Coroutine[None, None, T], what: str) -> T | None:
    """What the work answers; a fault in it is logged and does not end whoever waits for more."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise
    error = task.exception()
    if error is not None:
        log.error("%s failed", what, exc_info=error)
        return None
    return task.result()


class LocalScheduler:
    """Implements ports.Scheduler where the process itself looks at the registrations' schedules."""

    async def put(self, mosaic: str, schedule: Schedule | None, *, since: datetime) -> None:
        """The registration says it all."""
