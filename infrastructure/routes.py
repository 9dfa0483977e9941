"""The routes of the HTTP API: which function answers what, in the order of the service's own documentation.

A variable of API Gateway is a whole segment, so `{minx},{miny},{maxx},{maxy}.{format}` is one, and `+` takes the rest.
"""

from dataclasses import dataclass
from typing import Literal

type Serving = Literal["tiler", "registry"]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path; a route that writes is protected by the deployment's authority."""

    method: str
    path: str
    serving: Serving
    writes: bool = False

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


_MAPS = (
    "/",
    "/healthz",
    "/docs",
    "/docs/oauth2-redirect",
    "/redoc",
    "/openapi.json",
    "/conformance",
    "/colorMaps",
    "/colorMaps/{name}",
    "/tileMatrixSets",
    "/tileMatrixSets/{tms}",
    "/viewer/{name}",
    "/viewer/vendor/{path+}",
    "/mosaics/{mosaic}/{preview}",
    "/mosaics/{mosaic}/info",
    "/mosaics/{mosaic}/info.geojson",
    "/mosaics/{mosaic}/mosaic.json",
    "/mosaics/{mosaic}/map.html",
    "/mosaics/{mosaic}/preview",
    "/mosaics/{mosaic}/WMTSCapabilities.xml",
    "/mosaics/{mosaic}/{tms}/tilejson.json",
    "/mosaics/{mosaic}/{tms}/map.html",
    "/mosaics/{mosaic}/{tms}/gdal.xml",
    "/mosaics/{mosaic}/tiles",
    "/mosaics/{mosaic}/tiles/{tms}",
    "/mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}",
    "/mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}/assets",
    "/mosaics/{mosaic}/bbox/{box}",
    "/mosaics/{mosaic}/bbox/{box}/{size}",
    "/mosaics/{mosaic}/bbox/{box}/assets",
    "/mosaics/{mosaic}/point/{place}",
    "/mosaics/{mosaic}/point/{place}/assets",
)
_REGISTRY = (
    "/mosaics",
    "/mosaics/{mosaic}",
    "/mosaics/{mosaic}/builds",
    "/mosaics/{mosaic}/builds/{build}",
    "/mosaics/{mosaic}/versions",
    "/mosaics/{mosaic}/granules",
)
_WRITES = (
    ("POST", "/mosaics"),
    ("PUT", "/mosaics/{mosaic}"),
    ("PATCH", "/mosaics/{mosaic}"),
    ("DELETE", "/mosaics/{mosaic}"),
    ("POST", "/mosaics/{mosaic}/builds"),
    ("POST", "/mosaics/{mosaic}/builds/{build}/confirm"),
    ("POST", "/mosaics/{mosaic}/versions/{version}/publish"),
    ("POST", "/mosaics/{mosaic}/granules"),
    ("DELETE", "/mosaics/{mosaic}/granules/{granule+}"),
)
_PREFLIGHT = (Route("OPTIONS", "/", "tiler"), Route("OPTIONS", "/{path+}", "tiler"))
"""Browsers ask without credentials before they write, and the application answers."""


def all_routes() -> tuple[Route, ...]:
    """Every route, HEAD beside each GET; what is none of them is refused before a function is paid for."""
    serving: dict[Serving, tuple[str, ...]] = {"tiler": _MAPS, "registry": _REGISTRY}
    reads = [
        Route(method, path, function)
        for function, paths in serving.items()
        for path in paths
        for method in ("GET", "HEAD")
    ]
    writes = [Route(method, path, "registry", writes=True) for method, path in _WRITES]
    return (*reads, *writes, *_PREFLIGHT)
