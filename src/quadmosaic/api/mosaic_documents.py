"""One version as a document: information, and MosaicJSON for other software."""

from typing import Annotated

import shapely
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from quadmosaic.api.caching import cache_control, etag, not_modified
from quadmosaic.api.documents import feature, public_index, version_info
from quadmosaic.api.services import OfVersion, UsesServices, grid_for
from quadmosaic.domain.mosaicjson import write
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.services.assets import asset_profile

router = APIRouter(tags=["mosaics"])


@router.get("/mosaics/{mosaic}/info")
async def info(request: Request, services: UsesServices, version: OfVersion, mosaic: str) -> Response:
    """Bounds, zooms, assets, index statistics and the report of the build."""
    return _document(request, services.head_max_age_s, mosaic, etag(version, "info"), version_info(version))


@router.get("/mosaics/{mosaic}/info.geojson")
async def info_geojson(request: Request, services: UsesServices, version: OfVersion, mosaic: str) -> Response:
    """The mosaic's bounds as a GeoJSON feature in degrees of its body."""
    outline = feature(shapely.box(*version.manifest.bounds), version_info(version))
    return _document(
        request, services.head_max_age_s, mosaic, etag(version, "geojson"), outline, media_type="application/geo+json"
    )


@router.get("/mosaics/{mosaic}/mosaic.json")
async def mosaicjson(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    mosaic: str,
    asset: Annotated[str | None, Query(description="asset key; the default asset when absent")] = None,
    tms: Annotated[
        str | None, Query(description="a grid with one root; the index's own, or the body's Mercator")
    ] = None,
) -> Response:
    """The mosaic as MosaicJSON 0.0.3, for cogeo-mosaic and TiTiler; signatures of URLs are left out."""
    tag = etag(version, "mosaicjson", asset, tms)
    control = cache_control(mosaic, head_max_age_s=services.head_max_age_s)
    if unchanged := not_modified(request, tag, control):
        return unchanged
    key = asset_profile(version, asset, field="asset").key
    index = public_index(await services.store.index(version))
    grid = grid_for(version, tms) if tms else None
    body = write(from_index(index, version.manifest, asset=key, grid=grid))
    return Response(body, media_type="application/json", headers={"ETag": tag, "Cache-Control": control})


def _document(
    request: Request,
    head_max_age_s: int,
    mosaic: str,
    tag: str,
    content: dict[str, object],
    *,
    media_type: str = "application/json",
) -> Response:
    control = cache_control(mosaic, head_max_age_s=head_max_age_s)
    headers = {"ETag": tag, "Cache-Control": control}
    return not_modified(request, tag, control) or JSONResponse(content, headers=headers, media_type=media_type)
