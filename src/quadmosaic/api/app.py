"""The HTTP application: routes, errors, CORS and HEAD, around the services it is given."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from quadmosaic.api import (
    builds,
    crops,
    maps,
    mosaics,
    observe,
    ogc,
    points,
    problems,
    registry,
    tiles,
    viewer_files,
)
from quadmosaic.api.guard import LimitBody
from quadmosaic.api.head import AnswerHead
from quadmosaic.api.services import Services

EXPOSED_HEADERS = (
    "Content-Bbox",
    "Content-Crs",
    "ETag",
    "Location",
    "Server-Timing",
    "X-Assets",
    "X-Assets-Skipped",
)


MAX_BODY_BYTES = 32 << 20

type Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    services: Services,
    *,
    version: str,
    cors_origins: Sequence[str] = ("*",),
    metrics: bool = False,
    max_body_bytes: int = MAX_BODY_BYTES,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Build the application; `metrics` adds /metrics and counts every request, `lifespan` runs beside it."""
    app = FastAPI(
        lifespan=lifespan,
        title="quadmosaic",
        version=version,
        description="Mosaics of planetary imagery: tiles, crops, points and OGC services from COGs in place.",
    )
    app.state.services = services
    problems.install(app)
    for routes in (registry, builds, mosaics, maps, tiles, crops, points, ogc, observe, viewer_files):
        app.include_router(routes.router)
    if metrics:
        observe.count_requests(app)
    app.add_middleware(LimitBody, max_bytes=max_body_bytes)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=list(EXPOSED_HEADERS),
    )
    app.add_middleware(AnswerHead)
    return app
