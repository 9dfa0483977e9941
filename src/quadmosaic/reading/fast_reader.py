"""The fast reader: block tables and byte ranges instead of opened files; another reader for what it does not cover."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from quadmosaic.domain.access import BucketAccess
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.ports import NO_HEADERS, GranuleReader, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.access import Places
from quadmosaic.reading.byte_cache import ByteCache
from quadmosaic.reading.deadline import outcome_of
from quadmosaic.reading.draw import draw
from quadmosaic.reading.header_shelf import HeaderShelf
from quadmosaic.reading.levels import check_kernels
from quadmosaic.reading.plan import Plan
from quadmosaic.reading.planning import Planned, covered_by_better
from quadmosaic.reading.raster_read import Engine, RasterRead, layer
from quadmosaic.reading.tally import Tally

MEGABYTE = 1 << 20

_AHEAD_BYTES = 64 * MEGABYTE
"""Pixels, at eight bytes, that may wait for the caller; what is read ahead of it."""
_AHEAD = range(2, 65)


class FastReader:
    """Implements ports.GranuleReader on top of another reader, which scans and reads what is not covered here.

    Decoded blocks and scanned headers are kept, each up to so many bytes. `tally` counts what was done, `replaced`
    names the hrefs that need a new scan.
    """

    def __init__(
        self,
        fallback: GranuleReader,
        *,
        buckets: Mapping[str, BucketAccess],
        block_cache_bytes: int = 128 * MEGABYTE,
        header_cache_bytes: int = 32 * MEGABYTE,
        workers: int | None = None,
        max_requests: int = 32,
    ) -> None:
        """`workers` threads decode (as many as there are processors); one image has `max_requests` at a time."""
        self._planner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")
        self._workers = ThreadPoolExecutor(max_workers=workers or os.cpu_count(), thread_name_prefix="decode")
        self._max_requests = max_requests
        self._engine = Engine(
            fallback=fallback,
            places=Places(buckets),
            headers=HeaderShelf(fallback.scan, capacity=header_cache_bytes),
            blocks=ByteCache(capacity=block_cache_bytes),
            planner=self._planner,
            workers=self._workers,
        )

    @property
    def tally(self) -> Tally:
        """Counts since the reader began."""
        return self._engine.tally

    @property
    def replaced(self) -> frozenset[str]:
        """hrefs whose files are no longer those that were scanned."""
        return frozenset(self._engine.replaced)

    async def read(
        self,
        granules: Sequence[Granule],
        geobox: GeoBox,
        options: ReadOptions,
        *,
        headers: Mapping[str, Header] = NO_HEADERS,
    ) -> AsyncGenerator[Layer | ReadFailure, None]:
        """As in ports.GranuleReader. Raises Invalid for "bidx", "resampling" and "reproject" that nothing has."""
        check_kernels(options)
        loop = asyncio.get_running_loop()
        deadline = None if options.timeout_s is None else loop.time() + options.timeout_s
        read = RasterRead(
            engine=self._engine, geobox=geobox, options=options, slots=asyncio.Semaphore(self._max_requests)
        )
        queue = _Queue(read, granules, await self._plan(read, granules, headers))
        if options.until_full:
            await queue.let_wait(self._planner)
        try:
            for at, granule in enumerate(granules):
                task = queue.task(at)
                if task is None:
                    yield queue.nothing(at)
                    continue
                answer = await outcome_of(task, granule, deadline, options.timeout_s)
                queue.finish(at, answer)
                yield answer
        finally:
            await queue.cancel()

    async def scan(self, href: str) -> Header:
        """As in ports.GranuleReader."""
        return await self._engine.fallback.scan(href)

    async def etag(self, href: str) -> str | None:
        """As in ports.GranuleReader."""
        return await self._engine.fallback.etag(href)

    def close(self) -> None:
        """Give the threads back; reads that have begun end on their own."""
        for pool in (self._planner, self._workers):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _plan(
        self, read: RasterRead, granules: Sequence[Granule], headers: Mapping[str, Header]
    ) -> dict[int, Planned]:
        """Plans by position, of the granules whose headers are known."""
        known = {}
        for at, granule in enumerate(granules):
            href = granule.hrefs.get(read.options.asset)
            header = None if href is None else self._engine.known_header(href, headers.get(granule.id))
            if header is not None:
                known[at] = header
        return dict(zip(known, await read.plan(list(known.values())), strict=True)) if known else {}


class _Queue:
    """The reads of one image, begun in order and some ahead of the caller; with `let_wait`, some only when needed."""

    def __init__(self, read: RasterRead, granules: Sequence[Granule], planned: dict[int, Planned]) -> None:
        self._read = read
        self._granules = granules
        self._planned = planned
        self._tasks: dict[int, asyncio.Task[Layer | ReadFailure]] = {}
        self._waiting: set[int] = set()
        self._filled = np.zeros((read.geobox.height, read.geobox.width), np.bool_)
        self._bands: int | None = None
        self._next = 0
        box = read.geobox
        self._ahead = min(max(_AHEAD_BYTES // (8 * box.width * box.height), _AHEAD.start), _AHEAD.stop - 1)

    async def let_wait(self, planner: ThreadPoolExecutor) -> None:
        """Hold back the granules that better ones should cover."""
        insides = [plan.inside if isinstance(plan := self._planned.get(at), Plan) else None for at in self._positions]
        loop = asyncio.get_running_loop()
        self._waiting = await loop.run_in_executor(
            planner, covered_by_better, self._granules, insides, self._read.geobox
        )

    @property
    def _positions(self) -> range:
        return range(len(self._granules))

    def task(self, at: int) -> "asyncio.Task[Layer | ReadFailure] | None":
        """The read at a position, which has begun now if not before; None where better ones left nothing to add."""
        if at in self._waiting:
            if not self._adds(at):
                return None
            self._waiting = {later for later in self._waiting if not self._adds(later)}
            self._next = at
        while self._next < min(at + self._ahead, len(self._granules)):
            if self._next not in self._waiting and self._next not in self._tasks:
                self._begin(self._next)
            self._next += 1
        return self._tasks[at]

    def _begin(self, at: int) -> None:
        self._tasks[at] = asyncio.create_task(self._read.read(self._granules[at], self._planned.get(at)))

    def _adds(self, at: int) -> bool:
        planned = self._planned.get(at)
        return not isinstance(planned, Plan) or bool((planned.inside & ~self._filled).any())

    def finish(self, at: int, answer: Layer | ReadFailure) -> None:
        """Note what a read has filled; layers with other bands than the first are of no use to the caller."""
        del self._tasks[at]
        if isinstance(answer, Layer):
            self._bands = self._bands or len(answer.bands)
            if len(answer.bands) == self._bands:
                self._filled |= answer.mask

    def nothing(self, at: int) -> Layer:
        """The layer of a granule that need not be read."""
        plan = self._planned[at]
        assert isinstance(plan, Plan)
        self._read.engine.tally.covered += 1
        return layer(self._granules[at], draw(replace(plan, parts=()), {}))

    async def cancel(self) -> None:
        """Stop what is under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
