"""The fast reader: block tables and byte ranges instead of opened files; another reader for what it does not cover."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np

from quadmosaic.domain.access import BucketAccess
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import Tally, current_trace
from quadmosaic.ports import NO_HEADERS, Connected, GranuleReader, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.access import Places
from quadmosaic.reading.ahead import ahead_of
from quadmosaic.reading.block_shelf import BlockShelf
from quadmosaic.reading.byte_cache import ByteCache
from quadmosaic.reading.deadline import outcome_of
from quadmosaic.reading.gates import HOST_REQUESTS, HostGates
from quadmosaic.reading.header_shelf import HeaderShelf
from quadmosaic.reading.http_hosts import Permits
from quadmosaic.reading.levels import check_kernels
from quadmosaic.reading.plan import Plan
from quadmosaic.reading.planning import Planned, covered_by_better
from quadmosaic.reading.raster_read import Engine, RasterRead
from quadmosaic.reading.stale import Noticing, Stale

MEGABYTE = 1 << 20

IMAGE_REQUESTS = 32


class FastReader:
    """Implements ports.GranuleReader on top of another reader, which scans and reads what is not covered here.

    Decoded blocks and scanned headers are kept, each up to so many bytes. `tally` counts what was done, `replaced`
    names the latest hrefs that need a new scan. One event loop at a time may use it, and one after another.
    """

    def __init__(
        self,
        fallback: GranuleReader,
        *,
        buckets: Mapping[str, BucketAccess],
        block_cache_bytes: int = 128 * MEGABYTE,
        header_cache_bytes: int = 32 * MEGABYTE,
        workers: Executor | None = None,
        image_requests: int = IMAGE_REQUESTS,
        host_requests: int = HOST_REQUESTS,
        permits: Permits | None = None,
    ) -> None:
        """`workers` decode and draw (by default as many threads as there are processors).

        One image has `image_requests` under way at a time, one bucket or host `host_requests` over all images.
        `permits` says which IP addresses a host may have.
        """
        self._planner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")
        self._own_workers = ThreadPoolExecutor(os.cpu_count(), "decode") if workers is None else None
        pool = workers or self._own_workers
        assert pool is not None
        self._image_requests = image_requests
        tally = Tally()
        self._engine = Engine(
            fallback=fallback,
            places=Places(buckets, permits=permits),
            hosts=HostGates(host_requests),
            headers=HeaderShelf(fallback.scan, capacity=header_cache_bytes),
            blocks=BlockShelf(kept=ByteCache(capacity=block_cache_bytes), workers=pool, tally=tally),
            planner=self._planner,
            workers=pool,
            tally=tally,
            stale=fallback.stale if isinstance(fallback, Noticing) else Stale(),
        )

    @property
    def tally(self) -> Tally:
        """Counts since the reader began."""
        return self._engine.tally

    @property
    def replaced(self) -> frozenset[str]:
        """hrefs whose files are no longer those that were scanned."""
        return self._engine.stale.hrefs

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
            engine=self._engine,
            geobox=geobox,
            options=options,
            slots=asyncio.Semaphore(self._image_requests),
            trace=current_trace(),
        )
        queue = _Queue(read, granules, self._known(granules, options.asset, headers))
        if options.until_full:
            await queue.let_wait(self._planner)
        try:
            for at, granule in enumerate(granules):
                await queue.plan_for(at)
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

    def connect(self) -> None:
        """As in ports.Connected; which places are wanted is not known before."""

    def disconnect(self) -> None:
        """As in ports.Connected."""
        self._engine.places.disconnect()
        if isinstance(self._engine.fallback, Connected):
            self._engine.fallback.disconnect()

    def close(self) -> None:
        """Give the threads back; reads that have begun end on their own."""
        for pool in (self._planner, self._own_workers):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    def _known(self, granules: Sequence[Granule], asset: str, headers: Mapping[str, Header]) -> dict[int, Header]:
        """Headers by position, as far as they are known."""
        known = {}
        for at, granule in enumerate(granules):
            href = granule.hrefs.get(asset)
            header = None if href is None else self._engine.known_header(href, headers.get(granule.id))
            if header is not None:
                known[at] = header
        return known


class _Queue:
    """The reads of one image, begun in order and some ahead of the caller; with `let_wait`, some only when needed."""

    def __init__(
        self,
        read: RasterRead,
        granules: Sequence[Granule],
        headers: Mapping[int, Header],
    ) -> None:
        self._read = read
        self._granules = granules
        self._headers = headers
        self._planned: dict[int, Planned] = {}
        self._tasks: dict[int, asyncio.Task[Layer | ReadFailure]] = {}
        self._waiting: set[int] = set()
        self._filled = np.zeros((read.geobox.height, read.geobox.width), np.bool_)
        self._bands: int | None = None
        self._next = 0
        self._ahead = ahead_of(read.geobox)

    async def let_wait(self, planner: ThreadPoolExecutor) -> None:
        """Hold back the granules that better ones should cover; they are not even planned until they are needed."""
        loop = asyncio.get_running_loop()
        self._waiting = await loop.run_in_executor(planner, covered_by_better, self._granules, self._read.geobox)

    async def plan_for(self, at: int) -> None:
        """Plan what can be begun with the granule at a position: all but what waits, or else that too."""
        if at in self._planned or (at > 0 and at not in self._waiting):
            return
        wanted = [
            each
            for each in self._headers
            if each not in self._planned and (at in self._waiting or each not in self._waiting)
        ]
        plans = await self._read.plan([self._headers[each] for each in wanted]) if wanted else []
        self._planned |= zip(wanted, plans, strict=True)

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
        # A plan between projections holds positions of every pixel: it goes with its read.
        plan = self._planned.pop(at, None)
        read = self._read.read(self._granules[at], self._headers.get(at), plan)
        self._tasks[at] = asyncio.create_task(read)

    def _adds(self, at: int) -> bool:
        planned = self._planned.get(at)
        return not isinstance(planned, Plan) or bool((planned.inside & ~self._filled).any())

    def finish(self, at: int, answer: Layer | ReadFailure) -> None:
        """Note what a read has filled; layers with other bands than the first are of no use to the caller."""
        del self._tasks[at]
        if isinstance(answer, Layer):
            self._bands = self._bands or len(answer.bands)
            if len(answer.bands) == self._bands:
                self._filled |= answer.valid.all(axis=0)
        else:
            self._read.count_failure()

    def nothing(self, at: int) -> Layer:
        """The layer of a granule that need not be read."""
        plan = self._planned[at]
        assert isinstance(plan, Plan)
        return self._read.covered(self._granules[at], plan)

    async def cancel(self) -> None:
        """Stop what is under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
