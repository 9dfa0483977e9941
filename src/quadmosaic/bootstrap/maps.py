"""Maps: what draws, and the HTTP service that does nothing else and only reads."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter

from quadmosaic.api import map_routes
from quadmosaic.api.app import create_app
from quadmosaic.api.imagery import Imagery
from quadmosaic.api.services import Services
from quadmosaic.bootstrap.lives import Served
from quadmosaic.bootstrap.outside import MEGABYTE, workers
from quadmosaic.bootstrap.outside import reader as own_reader
from quadmosaic.bootstrap.outside import store as own_store
from quadmosaic.bootstrap.warming import warm
from quadmosaic.config import Settings
from quadmosaic.ports import GranuleReader, MosaicStore
from quadmosaic.services.images import Images
from quadmosaic.services.mosaics import Mosaics
from quadmosaic.services.points import Points
from quadmosaic.services.requests import Deadline
from quadmosaic.services.stretch import Stretches

if TYPE_CHECKING:
    from quadmosaic.api.writes import Writes


def maps_served(settings: Settings, *, deadline: Deadline | None = None) -> Served:
    """Maps and tiles; it has no ledger, and needs no right to write. Its documentation tells of the registry too."""
    store, reader = own_store(settings), own_reader(settings, any_source=False)
    app = create_app(
        services(settings, store),
        map_routes.ROUTERS,
        imagery=imagery(settings, store, reader, deadline=deadline),
        version=version("quadmosaic"),
        cors_origins=settings.cors_origins,
        max_body_bytes=settings.max_body_mb * MEGABYTE,
        public_url=settings.public_url,
        described=_routes_of_the_registry,
    )
    return Served(app=app, adapters=(store, reader), warm=warm)


def _routes_of_the_registry() -> Sequence[APIRouter]:
    from quadmosaic.api.registry_routes import ROUTERS

    return ROUTERS


def services(settings: Settings, store: MosaicStore, writes: "Writes | None" = None) -> Services:
    """What every route works with."""
    return Services(
        store=store,
        mosaics=Mosaics(store=store),
        max_granules=settings.max_granules,
        viewer_assets=settings.viewer_assets,
        writes=writes,
    )


def imagery(
    settings: Settings, store: MosaicStore, reader: GranuleReader, *, deadline: Deadline | None = None
) -> Imagery:
    """What draws, each reply within the settings' own deadline where no other is given."""
    within = deadline or (lambda: settings.tile_deadline_s)
    stretches = Stretches(store=store, reader=reader)
    return Imagery(
        images=Images(store=store, reader=reader, stretches=stretches, deadline=within, workers=workers()),
        points=Points(store=store, reader=reader, max_granules=settings.max_granules, deadline=within),
    )
