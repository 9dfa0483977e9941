"""Values and granules at a point."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from quadmosaic.api.caching import cache_control, etag, not_modified
from quadmosaic.api.documents import public_assets
from quadmosaic.api.imagery import UsesImagery
from quadmosaic.api.params import ImageQuery, mosaic_request
from quadmosaic.api.services import OfVersion, UsesServices
from quadmosaic.domain import bodies
from quadmosaic.services.points import to_degrees

router = APIRouter(tags=["points"])

CoordCrs = Annotated[str | None, Query(description="CRS of the coordinates; the body's geographic CRS when absent")]


@router.get("/mosaics/{mosaic}/point/{lon},{lat}")
async def point(
    request: Request,
    services: UsesServices,
    imagery: UsesImagery,
    version: OfVersion,
    mosaic: str,
    lon: float,
    lat: float,
    params: ImageQuery,
    coord_crs: CoordCrs = None,
) -> Response:
    """The value of each granule under a point, in the mosaic's order; null where a granule has no data."""
    drawing = mosaic_request(params, version.manifest)
    tag = etag(version, "point", lon, lat, coord_crs, drawing)
    control = cache_control(mosaic, head_max_age_s=services.head_max_age_s)
    if unchanged := not_modified(request, tag, control):
        return unchanged
    body = version.manifest.body
    place = to_degrees(body, lon, lat, coord_crs, field="coordinates")
    found = await imagery.points.values(version, *place, drawing)
    control = cache_control(mosaic, head_max_age_s=services.head_max_age_s, partial=found.partial)
    content = {
        "coordinates": [lon, lat],
        "crs": coord_crs or bodies.geographic_id(body),
        "values": [
            {"granule": value.granule_id, "bands": value.bands, "values": value.values}
            | ({"error": value.reason} if value.reason else {})
            for value in found.values
        ],
    }
    return JSONResponse(content, headers={"Cache-Control": control} | ({} if found.partial else {"ETag": tag}))


@router.get("/mosaics/{mosaic}/point/{lon},{lat}/assets")
async def point_assets(
    imagery: UsesImagery, version: OfVersion, lon: float, lat: float, coord_crs: CoordCrs = None
) -> list[dict[str, object]]:
    """The granules whose footprint holds a point, best first."""
    place = to_degrees(version.manifest.body, lon, lat, coord_crs, field="coordinates")
    found = await imagery.points.found(version, *place)
    return [{"id": granule.id, "assets": public_assets(granule)} for granule in found.granules]
