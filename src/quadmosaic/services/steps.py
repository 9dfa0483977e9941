"""The steps of a build: crawl, scan and cover, each of which goes on where an earlier process stopped."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import batched

import shapely

from quadmosaic.domain.builds import Build
from quadmosaic.domain.errors import Invalid, NotFound, QuadmosaicError, Unavailable
from quadmosaic.domain.granules import Granule, Harvest, Header, Refusal
from quadmosaic.domain.mosaic import Index, MosaicRef, Recipe, Version
from quadmosaic.domain.mosaicjson import MAX_BYTES, MosaicJson, parse
from quadmosaic.domain.mosaicjson_index import to_index
from quadmosaic.domain.registrations import MOSAICJSON_ASSET, Registration
from quadmosaic.domain.sources import FeaturesSource, MosaicJsonSource, Source
from quadmosaic.ports import HarvestPage, MosaicStore
from quadmosaic.services.access import Access
from quadmosaic.services.builds import Builder, Crawl, Draft, check_limit, named_grid, require_granules
from quadmosaic.services.chunks import CrawlChunk, Harvested, ScanChunk, crawl_chunk
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.scans import scan_files

SCAN_SLICE = 200

type Tell = Callable[[Mapping[str, int]], Awaitable[None]]


@dataclass(kw_only=True)
class Job:
    """A build under way: what it builds, how far it is, and whether its time is nearly over."""

    build: Build
    registration: Registration
    tell: Tell
    is_late: Callable[[], bool]
    harvested: Harvested = field(default_factory=Harvested)
    document: MosaicJson | None = None
    headers: dict[str, Mapping[str, Header]] = field(default_factory=dict)
    scanned: int = 0
    reused: int = 0
    unread: int = 0
    started: float = field(default_factory=time.perf_counter)

    @property
    def recipe(self) -> Recipe:
        return self.registration.recipe

    @property
    def asset_key(self) -> str:
        """The key of a MosaicJSON document's files."""
        return (*self.recipe.assets, self.registration.defaults.asset, MOSAICJSON_ASSET)[0] or MOSAICJSON_ASSET


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Crawl and scan answer whether they came to their end; what they found so far is in the ledger.

    `most_granules` and `most_cells` hold for every mosaic, `stale` gives hrefs whose files were seen to have changed.
    """

    jobs: Jobs
    builder: Builder
    access: Access
    store: MosaicStore
    most_granules: int | None = None
    most_cells: int | None = None
    stale: Callable[[], Collection[str]] = frozenset

    async def crawl(self, job: Job) -> bool:
        """Read the recipe's source, then what was included by hand, page by page."""
        await self._read_document(job)
        count, last = 0, None
        async for last in self.jobs.chunks(job.build, "crawl", CrawlChunk):
            job.harvested.add(last)
            count += 1
        sources = _sources(job.recipe)
        phase, after = (0, None) if last is None else (last.phase, last.next)
        if last is not None and after is None:
            phase += 1
        while phase < len(sources):
            catalog, body = self.builder.catalog, self._known_body(job)
            pages = catalog.pages(sources[phase], assets=_assets(job), body=body, after=after)
            async with aclosing(pages):
                async for page in pages:
                    chunk = crawl_chunk(await asyncio.to_thread(self._vetted, page), phase=phase)
                    count = await self.jobs.add_chunk(job.build, "crawl", chunk, after=count)
                    job.harvested.add(chunk)
                    granules = job.harvested.crawl.granules
                    check_limit(len(granules), job.recipe.limits.max_granules, what="granules")
                    check_limit(len(granules), self.most_granules, what="granules")
                    await job.tell({"granules": len(granules)})
                    if job.is_late() and (page.next is not None or phase + 1 < len(sources)):
                        return False
            phase, after = phase + 1, None
        if job.document is None:
            require_granules(job.harvested.crawl)
        return True

    async def scan(self, job: Job) -> bool:
        """Read the headers of files that are new or changed since the head; the others' are taken over."""
        crawl = job.harvested.crawl
        granules = _granules(job)
        job.headers = dict(crawl.headers)
        if not job.recipe.scan:
            return True
        body = await self._body(job)
        done = 0
        async for chunk in self.jobs.chunks(job.build, "scan", ScanChunk):
            _take_in(job, chunk)
            done += 1
        known: _Known | None = None
        slices = [list(each) for each in batched(granules, SCAN_SLICE, strict=False)]
        for number, part in enumerate(slices[done:], start=done):
            known = known or await self._known(job.build)
            chunk = await self._scanned(job, part, known, body)
            await self.jobs.add_chunk(job.build, "scan", chunk, after=number)
            _take_in(job, chunk)
            await job.tell({"granules": len(granules), "scanned": min((number + 1) * SCAN_SLICE, len(granules))})
            if job.is_late() and number + 1 < len(slices):
                return False
        return True

    async def cover(self, job: Job) -> Draft:
        """The draft of all that was crawled and scanned. Raises TooLarge beyond a limit."""
        draft = await self._draft(job)
        check_limit(len(draft.index.granules), self.most_granules, what="granules")
        check_limit(len(draft.index.cells), self.most_cells, what="cells")
        return draft

    async def _draft(self, job: Job) -> Draft:
        crawl = job.harvested.crawl
        excludes = frozenset(job.recipe.excludes)
        if job.document is not None:
            return await self._imported(job, job.document, excludes)
        gone = {refusal.granule_id for refusal in crawl.refused if refusal.reason.startswith("lies on ")}
        whole = Crawl(
            granules=[each for each in crawl.granules if each.id not in excludes and each.id not in gone],
            refused=[*crawl.refused, *(Refusal(e.id, "removed by hand") for e in crawl.granules if e.id in excludes)],
            normalised=crawl.normalised,
            headers={key: records for key, records in job.headers.items() if key not in excludes | gone},
            unread=job.unread,
        )
        require_granules(whole)
        body = await self.builder.body_of(job.recipe, whole)
        return await self.builder.assemble(job.recipe, job.registration.defaults, whole, body=body, started=job.started)

    async def _imported(self, job: Job, document: MosaicJson, excludes: frozenset[str]) -> Draft:
        foreign = [refusal for refusal in job.harvested.crawl.refused if refusal.reason.startswith("lies on ")]
        if foreign:
            raise Invalid(f"{foreign[0].granule_id} {foreign[0].reason}", field="tiles")
        includes = replace(job.harvested.crawl, headers=dict(job.headers))
        defaults = replace(job.registration.defaults, asset=job.asset_key)
        draft = await self.builder.imported(
            document, defaults, scan=False, known=job.headers, includes=includes, excludes=excludes
        )
        check_limit(len(draft.index.granules), job.recipe.limits.max_granules, what="granules")
        check_limit(len(draft.index.cells), job.recipe.limits.max_cells, what="cells")
        return draft

    async def _read_document(self, job: Job) -> None:
        source = job.recipe.source
        if not isinstance(source, MosaicJsonSource) or job.document is not None:
            return
        raw: bytes | None = None
        if source.href is not None:
            raw = await self.builder.catalog.document(source.href, max_bytes=MAX_BYTES)
        job.document = await asyncio.to_thread(parse, raw if raw is not None else source.document or {})
        prefix = job.document.asset_prefix or ""
        distinct = {prefix + asset for members in job.document.tiles.values() for asset in members}
        await asyncio.to_thread(self._permit_all, sorted(distinct), field="tiles")

    def _permit_all(self, hrefs: Sequence[str], *, field: str) -> None:
        for href in hrefs:
            self.access.permit(href, field=field)

    def _vetted(self, page: HarvestPage) -> HarvestPage:
        """Granules whose files must not be fetched become refusals."""
        return replace(page, answers=tuple(self._vet(answer) for answer in page.answers))

    def _vet(self, answer: Harvest | Refusal) -> Harvest | Refusal:
        if isinstance(answer, Refusal):
            return answer
        for key, href in answer.granule.hrefs.items():
            try:
                reason = self.access.refusal(href)
            except Unavailable as error:
                reason = error.message
            if reason is not None:
                return Refusal(answer.granule.id, f"the href of asset {key!r} {reason}")
        return answer

    def _known_body(self, job: Job) -> str | None:
        if job.recipe.tms is not None:
            return named_grid(job.recipe.tms).body
        if job.document is not None:
            return job.document.grid().body
        granules = job.harvested.crawl.granules
        target = granules[0].properties.get("ssys:targets") if granules else None
        return str(target[0]) if isinstance(target, list) and target else None

    async def _body(self, job: Job) -> str:
        if job.document is not None:
            return job.document.grid().body
        return await self.builder.body_of(job.recipe, job.harvested.crawl)

    async def _scanned(self, job: Job, granules: Sequence[Granule], known: "_Known", body: str) -> ScanChunk:
        have = {granule.id: job.headers[granule.id] for granule in granules if granule.id in job.headers}
        reused = await known.headers(granules, self.builder.reader.etag, rescan=job.build.rescan)
        before = {granule.id: {**reused.get(granule.id, {}), **have.get(granule.id, {})} for granule in granules}
        scan = await scan_files(self.builder.reader, granules, before, body=body, on_file=_unwatched)
        count = sum(len(records) for records in reused.values())
        return ScanChunk(
            headers={key: records for key, records in scan.headers.items() if records},
            scanned=sum(len(r) for r in scan.headers.values()) - sum(len(r) for r in before.values()),
            reused=count,
            unread=scan.unread,
            foreign=[(refusal.granule_id, refusal.reason) for refusal in scan.foreign],
        )

    async def _known(self, build: Build) -> "_Known":
        try:
            version = await self.store.version(MosaicRef(build.name))
        except NotFound:
            return _Known(store=self.store, version=None, digests={}, stale=frozenset())
        digests: dict[str, bytes] = {}
        after: str | None = None
        while True:
            page = await self.store.granules(version, after=after, limit=1000)
            digests.update((granule.id, granule_digest(granule)) for granule in page.items)
            after = page.next
            if after is None:
                return _Known(store=self.store, version=version, digests=digests, stale=frozenset(self.stale()))


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What the head knows of granules, so that their files need not be opened again."""

    store: MosaicStore
    version: Version | None
    digests: Mapping[str, bytes]
    stale: frozenset[str]

    async def headers(
        self, granules: Sequence[Granule], etag: Callable[[str], Awaitable[str | None]], *, rescan: bool
    ) -> dict[str, dict[str, Header]]:
        """Records of granules that are as they were; of others, and of all on `rescan`, where the ETag still is."""
        if self.version is None:
            return {}
        old = [granule for granule in granules if granule.id in self.digests]
        found: dict[str, dict[str, Header]] = {}
        for key in {key for granule in old for key in granule.hrefs}:
            records = await self.store.headers(self.version, [granule.id for granule in old], key)
            doubtful: list[tuple[Granule, Header]] = []
            for granule in old:
                header = records.get(granule.id)
                if header is None or key not in granule.hrefs:
                    continue
                is_same = self.digests[granule.id] == granule_digest(granule)
                if is_same and not rescan and granule.hrefs[key] not in self.stale:
                    found.setdefault(granule.id, {})[key] = header
                elif header.etag is not None:
                    doubtful.append((granule, header))
            tags = await asyncio.gather(*(_tag(etag, granule.hrefs[key]) for granule, _ in doubtful))
            for (granule, header), tag in zip(doubtful, tags, strict=True):
                if tag == header.etag:
                    found.setdefault(granule.id, {})[key] = header
        return found


def granule_digest(granule: Granule) -> bytes:
    """Tells a granule from one whose files, outline or properties are others."""
    content = repr((sorted(granule.hrefs.items()), sorted(granule.properties.items(), key=str)))
    return hashlib.blake2b(content.encode() + shapely.to_wkb(granule.footprint), digest_size=16).digest()


def _unwatched(done: int, total: int) -> None:
    """Progress is told slice by slice."""


async def _tag(etag: Callable[[str], Awaitable[str | None]], href: str) -> str | None:
    try:
        return await etag(href)
    except QuadmosaicError:
        return None


def _sources(recipe: Recipe) -> list[Source]:
    """The source, unless it is an index already, and what was added by hand."""
    main: list[Source] = [] if isinstance(recipe.source, MosaicJsonSource) else [recipe.source]
    return main if recipe.includes is None else [*main, FeaturesSource(features=recipe.includes)]


def _assets(job: Job) -> tuple[str, ...]:
    if job.document is not None:
        return (job.asset_key,)
    granules = job.harvested.crawl.granules
    return job.recipe.assets or (tuple(granules[0].hrefs) if granules else ())


def _granules(job: Job) -> list[Granule]:
    """Those of the document first, then the harvested ones."""
    if job.document is None:
        return job.harvested.crawl.granules
    index: Index = to_index(job.document, asset_key=job.asset_key)[0]
    return [*index.granules, *job.harvested.crawl.granules]


def _take_in(job: Job, chunk: ScanChunk) -> None:
    for granule_id, records in chunk.headers.items():
        job.headers[granule_id] = {**job.headers.get(granule_id, {}), **records}
    job.scanned += chunk.scanned
    job.reused += chunk.reused
    job.unread += chunk.unread
    job.harvested.crawl.refused += [Refusal(*refusal) for refusal in chunk.foreign]
