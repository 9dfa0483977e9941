"""The crawl step: the recipe's sources read page by page, each page a chunk in the ledger."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.granules import Harvest, Refusal
from quadmosaic.domain.mosaic import Recipe
from quadmosaic.domain.mosaicjson import MAX_BYTES, parse
from quadmosaic.domain.sources import FeaturesSource, MosaicJsonSource, Source
from quadmosaic.ports import Catalog, GranuleReader, HarvestPage, MosaicStore
from quadmosaic.services.access import Access
from quadmosaic.services.builds import check_limit
from quadmosaic.services.chunks import CrawlChunk, crawl_chunk
from quadmosaic.services.crawls import require_granules
from quadmosaic.services.doubts import Doubts
from quadmosaic.services.job import Job
from quadmosaic.services.jobs import Jobs, request_digest
from quadmosaic.services.recall import Recall


@dataclass(frozen=True, kw_only=True)
class Crawling:
    """Reads sources; in memory are one page, and the ids and places of the granules so far."""

    jobs: Jobs
    catalog: Catalog
    reader: GranuleReader
    store: MosaicStore
    doubts: Doubts
    access: Access
    most_granules: int | None = None

    async def crawl(self, job: Job) -> bool:
        """Read the recipe's source, then what was included by hand; False where there is more to read."""
        await self._read_document(job)
        count, last = 0, None
        async for last in self.jobs.chunks(job.build, "crawl", CrawlChunk):
            job.harvested.add(last)
            count += 1
        sources = _sources(job.recipe)
        phase, after = (0, None) if last is None else (last.phase, last.next)
        if last is not None and after is None:
            phase += 1
        recall = Recall(reader=self.reader, store=self.store, jobs=self.jobs, doubts=self.doubts, build=job.build)
        while phase < len(sources):
            pages = self.catalog.pages(
                sources[phase], assets=job.assets, body=job.known_body, after=after, scan=recall.scan
            )
            async with aclosing(pages):
                async for page in pages:
                    vetted = await asyncio.to_thread(self._vetted, page)
                    count = await self._keep(job, crawl_chunk(vetted, recall.spent(), phase=phase), after=count)
                    if job.is_late() and (page.next is not None or phase + 1 < len(sources)):
                        return False
            phase, after = phase + 1, None
        if job.document is None:
            require_granules(job.harvested.crawl)
        return True

    async def _keep(self, job: Job, chunk: CrawlChunk, *, after: int) -> int:
        count = await self.jobs.add_chunk(job.build, "crawl", chunk, after=after)
        job.harvested.add(chunk)
        found = len(job.harvested.crawl.granules)
        check_limit(found, job.recipe.limits.max_granules, what="granules")
        check_limit(found, self.most_granules, what="granules")
        await job.tell({"granules": found})
        return count

    async def _read_document(self, job: Job) -> None:
        source = job.recipe.source
        if not isinstance(source, MosaicJsonSource) or job.document is not None:
            return
        raw: bytes | None = None
        if source.href is not None:
            raw = await self.catalog.document(source.href, max_bytes=MAX_BYTES)
        job.document = await asyncio.to_thread(parse, raw if raw is not None else source.document or {})
        prefix = job.document.asset_prefix or ""
        distinct = {prefix + asset for members in job.document.tiles.values() for asset in members}
        job.files = request_digest(sorted(distinct))
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


def _sources(recipe: Recipe) -> list[Source]:
    """The source, unless it is an index already, and what was added by hand."""
    main: list[Source] = [] if isinstance(recipe.source, MosaicJsonSource) else [recipe.source]
    return main if recipe.includes is None else [*main, FeaturesSource(features=recipe.includes)]
