"""Chunks: parts of a crawl or a scan as bytes, so that a build can go on where it was stopped."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from quadmosaic.domain.errors import Broken
from quadmosaic.domain.granules import Harvest, Header, Refusal
from quadmosaic.ports import HarvestPage
from quadmosaic.services.crawls import Crawl
from quadmosaic.services.spool import PackedGranule, packed_granule

type Headers = dict[str, dict[str, Header]]


class CrawlChunk(msgspec.Struct):
    """A page of a crawl; `next` is where the catalog goes on, `phase` counts the sources of a recipe."""

    granules: list[PackedGranule]
    refused: list[tuple[str, str]]
    normalised: dict[str, int]
    headers: Headers
    next: dict[str, Any] | None
    phase: int
    bytes: int
    requests: int
    scanned: int = 0
    reused: int = 0


class ScanChunk(msgspec.Struct):
    """The header records of some granules, whose ids `done` lists, and those that their files rule out.

    The `foreign` ones of these lie on another body. `files` is that of the job which scanned them.
    """

    done: list[str]
    headers: Headers
    scanned: int
    reused: int
    unread: int
    refused: list[tuple[str, str]]
    foreign: list[str]
    files: str = ""
    bytes: int = 0
    requests: int = 0


@dataclass(kw_only=True, slots=True)
class Spent:
    """Headers that were scanned and taken over, and what these took."""

    scanned: int = 0
    reused: int = 0
    bytes: int = 0
    requests: int = 0


@dataclass(kw_only=True)
class Harvested:
    """All that was crawled so far, duplicates refused, and what it took; `places` are positions by granule id.

    Of the headers that the crawl had to look at so many were `scanned`, and so many `reused`.
    """

    crawl: Crawl = field(default_factory=Crawl)
    places: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    requests: int = 0
    scanned: int = 0
    reused: int = 0

    def add(self, chunk: CrawlChunk) -> None:
        """Take in a chunk."""
        crawl = self.crawl
        for packed in chunk.granules:
            if packed.id in self.places:
                crawl.refused.append(Refusal(packed.id, "duplicate id: an earlier granule has it"))
                continue
            self.places[packed.id] = len(crawl.granules)
            crawl.granules.append_packed(packed)
            if packed.id in chunk.headers:
                crawl.headers[packed.id] = chunk.headers[packed.id]
        crawl.refused += [Refusal(*refusal) for refusal in chunk.refused]
        crawl.normalised.update(chunk.normalised)
        self.bytes += chunk.bytes
        self.requests += chunk.requests
        self.scanned += chunk.scanned
        self.reused += chunk.reused


def crawl_chunk(page: HarvestPage, spent: Spent, *, phase: int) -> CrawlChunk:
    """A page as a chunk, with what was spent on headers for it."""
    harvests = [answer for answer in page.answers if isinstance(answer, Harvest)]
    normalised = Counter(change for harvest in harvests for change in harvest.normalised)
    return CrawlChunk(
        granules=[packed_granule(harvest.granule) for harvest in harvests],
        refused=[(each.granule_id, each.reason) for each in page.answers if isinstance(each, Refusal)],
        normalised=dict(normalised),
        headers={harvest.granule.id: dict(harvest.headers) for harvest in harvests if harvest.headers},
        next=page.next,
        phase=phase,
        bytes=page.bytes + spent.bytes,
        requests=page.requests + spent.requests,
        scanned=spent.scanned,
        reused=spent.reused,
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
