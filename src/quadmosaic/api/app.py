"""The HTTP application: routes, errors, CORS and HEAD, around the services it is given."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from quadmosaic.api import observe, problems
from quadmosaic.api.body_limit import LimitBody
from quadmosaic.api.head import AnswerHead
from quadmosaic.api.leaving import StopForLeavers
from quadmosaic.api.public_address import SpeakOf, parse_public_address
from quadmosaic.api.services import Services
from quadmosaic.api.timing import TimeRequests

if TYPE_CHECKING:
    from quadmosaic.api.imagery import Imagery

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
    routers: Sequence[APIRouter],
    *,
    version: str,
    imagery: "Imagery | None" = None,
    cors_origins: Sequence[str] = ("*",),
    metrics: bool = False,
    max_body_bytes: int = MAX_BODY_BYTES,
    lifespan: Lifespan | None = None,
    public_url: str | None = None,
    described: Callable[[], Sequence[APIRouter]] | None = None,
) -> FastAPI:
    """Build the application; `metrics` adds /metrics and counts every request, `lifespan` runs beside it.

    Routes that draw need `imagery`. Links are below `public_url`, else below the address of each request. The
    documentation tells also of routes `described`, which another process answers at the same address; they are asked
    for when the documentation is.
    """
    own = (*routers, observe.router)
    app = _routed(own, version=version, lifespan=lifespan)
    if described is not None:
        app.openapi = cache(lambda: _routed((*described(), *own), version=version).openapi())  # type: ignore[method-assign]
    app.state.services = services
    app.state.imagery = imagery
    problems.install(app, cors_origins=cors_origins)
    app.add_middleware(TimeRequests, observer=observe.count_requests(app) if metrics else None)
    app.add_middleware(LimitBody, max_bytes=max_body_bytes)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=list(EXPOSED_HEADERS),
    )
    app.add_middleware(AnswerHead)
    app.add_middleware(StopForLeavers)
    if public_url is not None:
        app.add_middleware(SpeakOf, address=parse_public_address(public_url))
    return app


def _routed(routers: Sequence[APIRouter], *, version: str, lifespan: Lifespan | None = None) -> FastAPI:
    app = FastAPI(
        lifespan=lifespan,
        title="quadmosaic",
        version=version,
        description="Mosaics of planetary imagery: tiles, crops, points and OGC services from COGs in place.",
    )
    for router in routers:
        app.include_router(router)
    return app
