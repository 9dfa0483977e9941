"""Publishing a build: written, compared with the head, held where too much would go, and made the head if it may."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from quadmosaic.domain.builds import Build, BuildReport, Skipped, Status, Step, cost_usd, shrinks_too_far
from quadmosaic.domain.errors import Conflict, NotFound
from quadmosaic.domain.mosaic import Index, Manifest, MosaicRef, Recipe, Version
from quadmosaic.ports import Changes, MosaicStore
from quadmosaic.services.drafts import Draft
from quadmosaic.services.jobs import Jobs, Registered

if TYPE_CHECKING:
    from quadmosaic.services.job import Job

SHOWN = 100
_ATTEMPTS = 5
EDIT = "edit"
"""The trigger of a version that changed defaults only, and so is no rival of a build."""

type Note = Callable[[Callable[[Build], Build]], Awaitable[Build]]


class Superseded(Exception):
    """The build has nothing to publish any more; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Publishing:
    """The last step of a build."""

    jobs: Jobs
    store: MosaicStore

    async def head(self, name: str) -> int | None:
        """The published version's number."""
        try:
            return await self.store.head(name)
        except NotFound:
            return None

    async def publish(self, job: "Job", draft: Draft, *, note: Note, took: Callable[[], float]) -> Build:
        """The build as it ends; `note` saves it before the head moves. Raises Superseded."""
        build = job.build
        for _ in range(_ATTEMPTS):
            manifest = await self._current_manifest(build, job, draft.manifest)
            version = await self.store.write(build.name, manifest, draft.index)
            # Read last: what was written may be the head's own version, which a rival published this moment.
            head = await self._version(build.name)
            if head is not None and head.digest == version.digest:
                return self._as_it_is(await note(lambda b: b), head, draft, job, took())
            await self._check_rivals(build, head)
            changes = everything_new(draft.index) if head is None else await self.store.changes(head, version)
            report = build_report(job, draft, changes, seconds=took())
            report = replace(report, held=held(job, head, changes, report))
            status = Status.HELD if report.held else Status.RUNNING
            saved = await note(
                lambda b, v=version, r=report, s=status: replace(  # type: ignore[misc]
                    b, step=Step.PUBLISH, version=v.number, digest=v.digest, report=r, status=s
                )
            )
            if report.held:
                return saved
            # A deletion ends what was written before it; what was written after it is seen here.
            if await self._current_manifest(build, job, draft.manifest) != manifest:
                continue
            try:
                number = None if head is None else head.number
                await self.store.publish(MosaicRef(build.name, version.number), expected=number)
            except (Conflict, NotFound):
                continue
            return replace(saved, status=Status.SUCCEEDED, step=Step.DONE)
        raise Superseded("others publish this mosaic over and over")

    async def confirm(self, build: Build) -> bool:
        """Publish the version of a held build; False where that was swept or has old defaults, and must be built again.

        Raises Superseded, NotFound.
        """
        built = await self.jobs.registration_at(build.name, build.revision)
        latest = await self._latest(build, built.recipe)
        head = await self._version(build.name)
        await self._check_rivals(build, head)
        if build.version is None or latest.registration.defaults != built.defaults:
            return False
        try:
            await self.store.publish(
                MosaicRef(build.name, build.version), expected=None if head is None else head.number
            )
        except NotFound:
            return False
        return True

    async def _version(self, name: str) -> Version | None:
        try:
            return await self.store.version(MosaicRef(name))
        except NotFound:
            return None

    async def _current_manifest(self, build: Build, job: "Job", manifest: Manifest) -> Manifest:
        """With the defaults of today. Raises Superseded."""
        latest = await self._latest(build, job.recipe)
        if latest.revision == build.revision:
            return manifest
        told = latest.registration.defaults
        kept = replace(told, asset=told.asset or manifest.defaults.asset)
        return replace(manifest, defaults=kept)

    async def _latest(self, build: Build, recipe: Recipe) -> Registered:
        """The registration of today. Raises Superseded where there is none, or its recipe is another one."""
        latest = await self.jobs.registered(build.name)
        if latest is None:
            raise Superseded("the mosaic was deleted meanwhile")
        if latest.revision != build.revision and latest.registration.recipe != recipe:
            raise Superseded("the recipe was changed meanwhile: a later build has the new one")
        return latest

    async def _check_rivals(self, build: Build, head: Version | None) -> None:
        """Whoever published since this build began wins, unless what it built is older."""
        if head is None or head.number in (build.base, build.version):
            return
        rival = next((b for b in (await self.jobs.builds(build.name)).items if b.version == head.number), None)
        if rival is None:
            raise Superseded(f"version {head.number} was published by hand meanwhile")
        if rival.trigger != EDIT and rival.revision >= build.revision:
            raise Superseded(f"build {rival.id} published version {head.number} meanwhile")

    def _as_it_is(self, build: Build, head: Version, draft: Draft, job: "Job", seconds: float) -> Build:
        """Nothing new; or this build's own version, whose publication it did not live to see."""
        if build.version == head.number and build.report is not None:
            return replace(build, status=Status.SUCCEEDED, step=Step.DONE)
        report = build_report(job, draft, Changes(), seconds=seconds)
        return replace(
            build, status=Status.UNCHANGED, step=Step.DONE, version=head.number, digest=head.digest, report=report
        )


