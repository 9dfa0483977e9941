"""The reads of one image: planned and begun in order, some ahead of the caller, each answered in its turn."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from quadmosaic.domain.granules import Granule, Header
from quadmosaic.ports import Layer, ReadFailure
from quadmosaic.reading.ahead import ahead_of
from quadmosaic.reading.deadline import Deadline
from quadmosaic.reading.numbers import Flags
from quadmosaic.reading.plan import Plan
from quadmosaic.reading.planner import batch_size, is_large
from quadmosaic.reading.planning import Planned
from quadmosaic.reading.raster_read import RasterRead


class ReadQueue:
    """Best granule first; with `let_wait`, some are only read when better ones left something for them to add.

    A plan between turned projections holds positions of every pixel: there are never more of them than granules may be
    ahead, and each goes with its read.
    """

    def __init__(
        self, read: RasterRead, granules: Sequence[Granule], headers: Mapping[int, Header], deadline: Deadline
    ) -> None:
        """`headers` are those that are known, by position."""
        self._read = read
        self._granules = granules
        self._headers = headers
        self._deadline = deadline
        self._plans: dict[int, Planned] = {}
        self._planning: set[asyncio.Task[None]] = set()
        self._tasks: dict[int, asyncio.Task[Layer | ReadFailure]] = {}
        self._waiting: set[int] = set()
        self._filled: Flags | None = None
        self._bands: int | None = None
        self._next = 0
        self._ahead = ahead_of(read.geobox, read.options, headers.values())

    async def let_wait(self) -> None:
        """Hold back the granules that better ones should cover; they are not even planned until they are needed."""
        guess = asyncio.ensure_future(self._read.engine.planner.covered_by_better(self._granules, self._read.geobox))
        if await self._deadline.is_met_by({guess}):
            self._waiting = guess.result()
        guess.cancel()
        self._filled = np.zeros((self._read.geobox.height, self._read.geobox.width), np.bool_)

    async def answer(self, at: int) -> Layer | ReadFailure:
        """What comes of the granule at a position; positions are asked for in order."""
        if at in self._waiting and at not in self._plans:
            await self._release(at)
        if at in self._waiting:
            return self._nothing(at)
        self._begin_from(at)
        if at not in self._tasks:
            answer: Layer | ReadFailure = self._deadline.missed_by(self._granules[at])
        else:
            answer = await self._deadline.outcome_of(self._tasks[at], self._granules[at])
            del self._tasks[at]
        self._note(answer)
        return answer

    async def cancel(self) -> None:
        """Stop what is under way."""
        under_way = [*self._tasks.values(), *self._planning]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _begin_from(self, at: int) -> None:
        """Begin what does not wait, up to so many granules ahead; refilled at half, to plan several at once."""
        if self._deadline.is_over or self._next - at > self._ahead // 2:
            return
        stop = min(at + self._ahead, len(self._granules))
        wanted = [each for each in range(self._next, stop) if each not in self._waiting and each not in self._tasks]
        self._next = stop
        planning = self._plan([each for each in wanted if each in self._headers and each not in self._plans])
        for each in wanted:
            self._tasks[each] = asyncio.create_task(self._planned_read(each, planning.get(each)))

    def _plan(self, positions: Sequence[int]) -> dict[int, asyncio.Task[None]]:
        """The tasks that plan these, in batches, so that the first requests go out while others are planned."""
        size = batch_size(self._read.geobox)
        under_way: dict[int, asyncio.Task[None]] = {}
        for start in range(0, len(positions), size):
            batch = positions[start : start + size]
            task = asyncio.create_task(self._plan_batch(batch))
            self._planning.add(task)
            task.add_done_callback(self._planning.discard)
            under_way |= dict.fromkeys(batch, task)
        return under_way

    async def _plan_batch(self, positions: Sequence[int]) -> None:
        plans = await self._read.plan([self._headers[each] for each in positions])
        self._plans.update(zip(positions, plans, strict=True))

    async def _planned_read(self, at: int, planning: "asyncio.Task[None] | None") -> Layer | ReadFailure:
        if planning is not None:
            await asyncio.shield(planning)
        return await self._read.read(self._granules[at], self._headers.get(at), self._plans.pop(at, None))

    async def _release(self, at: int) -> None:
        """Let those of the next ones wait no longer that add something to what is filled; none does once it is late."""
        near = [each for each in range(at, min(at + self._ahead, len(self._granules))) if each in self._waiting]
        known = [each for each in near if each in self._headers]
        planning = set() if self._deadline.is_over else set(self._plan(known).values())
        if self._deadline.is_over or not await self._deadline.is_met_by(planning):
            self._waiting.discard(at)
            return
        for task in planning:
            task.result()
        self._waiting -= {each for each in near if each not in self._headers} | await self._adding(known)
        self._next = at

    async def _adding(self, positions: Sequence[int]) -> set[int]:
        """Those that have a pixel where nothing is filled; what has no plan may have any."""
        filled = self._filled
        assert filled is not None
        inside = {each: plan.inside for each in positions if isinstance(plan := self._plans[each], Plan)}
        if is_large(self._read.geobox):
            loop = asyncio.get_running_loop()
            adding = await loop.run_in_executor(self._read.engine.workers, _outside_of, inside, filled)
        else:
            adding = _outside_of(inside, filled)
        return adding | (set(positions) - inside.keys())

    def _nothing(self, at: int) -> Layer:
        """The layer of a granule that need not be read."""
        plan = self._plans.pop(at)
        assert isinstance(plan, Plan)
        return self._read.covered(self._granules[at], plan)

    def _note(self, answer: Layer | ReadFailure) -> None:
        """What a read has filled; layers with other bands than the first are of no use to the caller."""
        if isinstance(answer, ReadFailure):
            self._read.count_failure()
        elif self._filled is not None:
            self._bands = self._bands or len(answer.bands)
            if len(answer.bands) == self._bands:
                self._filled |= answer.valid.all(axis=0)


def _outside_of(inside: Mapping[int, Flags], filled: Flags) -> set[int]:
    """The positions whose pixels are not all filled."""
    free = ~filled
    return {at for at, pixels in inside.items() if (pixels & free).any()}
