"""A job: a build under way, with all that its steps have found so far."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from quadmosaic.domain import grids
from quadmosaic.domain.asset_keys import DEFAULT_ASSET
from quadmosaic.domain.builds import Build
from quadmosaic.domain.granules import Granule, Refusal
from quadmosaic.domain.mosaic import Recipe
from quadmosaic.domain.mosaicjson import MosaicJson
from quadmosaic.domain.mosaicjson_index import to_index
from quadmosaic.domain.registrations import Registration
from quadmosaic.services.chunks import Harvested, ScanChunk

type Tell = Callable[[Mapping[str, int]], Awaitable[None]]


@dataclass(kw_only=True)
class Job:
    """What it builds, how far it is, and whether its time is nearly over.

    `files` is a digest of the hrefs in the document, which all together give the granules their ids.
    Beyond what the crawl took, so many headers were `scanned`, so many `reused`, and so many `bytes` and `requests`
    needed. Granules are `ruled_out` by their files, the `foreign` ones of them for lying on another body; `skipped`
    ones were left out of the head because of these already.
    """

    build: Build
    registration: Registration
    tell: Tell
    is_late: Callable[[], bool]
    harvested: Harvested = field(default_factory=Harvested)
    document: MosaicJson | None = None
    files: str = ""
    scanned: int = 0
    reused: int = 0
    bytes: int = 0
    requests: int = 0
    ruled_out: list[Refusal] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)
    skipped: int = 0
    started: float = field(default_factory=time.perf_counter)

    @property
    def recipe(self) -> Recipe:
        return self.registration.recipe

    @property
    def asset_key(self) -> str:
        """The key of a MosaicJSON document's files."""
        return (*self.recipe.assets, self.registration.defaults.asset, DEFAULT_ASSET)[0] or DEFAULT_ASSET

    @property
    def assets(self) -> tuple[str, ...]:
        """The asset keys whose files count; none where that is still to be found out."""
        if self.document is not None:
            return (self.asset_key,)
        granules = self.harvested.crawl.granules
        return self.recipe.assets or (tuple(granules[0].hrefs) if granules else ())

    @property
    def known_body(self) -> str | None:
        """The body, as far as the recipe or what was crawled names it."""
        if self.recipe.tms is not None:
            return grids.named(self.recipe.tms).body
        if self.document is not None:
            return self.document.grid().body
        granules = self.harvested.crawl.granules
        target = granules[0].properties.get("ssys:targets") if granules else None
        return str(target[0]) if isinstance(target, list) and target else None

    def all_granules(self) -> Sequence[Granule]:
        """Those of the document first, then the harvested ones."""
        if self.document is None:
            return self.harvested.crawl.granules
        index, _ = to_index(self.document, asset_key=self.asset_key)
        return [*index.granules, *self.harvested.crawl.granules]

    def take_in(self, chunk: ScanChunk) -> None:
        """Add what was scanned."""
        crawl = self.harvested.crawl
        for granule_id, records in chunk.headers.items():
            crawl.headers.add(granule_id, records)
        self.scanned += chunk.scanned
        self.reused += chunk.reused
        self.bytes += chunk.bytes
        self.requests += chunk.requests
        crawl.unread += chunk.unread
        refused = [Refusal(*refusal) for refusal in chunk.refused]
        crawl.refused += refused
        self.ruled_out += refused
        self.foreign.update(chunk.foreign)
