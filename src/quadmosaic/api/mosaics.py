"""Lists: mosaics, the versions of one, and the granules of a version."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from quadmosaic.api.documents import granule_feature, version_summary
from quadmosaic.api.services import OfVersion, UsesServices

router = APIRouter(tags=["mosaics"])

After = Annotated[str | None, Query(description="where the list goes on, from a next link")]
Limit = Annotated[int, Query(ge=1, le=1000, description="entries of one page")]


@router.get("/mosaics")
async def mosaics(
    request: Request, services: UsesServices, after: After = None, limit: Limit = 100
) -> dict[str, object]:
    """All mosaics, by name."""
    page = await services.mosaics.page(after=after, limit=limit)
    return {"mosaics": [version_summary(version) for version in page.items], "links": _next(request, page.next, limit)}


@router.get("/mosaics/{mosaic}/versions")
async def versions(
    request: Request, services: UsesServices, mosaic: str, after: After = None, limit: Limit = 100
) -> dict[str, object]:
    """The history of a mosaic, newest first."""
    head = await services.mosaics.version(mosaic)
    page = await services.mosaics.versions(head.name, after=after, limit=limit)
    listed = [version_summary(version) | {"head": version.number == head.number} for version in page.items]
    return {"versions": listed, "links": _next(request, page.next, limit)}


@router.get("/mosaics/{mosaic}/granules")
async def granules(
    request: Request, services: UsesServices, version: OfVersion, after: After = None, limit: Limit = 100
) -> Response:
    """Footprints as GeoJSON, in degrees of the body."""
    page = await services.mosaics.granules(version, after=after, limit=limit)
    collection = {
        "type": "FeatureCollection",
        "features": [granule_feature(granule) for granule in page.items],
        "links": _next(request, page.next, limit),
    }
    return JSONResponse(collection, media_type="application/geo+json")


def _next(request: Request, after: str | None, limit: int) -> list[dict[str, str]]:
    if after is None:
        return []
    query = urlencode({"after": after, "limit": limit})
    return [{"rel": "next", "href": str(request.url.replace(query=query))}]
