"""The registry: changes to registrations, whose builds a queue takes to whoever builds."""

from dataclasses import dataclass

from quadmosaic.config import Settings
from quadmosaic.ports import MosaicStore, Queue, Scheduler
from quadmosaic.services.access import Access
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.publishing import Publishing
from quadmosaic.services.rebuilds import Rebuilds
from quadmosaic.services.registry import Registry, Rehearsal
from quadmosaic.services.vetting import CheckStyle, Vetting


@dataclass(frozen=True, kw_only=True)
class Registering:
    """The registry and what it starts."""

    registry: Registry
    rebuilds: Rebuilds


def registering(
    settings: Settings,
    *,
    store: MosaicStore,
    jobs: Jobs,
    queue: Queue,
    scheduler: Scheduler,
    access: Access,
    check_style: CheckStyle,
    rehearsal: Rehearsal | None = None,
    wait_s: float | None = None,
) -> Registering:
    """`wait_s` is how long a request waits for its build; the settings' own when absent."""
    rebuilds = Rebuilds(
        jobs=jobs,
        publishing=Publishing(jobs=jobs, store=store),
        queue=queue,
        access=access,
        wait_s=settings.build_wait_s if wait_s is None else wait_s,
    )
    registry = Registry(
        jobs=jobs,
        store=store,
        rebuilds=rebuilds,
        scheduler=scheduler,
        vetting=Vetting(access=access, check_style=check_style),
        rehearsal=rehearsal,
    )
    return Registering(registry=registry, rebuilds=rebuilds)
