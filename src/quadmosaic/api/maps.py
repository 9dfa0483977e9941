"""Maps for people and for map libraries: TileJSON, the viewer, and the list of mosaics."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from quadmosaic.api.caching import cache_control
from quadmosaic.api.documents import asset_summary
from quadmosaic.api.params import MAX_SIZE, ImageQuery, mosaic_request
from quadmosaic.api.services import OfVersion, UsesServices, grid_for, zooms_on
from quadmosaic.api.urls import absolute, crs_uri, image_query, tiles_url
from quadmosaic.domain import bodies, grids
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaic import Version
from quadmosaic.rendering.encode import parse_format
from quadmosaic.rendering.style import colormap_names

router = APIRouter(tags=["maps"])


@router.get("/mosaics/{mosaic}/{tms}/tilejson.json")
async def tilejson(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    mosaic: str,
    tms: str,
    params: ImageQuery,
    tile_format: Annotated[str | None, Query(description="png, jpg, webp, tif or npy; by content when absent")] = None,
    tile_scale: Annotated[int, Query(ge=1, le=4, description="2 for 512 pixel tiles")] = 1,
) -> Response:
    """TileJSON 3 whose tile URL is that of this version: what it shows never changes."""
    mosaic_request(params, version.manifest)
    if tile_format is not None:
        _require_format(tile_format)
    grid = grid_for(version, tms)
    manifest = version.manifest
    minzoom, maxzoom = zooms_on(version, grid)
    suffix = ("" if tile_scale == 1 else f"@{tile_scale}x") + (f".{tile_format}" if tile_format else "")
    lon, lat, _ = manifest.center
    content = {
        "tilejson": "3.0.0",
        "name": manifest.defaults.title or version.name,
        "description": manifest.defaults.description,
        "attribution": manifest.defaults.attribution,
        "version": f"{version.number}.0.0",
        "scheme": "xyz",
        "tiles": [tiles_url(request, version.label, grid.id, suffix=suffix)],
        "minzoom": minzoom,
        "maxzoom": maxzoom,
        "bounds": manifest.bounds,
        "center": [lon, lat, min(max(minzoom + 2, minzoom), maxzoom)],
        "tms": grid.id,
        "crs": crs_uri(grid.crs_id),
    }
    control = cache_control(mosaic, head_max_age_s=services.head_max_age_s)
    told = {key: value for key, value in content.items() if value is not None}
    return JSONResponse(told, headers={"Cache-Control": control})


def _require_format(tile_format: str) -> None:
    try:
        parse_format(tile_format)
    except Invalid as error:
        raise Invalid(error.message, field="tile_format") from error


@router.get("/mosaics/{mosaic}/{tms}/map.html", response_class=HTMLResponse)
async def map_page(request: Request, services: UsesServices, version: OfVersion, mosaic: str, tms: str) -> HTMLResponse:
    """The viewer on one grid of the body."""
    from quadmosaic.api.viewer_pages import render_map

    grid = grid_for(version, tms)
    config = _viewer_config(request, version, mosaic, grid)
    page = render_map(config, local_assets=services.viewer_assets is not None)
    return HTMLResponse(page, headers={"Cache-Control": cache_control(mosaic, head_max_age_s=services.head_max_age_s)})


@router.get("/mosaics/{mosaic}/map.html", include_in_schema=True)
async def default_map(request: Request, version: OfVersion, mosaic: str) -> RedirectResponse:
    """The viewer on the body's default map grid."""
    tms = grids.default_map_grid(version.manifest.body)
    return RedirectResponse(absolute(request, f"/mosaics/{mosaic}/{tms}/map.html"), 307)


@router.get("/", response_class=HTMLResponse)
async def index_page(
    request: Request,
    services: UsesServices,
    after: Annotated[str | None, Query(description="name after which the list goes on")] = None,
) -> HTMLResponse:
    """All mosaics with their pictures."""
    from quadmosaic.api.viewer_pages import render_index

    page = await services.mosaics.page(after=after, limit=60)
    cards = [_card(request, version) for version in page.items]
    html = render_index(cards, next_page=page.next, base_url=str(request.base_url))
    return HTMLResponse(html, headers={"Cache-Control": "no-cache"})


def _card(request: Request, version: Version) -> dict[str, object]:
    manifest = version.manifest
    tms = grids.default_map_grid(manifest.body)
    base = f"/mosaics/{version.name}"
    return {
        "name": version.name,
        "title": manifest.defaults.title or version.name,
        "description": manifest.defaults.description,
        "body": manifest.body,
        "granules": manifest.report.used,
        "minzoom": manifest.minzoom,
        "maxzoom": manifest.maxzoom,
        "assets": [profile.key for profile in manifest.assets],
        "version": version.number,
        "created": manifest.created,
        "urls": {
            "map": absolute(request, f"{base}/{tms}/map.html"),
            "preview": absolute(request, f"{base}/preview.png?max_size=512"),
            "info": absolute(request, f"{base}/info"),
            "tilejson": absolute(request, f"{base}/{tms}/tilejson.json"),
            "wmts": absolute(request, f"{base}/WMTSCapabilities.xml?tms={tms}"),
        },
    }


def _viewer_config(request: Request, version: Version, mosaic: str, grid: Grid) -> dict[str, object]:
    manifest = version.manifest
    minzoom, maxzoom = zooms_on(version, grid)
    return {
        "name": version.name,
        "label": version.label,
        "title": manifest.defaults.title or version.name,
        "attribution": manifest.defaults.attribution or "",
        "body": manifest.body,
        "radius": bodies.mean_radius(manifest.body),
        "tms": {"id": grid.id, "title": grid.title, "document": grid.document},
        "crs": {"id": grid.crs_id or grid.id, "proj4": grid.proj4, "geographic": grid.is_geographic},
        "geographic": {"id": bodies.geographic_id(manifest.body), "proj4": bodies.geographic_proj4(manifest.body)},
        "bounds": manifest.bounds,
        "minzoom": minzoom,
        "maxzoom": maxzoom,
        "assets": [asset_summary(profile) for profile in manifest.assets],
        "default_asset": manifest.default_asset,
        "style": dict(manifest.defaults.style),
        "colormaps": colormap_names(),
        "grids": [
            {"id": other, "url": absolute(request, f"/mosaics/{mosaic}/{other}/map.html")}
            for other in grids.ids(manifest.body)
            if not other.endswith("Coalesced")
        ],
        "urls": _viewer_urls(request, mosaic, grid),
        "max_size": MAX_SIZE,
    }


def _viewer_urls(request: Request, mosaic: str, grid: Grid) -> dict[str, str]:
    base = f"/mosaics/{mosaic}"
    query = image_query(request)
    tail = f"&{query}" if query else ""
    return {
        "index": absolute(request, "/"),
        "tiles": tiles_url(request, mosaic, grid.id, suffix=".png"),
        "xyz": tiles_url(request, mosaic, grid.id, suffix=".png"),
        "point": absolute(request, f"{base}/point/{{lon}},{{lat}}"),
        "granules": absolute(request, f"{base}/granules?limit=500"),
        "tilejson": absolute(request, f"{base}/{grid.id}/tilejson.json"),
        "wmts": absolute(request, f"{base}/WMTSCapabilities.xml?tms={grid.id}{tail}"),
        "gdal_tms": absolute(request, f"{base}/{grid.id}/gdal.xml?service=tms&tile_format=tif{tail}"),
        "gdal_wmts": absolute(request, f"{base}/{grid.id}/gdal.xml?service=wmts&tile_format=tif{tail}"),
        "info": absolute(request, f"{base}/info"),
    }
