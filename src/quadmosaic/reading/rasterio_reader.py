"""The reader that can read everything: rasterio, in threads. It is the oracle of faster readers and their fallback."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from quadmosaic.domain.access import BucketAccess
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.ports import NO_HEADERS, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.access import Places
from quadmosaic.reading.deadline import outcome_of
from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.levels import check_kernels
from quadmosaic.reading.scan import identity, scan_place
from quadmosaic.reading.warp import read_raster

_log = logging.getLogger(__name__)


class RasterioReader:
    """Implements ports.GranuleReader; reads at most `max_reads` files at a time, over all its streams."""

    def __init__(self, *, buckets: Mapping[str, BucketAccess], max_reads: int = 8) -> None:
        self._places = Places(buckets)
        self._max_reads = max_reads
        self._pool = ThreadPoolExecutor(max_workers=max_reads, thread_name_prefix="raster")

    async def read(
        self,
        granules: Sequence[Granule],
        geobox: GeoBox,
        options: ReadOptions,
        *,
        headers: Mapping[str, Header] = NO_HEADERS,  # noqa: ARG002 - GDAL reads them from the files
    ) -> AsyncGenerator[Layer | ReadFailure, None]:
        """As in ports.GranuleReader. Raises Invalid for "bidx", "resampling" and "reproject" that nothing has."""
        check_kernels(options)
        loop = asyncio.get_running_loop()
        deadline = None if options.timeout_s is None else loop.time() + options.timeout_s
        closed = Event()
        under_way: deque[asyncio.Future[Layer | ReadFailure]] = deque()
        waiting = iter(granules)
        try:
            for granule in granules:
                while len(under_way) < self._max_reads and (following := next(waiting, None)) is not None:
                    under_way.append(
                        loop.run_in_executor(self._pool, self._read_granule, following, geobox, options, closed)
                    )
                yield await outcome_of(under_way.popleft(), granule, deadline, options.timeout_s)
        finally:
            closed.set()
            for future in under_way:
                future.cancel()

    async def scan(self, href: str) -> Header:
        """As in ports.GranuleReader; what is wrong with a raster is Invalid, field "href"."""
        try:
            place = self._places.find(href)
        except Unreadable as fault:
            raise Invalid(fault.reason, field="href") from fault
        return await scan_place(place, self._pool)

    async def etag(self, href: str) -> str | None:
        """As in ports.GranuleReader."""
        try:
            place = self._places.find(href)
        except Unreadable as fault:
            raise Invalid(fault.reason, field="href") from fault
        return (await identity(place))[0]

    def close(self) -> None:
        """Give the threads back; reads that have begun end on their own."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _read_granule(
        self, granule: Granule, geobox: GeoBox, options: ReadOptions, closed: Event
    ) -> Layer | ReadFailure:
        if options.asset not in granule.hrefs:
            return ReadFailure(granule, f"it has no asset {options.asset!r}")
        try:
            place = self._places.find(granule.hrefs[options.asset])
            picture = read_raster(place, geobox, options, wanted=lambda: not closed.is_set())
        except Unreadable as fault:
            return ReadFailure(granule, fault.reason)
        return Layer(
            granule=granule,
            bands=picture.bands,
            mask=picture.mask,
            band_names=picture.band_names,
            nodata=picture.nodata,
            palette=picture.palette,
        )
