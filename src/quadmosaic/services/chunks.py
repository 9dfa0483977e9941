"""Chunks: parts of a crawl or a scan as bytes, so that a build can go on where it was stopped."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import shapely

from quadmosaic.domain.errors import Broken
from quadmosaic.domain.granules import Granule, Harvest, Header, Refusal
from quadmosaic.ports import HarvestPage
from quadmosaic.services.builds import Crawl

type Headers = dict[str, dict[str, Header]]


class _Granule(msgspec.Struct):
    id: str
    hrefs: dict[str, str]
    footprint: bytes
    properties: dict[str, Any]


class CrawlChunk(msgspec.Struct):
    """A page of a crawl; `next` is where the catalog goes on, `phase` counts the sources of a recipe."""

    granules: list[_Granule]
    refused: list[tuple[str, str]]
    normalised: dict[str, int]
    headers: Headers
    next: dict[str, Any] | None
    phase: int
    bytes: int
    requests: int


class ScanChunk(msgspec.Struct):
    """The header records of a chunk's granules, and granules that lie on another body."""

    headers: Headers
    scanned: int
    reused: int
    unread: int
    foreign: list[tuple[str, str]]


@dataclass(kw_only=True)
class Harvested:
    """All that was crawled so far, duplicates refused, and what it took."""

    crawl: Crawl = field(default_factory=Crawl)
    seen: set[str] = field(default_factory=set)
    bytes: int = 0
    requests: int = 0

    def add(self, chunk: CrawlChunk) -> list[Granule]:
        """Take in a chunk; answers the granules that are new."""
        fresh: list[Granule] = []
        for record in chunk.granules:
            if record.id in self.seen:
                self.crawl.refused.append(Refusal(record.id, "duplicate id: an earlier granule has it"))
                continue
            self.seen.add(record.id)
            footprint = shapely.from_wkb(record.footprint)
            fresh.append(Granule(id=record.id, hrefs=record.hrefs, footprint=footprint, properties=record.properties))
            if record.id in chunk.headers:
                self.crawl.headers[record.id] = chunk.headers[record.id]
        self.crawl.granules += fresh
        self.crawl.refused += [Refusal(*refusal) for refusal in chunk.refused]
        self.crawl.normalised.update(chunk.normalised)
        self.bytes += chunk.bytes
        self.requests += chunk.requests
        return fresh


def crawl_chunk(page: HarvestPage, *, phase: int) -> CrawlChunk:
    """A page as a chunk."""
    harvests = [answer for answer in page.answers if isinstance(answer, Harvest)]
    normalised = Counter(change for harvest in harvests for change in harvest.normalised)
    return CrawlChunk(
        granules=[
            _Granule(
                id=harvest.granule.id,
                hrefs=dict(harvest.granule.hrefs),
                footprint=shapely.to_wkb(harvest.granule.footprint),
                properties=dict(harvest.granule.properties),
            )
            for harvest in harvests
        ],
        refused=[(each.granule_id, each.reason) for each in page.answers if isinstance(each, Refusal)],
        normalised=dict(normalised),
        headers={harvest.granule.id: dict(harvest.headers) for harvest in harvests if harvest.headers},
        next=page.next,
        phase=phase,
        bytes=page.bytes,
        requests=page.requests,
    )


def packed(chunk: CrawlChunk | ScanChunk) -> bytes:
    """The chunk as bytes."""
    return msgspec.msgpack.encode(chunk)


def unpacked[T: (CrawlChunk, ScanChunk)](raw: bytes, kind: type[T]) -> T:
    """The chunk again. Raises Broken for bytes that are none."""
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken("a build's record in the store is damaged: start another build") from error


def merged(headers: Mapping[str, Mapping[str, Header]], chunk: ScanChunk) -> dict[str, Mapping[str, Header]]:
    """Headers with those of a scan; where both have one, the scan's is newer."""
    both = dict(headers)
    for granule_id, records in chunk.headers.items():
        both[granule_id] = {**both.get(granule_id, {}), **records}
    return both
