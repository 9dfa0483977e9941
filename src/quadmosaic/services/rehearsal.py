"""Rehearsals: what a build would do, without a record or a version of it."""

from dataclasses import dataclass, field, replace

from quadmosaic.domain.builds import Build, BuildReport
from quadmosaic.domain.errors import Conflict, NotFound
from quadmosaic.domain.mosaic import MosaicRef
from quadmosaic.domain.registrations import Registration
from quadmosaic.ports import Entry
from quadmosaic.services.job import Job
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.publishing import build_report, everything_new, index_changes
from quadmosaic.services.steps import Steps


@dataclass(kw_only=True)
class _Scratch:
    """A ledger that lasts as long as one rehearsal."""

    streams: dict[str, list[bytes]] = field(default_factory=dict)

    async def last(self, stream: str) -> Entry | None:
        records = self.streams.get(stream)
        return Entry(len(records), records[-1]) if records else None

    async def entry(self, stream: str, number: int) -> bytes | None:
        records = self.streams.get(stream, [])
        return records[number - 1] if 0 < number <= len(records) else None

    async def append(self, stream: str, body: bytes, *, after: int) -> int:
        records = self.streams.setdefault(stream, [])
        if len(records) != after:
            raise Conflict("out of order")
        records.append(body)
        return after + 1

    async def remove(self, stream: str) -> None:
        self.streams.pop(stream, None)

    async def trim(self, stream: str, *, below: int) -> None:
        """A rehearsal is over before anything is old."""


async def rehearse(steps: Steps, registration: Registration, rescan: bool) -> BuildReport:
    """The report of a build, compared with the head. Raises what the build would fail with."""
    trial = replace(steps, jobs=Jobs(ledger=_Scratch()))
    build = Build(name=registration.name, id="rehearsal", revision=1, trigger="rehearsal", dry_run=True, rescan=rescan)
    job = Job(build=build, registration=registration, tell=_untold, is_late=lambda: False)
    await trial.crawl(job)
    await trial.scan(job)
    draft = await trial.cover(job)
    try:
        head = await steps.store.version(MosaicRef(registration.name))
    except NotFound:
        changes = everything_new(draft.index)
    else:
        changes = index_changes(await steps.store.index(head), draft.index)
    return build_report(job, draft, changes, seconds=draft.manifest.report.seconds)


async def _untold(_: object) -> None:
    """Nobody watches a rehearsal."""
