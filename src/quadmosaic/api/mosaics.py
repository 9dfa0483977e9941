"""Lists: mosaics, the versions of one, and the granules of a version."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from quadmosaic.api.documents import granule_feature, version_summary
from quadmosaic.api.services import OfVersion, UsesServices
from quadmosaic.domain.cql2 import parse_condition
from quadmosaic.domain.granule_searches import GranuleSearch, parse_bbox, parse_period

router = APIRouter(tags=["mosaics"])

After = Annotated[str | None, Query(description="where the list goes on, from a next link")]
Bbox = Annotated[str | None, Query(description="west,south,east,north in degrees of the body; west > east crosses 180")]
Period = Annotated[
    str | None, Query(alias="datetime", description="RFC 3339 time, or an interval like 2020-01-01T00:00:00Z/..")
]
Condition = Annotated[
    str | None, Query(alias="filter", description="CQL2 text on id, geometry and properties: gsd < 10")
]
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
    request: Request,
    services: UsesServices,
    version: OfVersion,
    bbox: Bbox = None,
    period: Period = None,
    condition: Condition = None,
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Footprints as GeoJSON, in degrees of the body. Of a search a page may be short, or empty, and not the last."""
    search = GranuleSearch(
        area=None if bbox is None else parse_bbox(bbox), period=None if period is None else parse_period(period)
    )
    holds = None if condition is None else parse_condition(condition)
    also = None if holds is None else lambda granule: holds(granule_feature(granule))
    page = await services.mosaics.granules(version, search, also, after=after, limit=limit)
    collection = {
        "type": "FeatureCollection",
        "features": [granule_feature(granule) for granule in page.items],
        "links": _next(request, page.next, limit),
    }
    return JSONResponse(collection, media_type="application/geo+json")


def _next(request: Request, after: str | None, limit: int) -> list[dict[str, str]]:
    if after is None:
        return []
    return [{"rel": "next", "href": str(request.url.include_query_params(after=after, limit=limit))}]
