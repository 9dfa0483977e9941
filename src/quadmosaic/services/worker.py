"""The worker: takes a build from its last record to its end, or to a checkpoint, whoever was killed before it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from quadmosaic.domain.builds import Build, Fault, Status, Step
from quadmosaic.domain.errors import Broken, Conflict, Invalid, NotFound, QuadmosaicError, Unavailable
from quadmosaic.services.job import Job
from quadmosaic.services.jobs import Jobs, Saved, begun
from quadmosaic.services.publishing import Publishing, Superseded
from quadmosaic.services.steps import Steps

log = logging.getLogger(__name__)

TELL_EVERY_S = 3.0
BUILD_FAILED = "build failed"
"""How the line of the log begins by which failures are counted."""


class Outcome(StrEnum):
    """What to do with the message: DONE forgets it, AGAIN sends another one, BUSY leaves it for later."""

    DONE = "done"
    AGAIN = "again"
    BUSY = "busy"


@dataclass(kw_only=True)
class _Record:
    """A build's record as this worker last wrote it; only one write is under way at a time."""

    saved: Saved
    jobs: Jobs
    now: Callable[[], datetime]
    lease_s: float
    told: Mapping[str, int] = field(default_factory=dict)
    told_at: datetime | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def write(self, change: Callable[[Build], Build]) -> Build:
        """Raises Conflict when another worker has taken over."""
        async with self._lock:
            build = change(self.saved.build)
            if build != self.saved.build:
                self.saved = await self.jobs.save(self.saved, build)
            return self.saved.build

    async def tell(self, progress: Mapping[str, int]) -> None:
        """Remember how far it is; written now and then, and with the next heartbeat."""
        self.told = {**self.told, **progress}
        now = self.now()
        if self.told_at is None or (now - self.told_at).total_seconds() >= TELL_EVERY_S:
            self.told_at = now
            await self.renew()

    async def renew(self) -> None:
        until = (self.now() + timedelta(seconds=self.lease_s)).isoformat()
        await self.write(lambda build: replace(build, progress=dict(self.told), leased_until=until))


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Works on one build at a time; a build that nobody renewed for `lease_s` seconds may be taken over."""

    jobs: Jobs
    steps: Steps
    publishing: Publishing
    token: Callable[[], str]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    lease_s: float = 60.0
    most_messages: int = 200
    """So often may a build be taken up, by whoever was killed before it got on included."""
    tries: int = 3
    """How often a build goes on after its source or store was out of reach."""

    async def run(self, mosaic: str, build_id: str, *, is_late: Callable[[], bool] = lambda: False) -> Outcome:
        """Go on with a build until it is over or `is_late`; a build that is over stays as it is."""
        try:
            record = await self._take(mosaic, build_id)
        except NotFound:
            return Outcome.DONE
        except Conflict:
            return Outcome.BUSY
        if record is None:
            build = (await self.jobs.build(mosaic, build_id)).build
            if not build.status.is_over:
                return Outcome.BUSY
            # Whoever ended it may have been killed before it was tidied up.
            await self.jobs.drop_chunks(build)
            return Outcome.DONE
        try:
            async with self._heartbeat(record):
                outcome = await self._go_on(record, is_late)
        except Conflict as error:
            log.warning("build %s of %s was taken over: %s", build_id, mosaic, error)
            return Outcome.BUSY
        if outcome is Outcome.DONE:
            await self.jobs.tidy(record.saved.build)
        return outcome

    async def _take(self, mosaic: str, build_id: str) -> _Record | None:
        """The record, with this worker's name on it; None where the build is over or another works on it."""
        saved = await self.jobs.build(mosaic, build_id)
        now = self.now()
        leased_until = saved.build.leased_until
        if saved.build.status.is_over or (leased_until and datetime.fromisoformat(leased_until) > now):
            return None
        base = await self.publishing.head(mosaic)
        until = now + timedelta(seconds=self.lease_s)
        build = replace(begun(saved, worker=self.token(), now=now, until=until, base=base), status=Status.RUNNING)
        saved = await self.jobs.save(saved, build)
        return _Record(saved=saved, jobs=self.jobs, now=self.now, lease_s=self.lease_s, told=build.progress)

    async def _go_on(self, record: _Record, is_late: Callable[[], bool]) -> Outcome:
        build, began = record.saved.build, self.now()

        def took() -> float:
            return round(build.seconds + (self.now() - began).total_seconds(), 3)

        if build.messages > self.most_messages:
            fault = Fault(detail=f"it is not finished after {self.most_messages} messages", status=Unavailable.status)
            await self._fail(record, fault, took())
            return Outcome.DONE
        try:
            if not await self._steps(record, is_late, took):
                await record.write(lambda b: _queued(b, record.told, took()))
                return Outcome.AGAIN
        except Superseded as error:
            await self._fail(record, Fault(detail=str(error), status=Conflict.status), took())
        except Unavailable as error:
            failures = build.progress.get("failures", 0) + 1
            if failures < self.tries:
                log.warning("build %s of %s goes on later: %s", build.id, build.name, error)
                await record.write(lambda b: _queued(b, {**record.told, "failures": failures}, took()))
                return Outcome.AGAIN
            await self._fail(record, Fault(detail=error.message, status=error.status), took())
        except Conflict:
            raise
        except QuadmosaicError as error:
            at = error.field if isinstance(error, Invalid) else None
            await self._fail(record, Fault(detail=error.message, status=error.status, field=at), took())
        except Exception:
            # A fault of the program would meet every worker that takes over, and the build would never end.
            log.exception("build %s of %s met a fault", build.id, build.name)
            fault = Fault(detail="the build failed; the log has the reason", status=Broken.status)
            await self._fail(record, fault, took())
        return Outcome.DONE

    async def _steps(self, record: _Record, is_late: Callable[[], bool], took: Callable[[], float]) -> bool:
        """All steps in order; False at a checkpoint."""
        build = record.saved.build
        try:
            registration = await self.jobs.registration_at(build.name, build.revision)
        except NotFound as error:
            raise Superseded(error.message) from error
        job = Job(build=build, registration=registration, tell=record.tell, is_late=is_late)
        if not await self.steps.crawl(job):
            return False
        await record.write(lambda b: replace(b, step=Step.SCAN))
        if not await self.steps.scan(job):
            return False
        if is_late() and build.step in (Step.CRAWL, Step.SCAN):
            await record.write(lambda b: replace(b, step=Step.COVER))
            return False
        await record.write(lambda b: replace(b, step=Step.COVER))
        draft = await self.steps.cover(job)
        final = await self.publishing.publish(job, draft, note=record.write, took=took)
        finished = self.now().isoformat(timespec="seconds")
        await record.write(lambda _: replace(final, finished=finished, seconds=took(), leased_until=None))
        return True

    async def _fail(self, record: _Record, fault: Fault, seconds: float) -> None:
        finished = self.now().isoformat(timespec="seconds")
        await record.write(
            lambda build: replace(
                build,
                status=Status.FAILED,
                fault=fault,
                finished=finished,
                seconds=seconds,
                progress=dict(record.told),
                leased_until=None,
            )
        )
        if fault.status != Conflict.status:
            build = record.saved.build
            log.error("%s: %s of %s: %s", BUILD_FAILED, build.id, build.name, fault.detail)

    @asynccontextmanager
    async def _heartbeat(self, record: _Record) -> AsyncGenerator[None]:
        """Renew the lease while the work goes on."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(max(self.lease_s / 3, 0.05))
                try:
                    await record.renew()
                except Unavailable as error:
                    log.warning("cannot renew a build's lease: %s", error)
                except Conflict:
                    # Whoever took over is noticed by the next write of the work itself.
                    return

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


def _queued(build: Build, progress: Mapping[str, int], seconds: float) -> Build:
    return replace(build, status=Status.QUEUED, progress=dict(progress), seconds=seconds, leased_until=None)
