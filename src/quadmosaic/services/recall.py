"""Recall: headers for a crawl that has to look into files, out of the head where that knows them already."""

import asyncio
from dataclasses import dataclass, field

from quadmosaic.domain.builds import Build
from quadmosaic.domain.errors import QuadmosaicError
from quadmosaic.domain.granules import Header
from quadmosaic.domain.trace import tracing
from quadmosaic.ports import GranuleReader, MosaicStore
from quadmosaic.services.chunks import Spent
from quadmosaic.services.doubts import Doubts, IsDoubtful
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.known import known_of
from quadmosaic.services.spool import Headers


@dataclass(kw_only=True)
class Recall:
    """Gives headers by href; the head's own records are read once, when the first is asked for."""

    reader: GranuleReader
    store: MosaicStore
    jobs: Jobs
    doubts: Doubts
    build: Build
    _spent: Spent = field(default_factory=Spent)
    _memory: tuple[Headers, IsDoubtful] | None = None
    _remembering: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def scan(self, href: str) -> Header:
        """As ports.GranuleReader.scan."""
        with tracing() as trace:
            try:
                header = await self._recalled(href)
                if header is None:
                    header = await self.reader.scan(href)
                    self._spent.scanned += 1
                else:
                    self._spent.reused += 1
            finally:
                self._spent.bytes += trace.tally.fetched_bytes
                self._spent.requests += trace.tally.requests
        return header

    def spent(self) -> Spent:
        """What was done since this was asked before."""
        spent, self._spent = self._spent, Spent()
        return spent

    async def _recalled(self, href: str) -> Header | None:
        async with self._remembering:
            self._memory = self._memory or await self._remembered()
        records, is_doubtful = self._memory
        header = next(iter(records.get(href, {}).values()), None)
        if header is None or (is_doubtful(href, (href,)) and not await self._is_same(href, header)):
            return None
        return header

    async def _remembered(self) -> tuple[Headers, IsDoubtful]:
        known = await known_of(self.store, self.build.name)
        records = await known.by_href()
        records.update({href: {"": header} for href, header in (await self.jobs.skipped(self.build)).items()})
        return records, await self.doubts.of(self.build, known.version)

    async def _is_same(self, href: str, header: Header) -> bool:
        """A file that does not answer is taken for what it was."""
        try:
            return header.etag is not None and await self.reader.etag(href) == header.etag
        except QuadmosaicError:
            return True
