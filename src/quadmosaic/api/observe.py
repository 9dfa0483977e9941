"""Watching the service: health, and counts for Prometheus."""

from fastapi import APIRouter, FastAPI, Request, Response

from quadmosaic.api.timing import Observer

router = APIRouter(tags=["service"])


@router.get("/healthz")
async def health(request: Request) -> dict[str, str]:
    """Answers as long as the process lives; it touches no store."""
    return {"status": "ok", "version": request.app.version}


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
