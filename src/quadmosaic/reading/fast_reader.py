"""The fast reader: block tables and byte ranges instead of opened files; another reader for what it does not cover."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from quadmosaic.domain.access import BucketAccess
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import Tally, current_trace
from quadmosaic.ports import NO_HEADERS, Connected, GranuleReader, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.access import Places
from quadmosaic.reading.block_shelf import BlockShelf
from quadmosaic.reading.budget import Budget
from quadmosaic.reading.byte_cache import ByteCache
from quadmosaic.reading.deadline import Deadline
from quadmosaic.reading.gates import HOST_REQUESTS, HostGates
from quadmosaic.reading.header_shelf import HeaderShelf
from quadmosaic.reading.http_messages import Permits
from quadmosaic.reading.levels import check_kernels
from quadmosaic.reading.planner import Planner
from quadmosaic.reading.raster_read import Engine, RasterRead
from quadmosaic.reading.read_queue import ReadQueue
from quadmosaic.reading.stale import Noticing, Stale

MEGABYTE = 1 << 20

IMAGE_REQUESTS = 32
IMAGE_BYTES = 256 * MEGABYTE
"""Of unpacked blocks and windows that the reads of one image hold at once; a tile has a hundredth of it."""


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
        self._planner = Planner()
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
        deadline = Deadline(options.timeout_s)
        read = RasterRead(
            engine=self._engine,
            geobox=geobox,
            options=options,
            slots=asyncio.Semaphore(self._image_requests),
            room=Budget(IMAGE_BYTES),
            trace=current_trace(),
        )
        queue = ReadQueue(read, granules, self._known(granules, options.asset, headers), deadline)
        try:
            if options.until_full and len(granules) > 1:
                await queue.let_wait()
            for at in range(len(granules)):
                yield await queue.answer(at)
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
        self._planner.close()
        if self._own_workers is not None:
            self._own_workers.shutdown(wait=False, cancel_futures=True)

    def _known(self, granules: Sequence[Granule], asset: str, headers: Mapping[str, Header]) -> dict[int, Header]:
        """Headers by position, as far as they are known."""
        known = {}
        for at, granule in enumerate(granules):
            href = granule.hrefs.get(asset)
            header = None if href is None else self._engine.known_header(href, headers.get(granule.id))
            if header is not None:
                known[at] = header
        return known
