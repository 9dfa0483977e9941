"""The registry: mosaics registered, given a new recipe or other defaults, and deleted."""

import json
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from quadmosaic.domain.builds import Build, BuildReport, Status
from quadmosaic.domain.errors import Conflict, Invalid, NotFound, Stale
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.mosaic import MosaicRef, Recipe, Version
from quadmosaic.domain.mosaicjson import write
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.domain.names import validate_name
from quadmosaic.domain.registrations import Registration, as_posted, changed
from quadmosaic.domain.schedules import next_run
from quadmosaic.domain.sources import MosaicJsonSource
from quadmosaic.ports import MosaicStore, Scheduler
from quadmosaic.services.editing import check_asset, edit
from quadmosaic.services.jobs import Jobs, Registered
from quadmosaic.services.rebuilds import Rebuilds, error_of
from quadmosaic.services.receipts import Once, Receipt
from quadmosaic.services.vetting import Vetting

type Rehearsal = Callable[[Registration, bool], Awaitable[BuildReport]]
"""The report of a build that leaves no trace; True asks after every file again."""

type State = tuple[int, int | None]
"""The revision of a mosaic's registration, and its head."""

_RECENT = 10


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Changes to registrations; `expected` are states of which a client saw one, None where it does not say.

    Without a `rehearsal` it reads no sources, and so refuses dry runs.
    """

    jobs: Jobs
    store: MosaicStore
    rebuilds: Rebuilds
    scheduler: Scheduler
    vetting: Vetting
    rehearsal: Rehearsal | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def registered(self, name: str) -> Registered:
        """The registration; that of a mosaic which a command built is what its version says. Raises NotFound."""
        found = await self.jobs.registered(validate_name(name))
        if found is not None:
            return found
        version = await self.store.version(MosaicRef(name))
        registration = Registration(
            name=name,
            recipe=version.manifest.recipe or await self._as_document(version),
            defaults=version.manifest.defaults,
            created=version.manifest.created,
        )
        return Registered(registration=registration, revision=0)

    async def as_expected(self, name: str, expected: Collection[State] | None) -> Registered:
        """The registration, if the mosaic is as a client has seen it. Raises NotFound, Stale."""
        registered = await self.registered(name)
        if expected is not None and (registered.revision, await self.rebuilds.publishing.head(name)) not in expected:
            raise Stale("the mosaic was changed since it was read: look at it again")
        return registered

    async def adopted(self, registered: Registered) -> Registered:
        """The registration as a record of its own, which a mosaic that a command built has not yet."""
        if registered.revision:
            return registered
        name = registered.registration.name
        stamped = self._stamped(registered.registration)
        return await self.jobs.register(stamped, after=await self.jobs.revision(name))

    async def has_granule(self, registered: Registered, granule_id: str) -> bool:
        """Is it in the published version, or was it added by hand?"""
        recipe = registered.registration.recipe
        features = (recipe.includes or {}).get("features")
        if isinstance(features, list) and any(isinstance(f, dict) and f.get("id") == granule_id for f in features):
            return True
        return bool(await self.rebuilds.published(registered.registration.name, {granule_id}))

    async def register(
        self, registration: Registration, *, once: Once | None = None, wait_s: float | None = None
    ) -> Receipt:
        """A new mosaic. What exists with the same recipe is answered as it is; Conflict for another recipe."""
        await self.vetting.vet(registration)
        build_id = self.rebuilds.new_id()
        if once is not None:
            asked = await self.jobs.remember_key(once.key, {"digest": once.digest, "build": build_id})
            if asked.get("digest") != once.digest:
                raise Conflict("this Idempotency-Key was used for another request")
            build_id = str(asked.get("build"))
        try:
            current = await self._entered(registration)
        except Conflict:
            # The same request may have come twice at once; the other one's registration is there now.
            current = await self._entered(registration)
        await self._schedule(current.registration)
        if await self.rebuilds.publishing.head(registration.name) is not None:
            return Receipt(name=registration.name, revision=current.revision)
        unfinished = await self._unfinished(registration.name)
        if unfinished is not None:
            build = await self.rebuilds.gone_on(unfinished, wait_s=wait_s)
        else:
            build = await self.rebuilds.start(current, trigger="register", build_id=build_id, wait_s=wait_s)
        if build.status is Status.FAILED and build.fault is not None:
            await self._undo(current)
            raise error_of(build.fault)
        return Receipt(name=registration.name, revision=current.revision, build=build, is_new=unfinished is None)

    async def rehearse(self, registration: Registration) -> BuildReport:
        """What registering it would do. Raises Conflict where a mosaic has another recipe."""
        await self.vetting.vet(registration)
        await self._same(registration)
        return await self._rehearsed(registration)

    async def rehearse_replacement(
        self, registration: Registration, *, expected: Collection[State] | None
    ) -> BuildReport:
        """What `replace` would do. Raises Stale."""
        await self.vetting.vet(registration)
        if expected is not None:
            await self.as_expected(registration.name, expected)
        return await self._rehearsed(registration)

    async def rehearse_build(self, registered: Registered, *, rescan: bool) -> BuildReport:
        """What building it again would do."""
        return await self._rehearsed(registered.registration, rescan=rescan)

    async def replace(
        self, registration: Registration, *, expected: Collection[State] | None, wait_s: float | None = None
    ) -> Receipt:
        """Another recipe for a mosaic, or a new mosaic where none is `expected`. Raises Stale."""
        await self.vetting.vet(registration)
        try:
            before = await self.as_expected(registration.name, expected)
        except NotFound:
            if expected is not None:
                raise
            return await self.register(registration, wait_s=wait_s)
        after = before.revision or await self.jobs.revision(registration.name)
        named = replace(registration, created=before.registration.created)
        current = await self.jobs.register(self._stamped(named, before.registration), after=after)
        await self._schedule(current.registration)
        build = await self.rebuilds.start(current, trigger="replace", wait_s=wait_s)
        if build.status is Status.FAILED and build.fault is not None:
            await self.jobs.register(before.registration, after=current.revision)
            await self._schedule(before.registration)
            raise error_of(build.fault)
        return Receipt(name=registration.name, revision=current.revision, build=build)

    async def change(self, name: str, changes: JsonObject, *, expected: Collection[State] | None) -> Receipt:
        """Other defaults or another schedule; other defaults are published as a version that shares the index."""
        before = await self.as_expected(name, expected)
        told = changed(before.registration, changes)
        self.vetting.check_style(told.defaults.style)
        if told.defaults != before.registration.defaults:
            await check_asset(self.store, name, told.defaults)
        current = before
        if told != before.registration:
            after = before.revision or await self.jobs.revision(name)
            current = await self.jobs.register(self._stamped(told, before.registration), after=after)
        await self._schedule(current.registration)
        build = None
        if told.defaults != before.registration.defaults:
            edited = await edit(self.store, current, build_id=self.rebuilds.new_id(), now=self.now())
            build = None if edited is None else (await self.jobs.begin(edited)).build
        return Receipt(name=name, revision=current.revision, build=build)

    async def delete(self, name: str, *, expected: Collection[State] | None) -> None:
        """The mosaic, its versions and the records of its builds. Raises NotFound."""
        before = await self.as_expected(name, expected)
        # What fails here can be asked for again as long as the registration is there.
        await self.scheduler.put(name, None, since=self.now())
        if before.revision:
            await self.jobs.forget(name, after=before.revision)
        try:
            await self.store.delete(name)
        except NotFound:
            if not before.revision:
                raise
        await self.jobs.forget_builds(name)

    async def publish(self, name: str, number: int, *, expected: Collection[State] | None) -> Version:
        """Make a version that was published before the head again. Raises NotFound, Conflict."""
        await self.as_expected(name, expected)
        version = await self.store.version(MosaicRef(name, number))
        head = await self.store.head(name)
        await self.store.publish(MosaicRef(name, number), expected=head)
        return version

    def next_run(self, registration: Registration) -> datetime | None:
        """When its schedule is due again."""
        if registration.schedule is None:
            return None
        since = datetime.fromisoformat(registration.scheduled_since or registration.created)
        return next_run(registration.schedule, self.now(), since=since)

    async def _rehearsed(self, registration: Registration, *, rescan: bool = False) -> BuildReport:
        if self.rehearsal is None:
            raise Invalid("is not done here, where no source is read: try it on the command line", field="dry_run")
        return await self.rehearsal(registration, rescan)

    async def _entered(self, registration: Registration) -> Registered:
        """The registration as a record; one of the same recipe that is there stays as it is. Raises Conflict."""
        same = await self._same(registration)
        if same is not None:
            return same
        after = await self.jobs.revision(registration.name)
        return await self.jobs.register(self._stamped(registration), after=after)

    async def _same(self, registration: Registration) -> Registered | None:
        """The registration of the same recipe that is there. Raises Conflict for another one.

        One that nothing ever came of counts as none: who corrects it need not take it back first.
        """
        name = registration.name
        try:
            there = await self.registered(name)
        except NotFound:
            return None
        if as_posted(there.registration.recipe) == as_posted(registration.recipe):
            return there
        if await self.rebuilds.publishing.head(name) is None and await self._unfinished(name) is None:
            return None
        raise Conflict(f"there already is a mosaic {name!r} with another recipe: PUT replaces it")

    async def _unfinished(self, name: str) -> Build | None:
        """The latest build that is not over."""
        builds = (await self.jobs.builds(name, limit=_RECENT)).items
        return next((build for build in builds if not build.status.is_over), None)

    async def _undo(self, registered: Registered) -> None:
        """A first registration that cannot be built is not kept."""
        name = registered.registration.name
        if await self.rebuilds.publishing.head(name) is not None:
            return
        with suppress(Conflict):
            # Whoever sent the same request may have undone it already.
            await self.jobs.forget(name, after=registered.revision)
            await self.scheduler.put(name, None, since=self.now())

    async def _schedule(self, registration: Registration) -> None:
        """Set it even where it is the same: an earlier request may have come no further than the record."""
        since = datetime.fromisoformat(registration.scheduled_since or registration.created)
        await self.scheduler.put(registration.name, registration.schedule, since=since)

    def _stamped(self, registration: Registration, before: Registration | None = None) -> Registration:
        """With its times: a schedule counts from when it was set."""
        now = self.now().isoformat(timespec="seconds")
        is_same = before is not None and before.schedule == registration.schedule
        since = before.scheduled_since if before is not None and is_same else now
        return replace(registration, created=registration.created or now, scheduled_since=since)

    async def _as_document(self, version: Version) -> Recipe:
        """The recipe of an imported mosaic: the document that it can be written as."""
        index = await self.store.index(version)
        key = version.manifest.default_asset
        document = json.loads(write(from_index(index, version.manifest, asset=key)))
        return Recipe(source=MosaicJsonSource(document=document), assets=(key,))
