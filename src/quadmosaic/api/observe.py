"""Watching the service: health, and counts for Prometheus."""

import time
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.middleware.base import RequestResponseEndpoint

router = APIRouter(tags=["service"])


@router.get("/healthz")
async def health() -> dict[str, str]:
    """Answers as long as the process lives; it touches no store."""
    return {"status": "ok", "version": version("quadmosaic")}


def count_requests(app: FastAPI) -> None:
    """Count requests and their seconds by route, and serve them at /metrics."""
    registry = CollectorRegistry()
    requests = Counter("quadmosaic_requests", "Requests", ["route", "status"], registry=registry)
    seconds = Histogram("quadmosaic_request_seconds", "Seconds a request took", ["route"], registry=registry)
    skipped = Counter("quadmosaic_skipped_granules_replies", "Replies with a granule missing", registry=registry)

    @app.middleware("http")
    async def count(request: Request, call_next: RequestResponseEndpoint) -> Response:
        started = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "none")
        requests.labels(route, response.status_code).inc()
        seconds.labels(route).observe(time.perf_counter() - started)
        if "x-assets-skipped" in response.headers:
            skipped.inc()
        return response

    @app.get("/metrics", tags=["service"], response_class=Response)
    async def metrics() -> Response:
        """Counts in Prometheus's text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