def held(job: "Job", head: Version | None, changes: Changes, report: BuildReport) -> str | None:
    """Why the build waits for a word, which nobody gave yet."""
    if head is None or job.build.confirmed:
        return None
    before = head.manifest.report
    return shrinks_too_far(
        report,
        by_hand=len(set(changes.granules_removed) & set(job.recipe.excludes)),
        granules_before=before.used,
        cells_before=before.cells,
        max_shrink=job.recipe.limits.max_shrink,
    )


def build_report(job: "Job", draft: Draft, changes: Changes, *, seconds: float) -> BuildReport:
    """What a build did and what it changes."""
    done = draft.manifest.report
    refused = list(dict.fromkeys([*done.refused, *job.harvested.crawl.refused]))
    requests = job.harvested.requests + job.requests
    return BuildReport(
        found=max(done.found, done.used + len(refused)),
        used=done.used,
        added=len(changes.granules_added),
        removed=len(changes.granules_removed),
        changed=len(changes.granules_changed),
        skipped=tuple(Skipped(granule=each.granule_id, reason=each.reason) for each in refused[:SHOWN]),
        skipped_count=len(refused),
        cells=done.cells,
        cells_changed=len(changes.cells_added) + len(changes.cells_removed) + len(changes.cells_changed),
        cells_removed=len(changes.cells_removed),
        scanned=job.harvested.scanned + job.scanned,
        reused=job.harvested.reused + job.reused,
        unread=done.unread,
        requests=requests,
        bytes=job.harvested.bytes + job.bytes,
        seconds=seconds,
        cost_usd=cost_usd(seconds=seconds, requests=requests),
        normalised=dict(done.normalised),
        advice=done.advice,
    )


def everything_new(index: Index) -> Changes:
    """The first version of a mosaic."""
    return Changes(
        granules_added=tuple(sorted(granule.id for granule in index.granules)), cells_added=tuple(sorted(index.cells))
    )


def index_changes(old: Index, new: Index) -> Changes:
    """What two indexes differ in, without a store to compare them."""
    before, after = {g.id: g for g in old.granules}, {g.id: g for g in new.granules}
    changed = [
        key
        for key in before.keys() & after.keys()
        if before[key] != after[key] or old.headers.get(key, {}) != new.headers.get(key, {})
    ]
    cells_before, cells_after = _lists(old), _lists(new)
    return Changes(
        granules_added=tuple(sorted(after.keys() - before.keys())),
        granules_removed=tuple(sorted(before.keys() - after.keys())),
        granules_changed=tuple(sorted(changed)),
        cells_added=tuple(sorted(cells_after.keys() - cells_before.keys())),
        cells_removed=tuple(sorted(cells_before.keys() - cells_after.keys())),
        cells_changed=tuple(
            sorted(k for k in cells_before.keys() & cells_after.keys() if cells_before[k] != cells_after[k])
        ),
    )


def _lists(index: Index) -> dict[str, tuple[str, ...]]:
    return {key: tuple(index.granules[at].id for at in members) for key, members in index.cells.items()}
