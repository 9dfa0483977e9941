"""The whole HTTP service in one process, and the builds beside it where no queue takes them elsewhere."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from quadmosaic.api import map_routes, registry_routes
from quadmosaic.api.app import create_app
from quadmosaic.api.viewer_assets import check_vendor
from quadmosaic.api.writes import Writes
from quadmosaic.bootstrap.builds import Building, building
from quadmosaic.bootstrap.maps import imagery, services
from quadmosaic.bootstrap.outside import MEGABYTE, Adapters, adapters
from quadmosaic.bootstrap.triggers import sqs_queue, write_tokens
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Unavailable
from quadmosaic.services.worker import Outcome
from quadmosaic.triggers.local import LocalQueue

log = logging.getLogger(__name__)

RETRY_S, TICK_S = 1.0, 10.0


def http_app(
    settings: Settings,
    *,
    metrics: bool,
    outside: Adapters | None = None,
    open_writes: bool = False,
    any_source: bool = False,
) -> FastAPI:
    """The HTTP service. Raises Invalid (field "VIEWER_ASSETS") for a folder that lacks the viewer's libraries.

    `open_writes` lets this machine write where no tokens are configured. `any_source` is for commands: sources may be
    wherever their user may read, so that only builds which the command begins are worked on.
    """
    if settings.viewer_assets is not None:
        check_vendor(Path(settings.viewer_assets))
    outside = outside or adapters(settings, any_source=any_source)
    writes, lifespan = None, None
    if outside.ledger is not None:
        local = LocalQueue() if settings.queue_url is None else None
        wait_s = 0.0 if local is None else None
        built = building(settings, outside, queue=local or sqs_queue(settings), any_source=any_source, wait_s=wait_s)
        writes = Writes(
            registry=built.registry,
            rebuilds=built.rebuilds,
            tokens=write_tokens(settings),
            by_gateway=settings.authority == "gateway",
            # Behind a proxy every request comes from this machine.
            is_open=open_writes and settings.public_url is None,
        )
        lifespan = None if local is None else partial(_working, local, built, others=not any_source)
    return create_app(
        services(settings, outside.store, writes),
        (*registry_routes.ROUTERS, *map_routes.ROUTERS),
        imagery=imagery(settings, outside.store, outside.reader),
        version=version("quadmosaic"),
        cors_origins=settings.cors_origins,
        metrics=metrics,
        max_body_bytes=settings.max_body_mb * MEGABYTE,
        public_url=settings.public_url,
        lifespan=lifespan,
    )


@asynccontextmanager
async def _working(queue: LocalQueue, built: Building, _: FastAPI, *, others: bool) -> AsyncGenerator[None]:
    """Builds beside the service; with `others` also those that schedules begin and that an earlier process left."""

    is_resumed = False

    async def work(mosaic: str, build_id: str) -> float | None:
        try:
            outcome = await built.worker.run(mosaic, build_id)
        except Unavailable as error:
            log.warning("build %s of %s waits for the store: %s", build_id, mosaic, error)
            outcome = Outcome.BUSY
        match outcome:
            case Outcome.DONE:
                return None
            case Outcome.AGAIN:
                return RETRY_S
            case Outcome.BUSY:
                return built.worker.lease_s / 2

    async def tick() -> None:
        nonlocal is_resumed
        if not is_resumed:
            # Once: what this process begins stays in its own queue until it is over.
            await built.scheduling.resume()
            is_resumed = True
        await built.scheduling.start_due()

    queue.start(work, tick=tick if others else None, every_s=TICK_S)
    try:
        yield
    finally:
        await queue.stop()
