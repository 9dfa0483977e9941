"""The HTTP service of the registry alone, whose builds are done elsewhere; it reads no raster and no source."""

from functools import partial
from importlib.metadata import version

from quadmosaic.api.app import create_app
from quadmosaic.api.registry_routes import ROUTERS
from quadmosaic.api.services import Services
from quadmosaic.api.styles import check_style
from quadmosaic.api.writes import Writes
from quadmosaic.bootstrap.lives import Served
from quadmosaic.bootstrap.outside import MEGABYTE, access
from quadmosaic.bootstrap.outside import ledger as own_ledger
from quadmosaic.bootstrap.outside import store as own_store
from quadmosaic.bootstrap.registering import registering
from quadmosaic.bootstrap.triggers import scheduler as own_scheduler
from quadmosaic.bootstrap.triggers import sqs_queue, write_tokens
from quadmosaic.config import Settings
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.mosaics import Mosaics


def registry_served(settings: Settings) -> Served:
    """Raises Invalid (field "QUEUE_URL") where no queue is named."""
    store, ledger, queue, scheduler = (
        own_store(settings),
        own_ledger(settings),
        sqs_queue(settings),
        own_scheduler(settings),
    )
    registered = registering(
        settings,
        store=store,
        jobs=Jobs(ledger=ledger),
        queue=queue,
        scheduler=scheduler,
        access=access(settings),
        check_style=partial(check_style, can_draw=False),
        wait_s=0.0,
    )
    writes = Writes(
        registry=registered.registry,
        rebuilds=registered.rebuilds,
        tokens=write_tokens(settings),
        by_gateway=settings.authority == "gateway",
    )
    app = create_app(
        Services(store=store, mosaics=Mosaics(store=store), max_granules=settings.max_granules, writes=writes),
        ROUTERS,
        version=version("quadmosaic"),
        cors_origins=settings.cors_origins,
        max_body_bytes=settings.max_body_mb * MEGABYTE,
        public_url=settings.public_url,
    )
    return Served(app=app, adapters=(store, ledger, queue, scheduler))
