"""The scan step: headers of files that are new or changed since the head; the others' are taken over."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import tracing
from quadmosaic.ports import GranuleReader, MosaicStore
from quadmosaic.services.chunks import ScanChunk
from quadmosaic.services.doubts import Doubts, IsDoubtful
from quadmosaic.services.job import Job
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.known import Known, Pair, Records, known_of, unchanged
from quadmosaic.services.scans import scan_files

SLICE = 200
"""Granules whose files are read between two records of the progress."""


@dataclass(frozen=True, kw_only=True)
class Scanning:
    """Reads headers; in memory is one slice."""

    jobs: Jobs
    reader: GranuleReader
    store: MosaicStore
    doubts: Doubts

    async def scan(self, job: Job, *, body: str) -> bool:
        """Complete the header records; False where there is more to read."""
        run = _Run(job=job, granules=job.all_granules(), body=body)
        async for chunk in self.jobs.chunks(job.build, "scan", ScanChunk):
            run.take_in(chunk)
        known = await self._known(job.build.name, body)
        is_doubtful = await self.doubts.of(job.build, known.version)
        async for pairs in known.walk(run.granules, run.places):
            waiting = [pair for pair in pairs if not run.done[pair.at]]
            if not await self._compared(run, waiting, await known.headers(waiting), is_doubtful):
                return False
        if run.done.count(0):
            left_out, records = run.left_out(await self.jobs.skipped(job.build))
            job.skipped = len(left_out)
            if not await self._compared(run, left_out, records, is_doubtful):
                return False
        left = array("Q", (at for at in range(len(run.granules)) if not run.done[at]))
        for start in range(0, len(left), SLICE):
            if not await self._slice(run, [run.granules[at] for at in left[start : start + SLICE]], (), {}):
                return False
        return True

    async def _compared(self, run: "_Run", pairs: Sequence[Pair], records: Records, is_doubtful: IsDoubtful) -> bool:
        """Take over what is as it was, and ask after the rest; False where there is more and no time."""
        lacking = run.lacking(records)
        doubtful: list[Pair] = []
        for pair in pairs:
            if pair.is_same and not is_doubtful(pair.now.id, pair.now.hrefs.values()):
                run.take_over(pair, lacking)
            else:
                doubtful.append(pair)
        for some in batched(doubtful, SLICE, strict=False):
            if not await self._slice(run, [pair.now for pair in some], some, lacking):
                return False
        return True

    async def _slice(
        self, run: "_Run", granules: Sequence[Granule], doubtful: Sequence[Pair], records: Records
    ) -> bool:
        """Read what is not known and record it; False where there is more and no time."""
        with tracing() as trace:
            kept = await unchanged(self.reader, doubtful, records)
            before = {each.id: {**kept.get(each.id, {}), **run.crawled(each.id)} for each in granules}
            scan = await scan_files(self.reader, granules, before, body=run.body, on_file=_unwatched)
        chunk = ScanChunk(
            done=[granule.id for granule in granules],
            headers={key: found for key, found in run.lacking(scan.headers).items() if found},
            scanned=sum(map(len, scan.headers.values())) - sum(map(len, before.values())),
            reused=sum(map(len, kept.values())),
            unread=scan.unread,
            refused=[(refusal.granule_id, refusal.reason) for refusal in scan.refused],
            foreign=scan.foreign,
            files=run.job.files,
            bytes=trace.tally.fetched_bytes,
            requests=trace.tally.requests,
        )
        await self.jobs.add_chunk(run.job.build, "scan", chunk, after=run.chunks)
        run.take_in(chunk)
        await run.job.tell({"granules": len(run.granules), "scanned": run.done.count(1)})
        return not run.job.is_late() or run.done.count(0) == 0

    async def _known(self, name: str, body: str) -> Known:
        known = await known_of(self.store, name)
        is_other = known.version is not None and known.version.manifest.body != body
        return Known(store=self.store, version=None) if is_other else known


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

    def crawled(self, granule_id: str) -> Mapping[str, Header]:
        """The records that the crawl had to read, or that an earlier slice has."""
        return self.job.harvested.crawl.headers.get(granule_id, {})

    def lacking(self, records: Records) -> Records:
        """Those of the records that are not there yet."""
        return {
            granule_id: {key: header for key, header in found.items() if key not in mine}
            for granule_id, found in records.items()
            for mine in [self.crawled(granule_id)]
        }

    def left_out(self, headers: Mapping[str, Header]) -> tuple[list[Pair], Records]:
        """Granules all of whose files are among these by href, as before, and their records."""
        pairs: list[Pair] = []
        records: Records = {}
        for at, granule in enumerate(self.granules if headers else ()):
            if not self.done[at] and headers.keys() >= set(granule.hrefs.values()):
                names = {key: key for key in granule.hrefs}
                pairs.append(Pair(at=at, before=granule, now=granule, names=names))
                records[granule.id] = {key: headers[href] for key, href in granule.hrefs.items()}
        return pairs, records

    def take_over(self, pair: Pair, records: Records) -> None:
        """A granule as it was; what the head knows of its files is enough, if it knows of all."""
        found = records.get(pair.now.id, {})
        if found:
            self.job.harvested.crawl.headers.add(pair.now.id, found)
            self.job.reused += len(found)
        if self.crawled(pair.now.id).keys() >= pair.now.hrefs.keys():
            self.done[pair.at] = 1


def _unwatched(done: int, total: int) -> None:
    """Progress is told slice by slice."""
