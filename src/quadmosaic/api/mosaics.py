"""Mosaics as documents: lists, information, granules, versions, MosaicJSON and colormaps."""

from typing import Annotated
from urllib.parse import urlencode

import shapely
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from quadmosaic.api.caching import cache_control, etag, not_modified
from quadmosaic.api.documents import feature, granule_feature, version_info, version_summary
from quadmosaic.api.services import OfVersion, UsesServices, grid_for
from quadmosaic.domain.mosaicjson import write
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.rendering.style import COLORMAP_NAMES, describe_colormap
from quadmosaic.services.requests import asset_profile

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
    """The mosaic as MosaicJSON 0.0.3, for cogeo-mosaic and TiTiler."""
    tag = etag(version, "mosaicjson", asset, tms)
    control = cache_control(mosaic, head_max_age_s=services.head_max_age_s)
    if unchanged := not_modified(request, tag, control):
        return unchanged
    key = asset_profile(version, asset, field="asset").key
    index = await services.store.index(version)
    grid = grid_for(version, tms) if tms else None
    body = write(from_index(index, version.manifest, asset=key, grid=grid))
    return Response(body, media_type="application/json", headers={"ETag": tag, "Cache-Control": control})


@router.get("/colorMaps", tags=["styles"])
async def colormaps() -> dict[str, tuple[str, ...]]:
    """Names for colormap_name."""
    return {"colorMaps": COLORMAP_NAMES}


@router.get("/colorMaps/{name}", tags=["styles"])
async def colormap(name: str) -> dict[str, list[int]]:
    """Value -> red, green, blue, alpha."""
    return dict(describe_colormap(name))


def _next(request: Request, after: str | None, limit: int) -> list[dict[str, str]]:
    if after is None:
        return []
    query = urlencode({"after": after, "limit": limit})
    return [{"rel": "next", "href": str(request.url.replace(query=query))}]


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
