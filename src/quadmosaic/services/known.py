"""What the head knows of granules and their files, so that these need not be opened again."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from quadmosaic.domain.errors import QuadmosaicError
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import Version
from quadmosaic.ports import GranuleReader, MosaicStore
from quadmosaic.services.scans import CONCURRENT_SCANS

AT_ONCE = 500
"""Granules of the head in memory together."""

type Records = dict[str, dict[str, Header]]
"""Headers by granule id and asset key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A granule as the head has it, and as it was crawled now; `at` is its position in the crawl."""

    at: int
    before: Granule
    now: Granule


@dataclass(frozen=True, kw_only=True)
class Known:
    """Walks through a version, which keeps neighbours together: each part of its tables is read once."""

    store: MosaicStore
    version: Version | None

    async def walk(self, granules: Sequence[Granule], places: Mapping[str, int]) -> AsyncGenerator[list[Pair]]:
        """Those of the crawled granules that the version has; `places` are positions by id."""
        after: str | None = None
        while self.version is not None:
            page = await self.store.granules(self.version, after=after, limit=AT_ONCE)
            yield [
                Pair(at=places[each.id], before=each, now=granules[places[each.id]])
                for each in page.items
                if each.id in places
            ]
            after = page.next
            if after is None:
                return

    async def headers(self, pairs: Sequence[Pair]) -> Records:
        """The records the version has of these granules' files."""
        found: Records = {}
        if self.version is None:
            return found
        for key in {key for pair in pairs for key in pair.now.hrefs}:
            having = [pair.now.id for pair in pairs if key in pair.now.hrefs]
            for granule_id, header in (await self.store.headers(self.version, having, key)).items():
                found.setdefault(granule_id, {})[key] = header
        return found


async def unchanged(reader: GranuleReader, pairs: Sequence[Pair], records: Records) -> Records:
    """The records of files that still have the ETag they had.

    That of a file which does not answer is kept where its address is the same.
    """
    places = asyncio.Semaphore(CONCURRENT_SCANS)

    async def holds(pair: Pair, key: str, header: Header) -> bool:
        try:
            async with places:
                return await reader.etag(pair.now.hrefs[key]) == header.etag
        except QuadmosaicError:
            return pair.before.hrefs.get(key) == pair.now.hrefs[key]

    asked = [
        (pair, key, header)
        for pair in pairs
        for key, header in records.get(pair.now.id, {}).items()
        if header.etag is not None
    ]
    answers = await asyncio.gather(*(holds(*each) for each in asked))
    kept: Records = {}
    for (pair, key, header), is_same in zip(asked, answers, strict=True):
        if is_same:
            kept.setdefault(pair.now.id, {})[key] = header
    return kept
