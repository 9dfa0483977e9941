"""The scan step: headers of files that are new or changed since the head; the others' are taken over."""

from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import batched

from quadmosaic.domain.builds import Build, Status
from quadmosaic.domain.errors import NotFound
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import MosaicRef, Version
from quadmosaic.domain.rechecks import share_of, shares_due
from quadmosaic.ports import GranuleReader, MosaicStore
from quadmosaic.services.chunks import ScanChunk
from quadmosaic.services.job import Job
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.known import Known, Pair, Records, unchanged
from quadmosaic.services.scans import scan_files

SLICE = 200
"""Granules whose files are read between two records of the progress."""
RECHECK_DAYS = 30
_RECENT = 20


@dataclass(frozen=True, kw_only=True)
class Scanning:
    """Reads headers; in memory is one slice.

    Each file is asked after again every `recheck_days` days (0: never), and those of `stale` hrefs at once.
    """

    jobs: Jobs
    reader: GranuleReader
    store: MosaicStore
    stale: Callable[[], Collection[str]] = frozenset
    recheck_days: int = RECHECK_DAYS
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def scan(self, job: Job, *, body: str) -> bool:
        """Complete the header records; False where there is more to read."""
        run = _Run(job=job, granules=job.all_granules(), body=body)
        async for chunk in self.jobs.chunks(job.build, "scan", ScanChunk):
            run.take_in(chunk)
        known = await self._known(job.build.name, body)
        is_doubtful = await self._doubts(job.build, known.version)
        async for pairs in known.walk(run.granules, run.places):
            records = await known.headers([pair for pair in pairs if not run.done[pair.at]])
            doubtful: list[Pair] = []
            for pair in pairs:
                if run.done[pair.at]:
                    continue
                if pair.before == pair.now and not is_doubtful(pair.now):
                    run.take_over(pair, records)
                else:
                    doubtful.append(pair)
            for some in batched(doubtful, SLICE, strict=False):
                kept = await unchanged(self.reader, some, records)
                if not await self._slice(run, [pair.now for pair in some], kept):
                    return False
        waiting = array("Q", (at for at in range(len(run.granules)) if not run.done[at]))
        for start in range(0, len(waiting), SLICE):
            if not await self._slice(run, [run.granules[at] for at in waiting[start : start + SLICE]], {}):
                return False
        return True

    async def _slice(self, run: "_Run", granules: Sequence[Granule], kept: Records) -> bool:
        """Read what is not known and record it; False where there is more and no time."""
        headers = run.job.harvested.crawl.headers
        before = {each.id: {**kept.get(each.id, {}), **headers.get(each.id, {})} for each in granules}
        scan = await scan_files(self.reader, granules, before, body=run.body, on_file=_unwatched)
        chunk = ScanChunk(
            done=[granule.id for granule in granules],
            headers={key: records for key, records in scan.headers.items() if records},
            scanned=sum(map(len, scan.headers.values())) - sum(map(len, before.values())),
            reused=sum(map(len, kept.values())),
            unread=scan.unread,
            refused=[(refusal.granule_id, refusal.reason) for refusal in scan.refused],
            foreign=scan.foreign,
            files=run.job.files,
        )
        await self.jobs.add_chunk(run.job.build, "scan", chunk, after=run.chunks)
        run.take_in(chunk)
        await run.job.tell({"granules": len(run.granules), "scanned": run.done.count(1)})
        return not run.job.is_late() or run.done.count(0) == 0

    async def _known(self, name: str, body: str) -> Known:
        try:
            version = await self.store.version(MosaicRef(name))
        except NotFound:
            return Known(store=self.store, version=None)
        return Known(store=self.store, version=version if version.manifest.body == body else None)

    async def _doubts(self, build: Build, head: Version | None) -> Callable[[Granule], bool]:
        """Whose files are asked after even though the source says nothing new."""
        if build.rescan:
            return lambda _: True
        last = None if head is None else await self._last_build(build, head)
        days = self.recheck_days
        due, stale = shares_due(days=days, last=last, today=self.now().date()), frozenset(self.stale())

        def is_doubtful(granule: Granule) -> bool:
            return (bool(due) and share_of(granule.id, days=days) in due) or not stale.isdisjoint(
                granule.hrefs.values()
            )

        return is_doubtful

    async def _last_build(self, build: Build, head: Version) -> date:
        """When a build last came to its end."""
        for each in (await self.jobs.builds(build.name, limit=_RECENT)).items:
            if each.id != build.id and each.status in (Status.SUCCEEDED, Status.UNCHANGED) and each.finished:
                return datetime.fromisoformat(each.finished).date()
        return datetime.fromisoformat(head.manifest.created).date()


class _Run:
    """One run of the step: which granules are done, and how many chunks there are."""

    def __init__(self, *, job: Job, granules: Sequence[Granule], body: str) -> None:
        self.job, self.granules, self.body = job, granules, body
        self.done = bytearray(len(granules))
        self.places = job.harvested.places if job.document is None else self._placed()
        self.chunks = 0

    def _placed(self) -> Mapping[str, int]:
        """Positions by id; of granules with the same one the first counts."""
        places: dict[str, int] = {}
        for at, granule in enumerate(self.granules):
            if places.setdefault(granule.id, at) != at:
                self.done[at] = 1
        return places

    def take_in(self, chunk: ScanChunk) -> None:
        """Add what was scanned, unless the document has come to name other files since."""
        self.chunks += 1
        if chunk.files != self.job.files:
            return
        self.job.take_in(chunk)
        for granule_id in chunk.done:
            self.done[self.places[granule_id]] = 1

    def take_over(self, pair: Pair, records: Records) -> None:
        """A granule as it was; what the head knows of its files is enough, if it knows of all."""
        found = records.get(pair.now.id, {})
        if found:
            self.job.harvested.crawl.headers.add(pair.now.id, found)
            self.job.reused += len(found)
        if found.keys() >= pair.now.hrefs.keys():
            self.done[pair.at] = 1


def _unwatched(done: int, total: int) -> None:
    """Progress is told slice by slice."""
