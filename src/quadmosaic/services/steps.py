"""The steps of a build: crawl, scan and cover, each of which goes on where an earlier process stopped."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Refusal
from quadmosaic.domain.mosaic import AssetProfile, MosaicRef
from quadmosaic.domain.mosaicjson import MosaicJson
from quadmosaic.domain.trace import tracing
from quadmosaic.ports import MosaicStore
from quadmosaic.services.access import Access
from quadmosaic.services.builds import Builder, check_limit
from quadmosaic.services.crawling import Crawling
from quadmosaic.services.crawls import require_granules
from quadmosaic.services.doubts import RECHECK_DAYS, Doubts
from quadmosaic.services.drafts import Draft
from quadmosaic.services.job import Job
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.scanning import Scanning
from quadmosaic.services.vetting import CheckStyle, unchecked


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Crawl and scan answer whether they came to their end; what they found so far is in the ledger.

    `most_granules` and `most_cells` hold for every mosaic, `stale` gives hrefs whose files were seen to have changed,
    `recheck_days` says how often the files that are known are asked after.
    """

    jobs: Jobs
    builder: Builder
    access: Access
    store: MosaicStore
    most_granules: int | None = None
    most_cells: int | None = None
    stale: Callable[[], Collection[str]] = frozenset
    recheck_days: int = RECHECK_DAYS
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    check_style: CheckStyle = unchecked

    async def crawl(self, job: Job) -> bool:
        """Read the recipe's source, then what was included by hand, page by page."""
        self.check_style(job.registration.defaults.style)
        crawling = Crawling(
            jobs=self.jobs,
            catalog=self.builder.catalog,
            reader=self.builder.reader,
            store=self.store,
            doubts=self._doubts,
            access=self.access,
            most_granules=self.most_granules,
        )
        return await crawling.crawl(job)

    async def scan(self, job: Job) -> bool:
        """Read the headers of files that are new or changed since the head; the others' are taken over."""
        if not job.recipe.scan:
            return True
        scanning = Scanning(jobs=self.jobs, reader=self.builder.reader, store=self.store, doubts=self._doubts)
        return await scanning.scan(job, body=await self._body(job))

    async def cover(self, job: Job) -> Draft:
        """The draft of all that was crawled and scanned. Raises TooLarge beyond a limit."""
        with tracing() as trace:
            draft = await self._draft(job)
        job.bytes += trace.tally.fetched_bytes
        job.requests += trace.tally.requests
        check_limit(len(draft.index.granules), self.most_granules, what="granules")
        check_limit(len(draft.index.cells), self.most_cells, what="cells")
        return draft

    @property
    def _doubts(self) -> Doubts:
        return Doubts(jobs=self.jobs, stale=self.stale, recheck_days=self.recheck_days, now=self.now)

    async def _body(self, job: Job) -> str:
        if job.document is not None:
            return job.document.grid().body
        return await self.builder.body_of(job.recipe, job.harvested.crawl)

    async def _draft(self, job: Job) -> Draft:
        crawl = job.harvested.crawl
        excludes = frozenset(job.recipe.excludes)
        if job.document is not None:
            return await self._imported(job, job.document, excludes)
        gone = {refusal.granule_id for refusal in job.ruled_out}
        places = job.harvested.places
        by_hand = [granule_id for granule_id in job.recipe.excludes if granule_id in places]
        whole = replace(crawl, refused=[*crawl.refused, *(Refusal(each, "removed by hand") for each in by_hand)])
        whole.leave_out({places[granule_id] for granule_id in gone | excludes if granule_id in places})
        require_granules(whole)
        body = await self.builder.body_of(job.recipe, whole)
        draft = await self.builder.assemble(
            job.recipe,
            job.registration.defaults,
            whole,
            body=body,
            started=job.started,
            before=await self._profiles_before(job, len(whole.granules) - job.skipped),
        )
        await self.jobs.remember_skipped(job.build, whole.skipped)
        return draft

    async def _profiles_before(self, job: Job, granules: int) -> Sequence[AssetProfile]:
        """The head's profiles where no file is new or changed, and none is gone."""
        if job.harvested.scanned + job.scanned or not job.harvested.reused + job.reused:
            return ()
        head = await self.store.version(MosaicRef(job.build.name))
        return head.manifest.assets if head.manifest.report.used == granules else ()

    async def _imported(self, job: Job, document: MosaicJson, excludes: frozenset[str]) -> Draft:
        crawl = job.harvested.crawl
        foreign = [refusal for refusal in job.ruled_out if refusal.granule_id in job.foreign]
        if foreign:
            raise Invalid(f"{foreign[0].granule_id} {foreign[0].reason}", field="tiles")
        gone = excludes | {refusal.granule_id for refusal in job.ruled_out}
        if all(granule.id in gone for granule in job.all_granules()):
            reasons = "; ".join(f"{each.granule_id}: {each.reason}" for each in job.ruled_out[:3])
            raise Invalid(f"the document has no usable granule. {reasons}".strip(), field="tiles")
        defaults = replace(job.registration.defaults, asset=job.asset_key)
        draft = await self.builder.imported(
            document, defaults, scan=False, known=crawl.headers, includes=crawl, excludes=gone
        )
        check_limit(len(draft.index.granules), job.recipe.limits.max_granules, what="granules")
        check_limit(len(draft.index.cells), job.recipe.limits.max_cells, what="cells")
        return draft
