"""The HTTP application: routes, errors, CORS and HEAD, around the services it is given."""

from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from quadmosaic.api import crops, maps, mosaics, observe, ogc, points, problems, tiles, viewer_files
from quadmosaic.api.head import AnswerHead
from quadmosaic.api.services import Services

EXPOSED_HEADERS = (
    "Content-Bbox",
    "Content-Crs",
    "ETag",
    "Server-Timing",
    "X-Assets",
    "X-Assets-Skipped",
)


def create_app(
    services: Services, *, version: str, cors_origins: Sequence[str] = ("*",), metrics: bool = False
) -> FastAPI:
    """Build the application; `metrics` adds /metrics and counts every request."""
    app = FastAPI(
        title="quadmosaic",
        version=version,
        description="Mosaics of planetary imagery: tiles, crops, points and OGC services from COGs in place.",
    )
    app.state.services = services
    problems.install(app)
    for routes in (mosaics, maps, tiles, crops, points, ogc, observe, viewer_files):
        app.include_router(routes.router)
    if metrics:
        observe.count_requests(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "HEAD", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=list(EXPOSED_HEADERS),
    )
    app.add_middleware(AnswerHead)
    return app
