"""The reader that can read everything: rasterio, in threads. It is the oracle of faster readers and their fallback.

GDAL takes long to import, so it is imported by what first needs it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from quadmosaic.domain.access import BucketAccess
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import Tally
from quadmosaic.ports import NO_HEADERS, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.access import Place, Places
from quadmosaic.reading.ahead import ahead_of
from quadmosaic.reading.deadline import Deadline
from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.gates import HOST_REQUESTS, HostGates
from quadmosaic.reading.http_messages import Permits
from quadmosaic.reading.identity import identity
from quadmosaic.reading.levels import check_kernels
from quadmosaic.reading.line import Line
from quadmosaic.reading.pictures import layer_of
from quadmosaic.reading.stale import Stale

if TYPE_CHECKING:
    from quadmosaic.reading.gdal_read import GdalRead

_log = logging.getLogger(__name__)


class RasterioReader:
    """Implements ports.GranuleReader; reads at most `max_reads` files at a time, over all its streams.

    `tally` counts its requests, and the files that it opened from their header records; `stale` are the records that
    turned out to be of other files.
    """

    def __init__(
        self,
        *,
        buckets: Mapping[str, BucketAccess],
        max_reads: int = 8,
        host_requests: int = HOST_REQUESTS,
        permits: Permits | None = None,
    ) -> None:
        """`permits` says which IP addresses a host may have."""
        self._places = Places(buckets, permits=permits)
        self._hosts = HostGates(host_requests)
        self._pool = ThreadPoolExecutor(max_workers=max_reads, thread_name_prefix="raster")
        self.tally = Tally()
        self.stale = Stale()

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
        loop, deadline = asyncio.get_running_loop(), Deadline(options.timeout_s)
        ahead = ahead_of(geobox, options, headers.values())
        under_way: deque[tuple[asyncio.Future[Layer | ReadFailure], Line]] = deque()
        waiting = iter(granules)
        try:
            for granule in granules:
                while len(under_way) < ahead and (following := next(waiting, None)) is not None:
                    line, header = Line(), headers.get(following.id)
                    read = partial(self._read_granule, following, geobox, options, header, line)
                    under_way.append((loop.run_in_executor(self._pool, read), line))
                future, line = under_way.popleft()
                try:
                    yield await deadline.outcome_of(future, granule)
                finally:
                    line.end()
        finally:
            for future, line in under_way:
                line.end()
                future.cancel()

    async def scan(self, href: str) -> Header:
        """As in ports.GranuleReader; what is wrong with a raster is Invalid, field "href"."""
        line = Line()
        try:
            return await self._by_gdal(self._place(href), line).header(self._pool)
        finally:
            line.end()

    async def etag(self, href: str) -> str | None:
        """As in ports.GranuleReader."""
        return (await identity(self._place(href)))[0]

    def close(self) -> None:
        """Give the threads back; reads that have begun end on their own."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _place(self, href: str) -> Place:
        try:
            return self._places.find(href)
        except Unreadable as fault:
            raise fault.error from fault

    def _by_gdal(self, place: Place, line: Line) -> "GdalRead":
        from quadmosaic.reading.gdal_read import GdalRead

        return GdalRead(place=place, line=line, hosts=self._hosts, tally=self.tally)

    def _read_granule(
        self, granule: Granule, geobox: GeoBox, options: ReadOptions, header: Header | None, line: Line
    ) -> Layer | ReadFailure:
        href = granule.hrefs.get(options.asset)
        if href is None:
            return ReadFailure(granule, f"it has no asset {options.asset!r}")
        try:
            read = self._by_gdal(self._places.find(href), line)
            replaced = partial(self.stale.add, href, None if header is None else header.etag)
            picture = read.picture(geobox, options, header, on_replaced=replaced)
        except Unreadable as fault:
            return ReadFailure(granule, fault.reason)
        return layer_of(granule, picture)
