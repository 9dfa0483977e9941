"""Rehearsals: what a build would do, without a record or a version of it."""

import asyncio
from dataclasses import replace

from quadmosaic.domain.builds import Build, BuildReport
from quadmosaic.domain.errors import NotFound, TooLarge
from quadmosaic.domain.mosaic import MosaicRef, Version
from quadmosaic.domain.registrations import Registration
from quadmosaic.ports import Entry
from quadmosaic.services.job import Job
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.publishing import build_report, everything_new, held, index_changes
from quadmosaic.services.steps import Steps


class _Scratch:
    """A ledger that keeps nothing: a rehearsal is done in one go, and reads nothing back."""

    async def last(self, _: str) -> Entry | None:
        return None

    async def entry(self, _: str, number: int) -> bytes | None:  # noqa: ARG002
        return None

    async def append(self, _: str, body: bytes, *, after: int) -> int:  # noqa: ARG002
        return after + 1

    async def remove(self, stream: str) -> None:
        """There is none."""

    async def trim(self, stream: str, *, below: int) -> None:
        """There is none."""


async def rehearse(steps: Steps, registration: Registration, rescan: bool, *, within_s: float) -> BuildReport:
    """The report of a build, compared with the head. Raises what the build would fail with.

    TooLarge where it takes longer than `within_s`: nobody could go on with it later.
    """
    try:
        async with asyncio.timeout(within_s):
            return await _rehearsed(steps, registration, rescan)
    except TimeoutError as error:
        raise TooLarge(
            f"a dry run may take {within_s:g} s, and this mosaic takes longer: build it, or try it on the command line"
        ) from error


async def _rehearsed(steps: Steps, registration: Registration, rescan: bool) -> BuildReport:
    trial = replace(steps, jobs=Jobs(ledger=_Scratch()))
    build = Build(name=registration.name, id="rehearsal", revision=1, trigger="rehearsal", dry_run=True, rescan=rescan)
    job = Job(build=build, registration=registration, tell=_untold, is_late=lambda: False)
    await trial.crawl(job)
    await trial.scan(job)
    draft = await trial.cover(job)
    try:
        head: Version | None = await steps.store.version(MosaicRef(registration.name))
    except NotFound:
        head = None
    changes = everything_new(draft.index) if head is None else index_changes(await steps.store.index(head), draft.index)
    report = build_report(job, draft, changes, seconds=draft.manifest.report.seconds)
    return replace(report, held=held(job, head, changes, report))


async def _untold(_: object) -> None:
    """Nobody watches a rehearsal."""
