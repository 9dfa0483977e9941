"""Watching the service: health, and counts for Prometheus."""

from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Response

from quadmosaic.api.timing import Observer

router = APIRouter(tags=["service"])


@router.get("/healthz")
async def health() -> dict[str, str]:
    """Answers as long as the process lives; it touches no store."""
    return {"status": "ok", "version": version("quadmosaic")}


def count_requests(app: FastAPI) -> Observer:
    """Serve counts of what the observer is told at /metrics."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    from quadmosaic.api.metrics import Metrics

    registry = CollectorRegistry()

    @app.get("/metrics", tags=["service"], response_class=Response)
    async def metrics() -> Response:
        """Counts in Prometheus's text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Metrics(registry).observe
