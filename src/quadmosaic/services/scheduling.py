"""Scheduled builds: what is due is started once, whoever notices it and how often."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from quadmosaic.domain.builds import Build
from quadmosaic.domain.errors import Invalid, QuadmosaicError
from quadmosaic.domain.names import is_name
from quadmosaic.domain.schedules import last_due
from quadmosaic.services.jobs import Jobs, Registered
from quadmosaic.services.rebuilds import Rebuilds

log = logging.getLogger(__name__)

_RECENT = 20


@dataclass(frozen=True, kw_only=True)
class Scheduling:
    """Looks at the schedules of all registrations, and takes the word of an outside scheduler.

    It remembers what it saw, so that looking again costs one small read for each mosaic.
    """

    jobs: Jobs
    rebuilds: Rebuilds
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _names: list[str] = field(default_factory=list)
    _known: dict[str, tuple[int, Registered | None]] = field(default_factory=dict)
    _over: dict[str, datetime] = field(default_factory=dict)

    async def start_due(self) -> list[Build]:
        """Start what is due and was not built; a time that was missed while nobody looked is made up for once."""
        started = []
        self._names.extend(await self.jobs.names(after=len(self._names)))
        for name in self._names:
            registered = await self._registered(name)
            if registered is None or registered.registration.schedule is None:
                continue
            registration = registered.registration
            since = datetime.fromisoformat(registration.scheduled_since or registration.created)
            due = last_due(registered.registration.schedule, self.now(), since=since)
            if due is None or self._over.get(name) == due:
                continue
            try:
                build = await self.fire(name, due)
            except QuadmosaicError as error:
                log.warning("the scheduled build of %s could not be started: %s", name, error)
                continue
            if build is None:
                self._over[name] = due
            else:
                started.append(build)
        return started

    async def fire(self, name: str, due: datetime) -> Build | None:
        """Start the build of that time, unless it is over, or the schedule or the mosaic is gone.

        One that waits is queued again.
        """
        registered = await self.jobs.registered(name)
        if registered is None or registered.registration.schedule is None:
            return None
        build_id = f"{due.astimezone(UTC):%Y%m%dt%H%M%S}-scheduled"
        saved = await self.jobs.build_if_any(name, build_id)
        if saved is not None and saved.build.status.is_over:
            return None
        return await self.rebuilds.start(registered, trigger="schedule", build_id=build_id, wait_s=0)

    async def _registered(self, name: str) -> Registered | None:
        number, registered = self._known.get(name, (0, None))
        if not number or not await self.jobs.is_latest(name, number):
            number = await self.jobs.revision(name)
            registered = await self.jobs.registered(name)
            self._known[name] = (number if registered is None else registered.revision, registered)
        return registered

    async def resume(self) -> int:
        """Queue builds that a process left unfinished; answers how many there are."""
        found = 0
        for name in await self.jobs.names():
            for build in (await self.jobs.builds(name, limit=_RECENT)).items:
                if not build.status.is_over:
                    await self.rebuilds.queue.send(mosaic=name, build=build.id)
                    found += 1
        return found


def parse_moment(text: str) -> datetime:
    """A time of an event, in UTC where it does not say. Raises Invalid (field "scheduled")."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is no time", field="scheduled") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def checked_name(name: object) -> str:
    """A mosaic's name out of an event. Raises Invalid (field "mosaic")."""
    if not isinstance(name, str) or not is_name(name):
        raise Invalid("is no mosaic's name", field="mosaic")
    return name
