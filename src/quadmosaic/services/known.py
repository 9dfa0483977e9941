"""What the head knows of granules and their files, so that these need not be opened again."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace

from quadmosaic.domain.errors import NotFound, QuadmosaicError
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import MosaicRef, Version
from quadmosaic.ports import GranuleReader, MosaicStore
from quadmosaic.services.scans import CONCURRENT_SCANS
from quadmosaic.services.spool import Headers

AT_ONCE = 500
"""Granules of the head in memory together."""

type Records = dict[str, dict[str, Header]]
"""Headers by granule id and asset key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A granule as the head has it, and as it was crawled now; `at` is its position in the crawl.

    `names` are the head's asset keys by those of the crawl: a build gives files that are not like most other keys.
    """

    at: int
    before: Granule
    now: Granule
    names: Mapping[str, str]

    @property
    def is_same(self) -> bool:
        """Does the source say what it said?"""
        hrefs = {key: self.before.hrefs[name] for key, name in self.names.items()}
        return replace(self.before, hrefs=hrefs) == self.now


@dataclass(frozen=True, kw_only=True)
class Known:
    """Walks through a version, which keeps neighbours together: each part of its tables is read once."""

    store: MosaicStore
    version: Version | None

    async def walk(self, granules: Sequence[Granule], places: Mapping[str, int]) -> AsyncGenerator[list[Pair]]:
        """Those of the crawled granules that the version has; `places` are positions by id."""
        async for some in self._granules():
            yield [_pair(places[each.id], each, granules[places[each.id]]) for each in some if each.id in places]

    async def headers(self, pairs: Sequence[Pair]) -> Records:
        """The records the version has of these granules' files, under the crawl's asset keys."""
        wanted: dict[str, dict[str, str]] = {}
        for pair in pairs:
            for key, name in pair.names.items():
                wanted.setdefault(name, {})[pair.now.id] = key
        found: Records = {}
        for name, keys in wanted.items():
            for granule_id, header in (await self._headers(name, keys)).items():
                found.setdefault(granule_id, {})[keys[granule_id]] = header
        return found

    async def by_href(self) -> Headers:
        """All records the version has, by href and asset key."""
        found = Headers()
        async for some in self._granules():
            for name in {name for granule in some for name in granule.hrefs}:
                hrefs = {granule.id: granule.hrefs[name] for granule in some if name in granule.hrefs}
                for granule_id, header in (await self._headers(name, hrefs)).items():
                    found[hrefs[granule_id]] = {name: header}
        return found

    async def _granules(self) -> AsyncGenerator[tuple[Granule, ...]]:
        after: str | None = None
        while self.version is not None:
            page = await self.store.granules(self.version, after=after, limit=AT_ONCE)
            yield page.items
            after = page.next
            if after is None:
                return

    async def _headers(self, name: str, granule_ids: Mapping[str, str]) -> Mapping[str, Header]:
        return {} if self.version is None else await self.store.headers(self.version, granule_ids.keys(), name)


async def known_of(store: MosaicStore, name: str) -> Known:
    """What the head of a mosaic knows, nothing where there is none."""
    try:
        return Known(store=store, version=await store.version(MosaicRef(name)))
    except NotFound:
        return Known(store=store, version=None)


def _pair(at: int, before: Granule, now: Granule) -> Pair:
    names = {href: name for name, href in before.hrefs.items()}
    own = {key: key if key in before.hrefs else names.get(href) for key, href in now.hrefs.items()}
    return Pair(at=at, before=before, now=now, names={key: name for key, name in own.items() if name is not None})


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
            return pair.before.hrefs[pair.names[key]] == pair.now.hrefs[key]

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
