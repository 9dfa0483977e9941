"""All that builds: the worker, what starts it, and the registry over it."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from quadmosaic.bootstrap.outside import Adapters, access
from quadmosaic.bootstrap.registering import registering
from quadmosaic.bootstrap.sources import guarded_builder
from quadmosaic.bootstrap.triggers import scheduler
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Invalid
from quadmosaic.ports import Queue
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.rebuilds import Rebuilds
from quadmosaic.services.registry import Registry
from quadmosaic.services.rehearsal import rehearse
from quadmosaic.services.scheduling import Scheduling
from quadmosaic.services.steps import Steps
from quadmosaic.services.worker import Worker

LEASE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Building:
    """The registry over it, the worker under it, and what starts it."""

    registry: Registry
    rebuilds: Rebuilds
    worker: Worker
    scheduling: Scheduling


def building(
    settings: Settings,
    outside: Adapters,
    *,
    queue: Queue,
    any_source: bool = False,
    wait_s: float | None = None,
    lease_s: float = LEASE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Building:
    """`any_source` lets sources be wherever the user of a command may read; `sleep` waits before a source is asked
    again. Raises Invalid without a ledger.
    """
    if outside.ledger is None:
        raise Invalid("has no ledger", field="store")
    gate = access(settings, any_source=any_source)
    jobs = Jobs(ledger=outside.ledger)
    steps = Steps(
        jobs=jobs,
        builder=guarded_builder(settings, outside.reader, gate, sleep=sleep),
        access=gate,
        store=outside.store,
        most_granules=settings.max_items,
        most_cells=settings.max_cells,
        check_style=check_style,
        recheck_days=settings.recheck_days,
        stale=lambda: outside.reader.replaced if isinstance(outside.reader, FastReader) else (),
    )
    registered = registering(
        settings,
        store=outside.store,
        jobs=jobs,
        queue=queue,
        scheduler=scheduler(settings),
        access=gate,
        check_style=check_style,
        rehearsal=partial(rehearse, steps, within_s=settings.build_wait_s),
        wait_s=wait_s,
    )
    rebuilds = registered.rebuilds
    worker = Worker(
        jobs=jobs, steps=steps, publishing=rebuilds.publishing, token=lambda: secrets.token_hex(8), lease_s=lease_s
    )
    scheduling = Scheduling(jobs=jobs, rebuilds=rebuilds)
    return Building(registry=registered.registry, rebuilds=rebuilds, worker=worker, scheduling=scheduling)


def check_style(style: Mapping[str, str]) -> None:
    """`api.styles.check_style`, whose libraries are imported only where a mosaic has a style."""
    if style:
        from quadmosaic.api import styles

        styles.check_style(style)
