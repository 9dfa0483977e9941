"""The files by which GDAL, and so QGIS and rasterio, open a mosaic as one raster."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from quadmosaic.api.document_reply import document_reply
from quadmosaic.api.params import Empty, ImageQuery, TileSize, mosaic_request
from quadmosaic.api.services import OfVersion, UsesServices, grid_for, zooms_on
from quadmosaic.api.urls import absolute, image_query, tiles_url
from quadmosaic.api.xml_templates import render_xml
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaic import Version
from quadmosaic.rendering.encode import ImageFormat, parse_format
from quadmosaic.services.assets import asset_profile
from quadmosaic.services.layouts import Layout, layout

router = APIRouter(tags=["ogc"])

MOST_PIXELS = 2**31 - 1
"""Along a side of a raster in GDAL."""
USER_AGENT = "GDAL (quadmosaic)"

_NEW_CODE = re.compile(r"IAU_2015:\d+90")

Service = Annotated[
    Literal["tms", "wmts"], Query(description="GDAL's driver: tms knows nodata, wmts the mosaic's own bounds")
]
TileFormat = Annotated[str, Query(description="tif for values; png, jpg or webp for pictures")]


@router.get("/mosaics/{mosaic}/{tms}/gdal.xml", response_class=Response)
async def gdal_file(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    tms: str,
    params: ImageQuery,
    service: Service = "tms",
    tile_format: TileFormat = "tif",
    tilesize: TileSize = 256,
    empty: Empty = "204",
) -> Response:
    """A GDAL_WMS or GDAL_WMTS file; its tiles carry the request's own image parameters."""
    grid = grid_for(version, tms)
    image_format = _readable(tile_format)
    if "buffer" in request.query_params:
        raise Invalid("tiles of one raster have no buffer", field="buffer")
    drawing = mosaic_request(params, version.manifest)
    profile = asset_profile(version, drawing.asset)
    named = params.model_copy(update={"assets": [profile.key]})
    form = layout(profile, mosaic_request(named, version.manifest), image_format)
    if service == "wmts":
        content = _wmts(request, grid, profile.key, image_format, form)
    else:
        content = _tms(request, version, grid, profile.key, image_format, form, tilesize=tilesize, empty=empty)
    return document_reply(request, services, content, media_type="application/xml")


def _readable(tile_format: str) -> ImageFormat:
    try:
        image_format = parse_format(tile_format)
    except Invalid as error:
        raise Invalid(error.message, field="tile_format") from error
    if image_format is ImageFormat.NPY:
        raise Invalid("GDAL cannot read npy: use tif for values", field="tile_format")
    return image_format


def _tms(
    request: Request,
    version: Version,
    grid: Grid,
    asset: str,
    image_format: ImageFormat,
    form: Layout,
    *,
    tilesize: int,
    empty: str,
) -> str:
    """The whole grid as a raster; where nothing is, GDAL fills in nodata, or transparency."""
    url = tiles_url(
        request,
        request.path_params["mosaic"],
        grid.id,
        suffix=f".{image_format}",
        matrix="${z}",
        column="${x}",
        row="${y}",
        changed={"assets": asset},
    )
    values = {
        "url": url,
        "bounds": grid.bounds,
        "zoom": min(zooms_on(version, grid)[1], _deepest(grid, tilesize)),
        "columns": grid.root_width,
        "rows": grid.root_height,
        "projection": _projection(grid),
        "tile_size": tilesize,
        "bands": form.bands,
        "data_type": _gdal_type(form),
        "nodata": None if form.nodata is None else repr(form.nodata),
        "empty_codes": "204,404" if empty == "404" else "204",
        "user_agent": USER_AGENT,
    }
    return render_xml("gdal_tms.xml.jinja", values)


def _wmts(request: Request, grid: Grid, asset: str, image_format: ImageFormat, form: Layout) -> str:
    """The mosaic's bounds as a raster; this driver reads 204 as 0, so its tiles are always filled."""
    query = image_query(request, changed={"tms": grid.id, "f": "gdal", "assets": asset, "empty": "fill"})
    capabilities = absolute(request, f"/mosaics/{request.path_params['mosaic']}/WMTSCapabilities.xml?{query}")
    values = {
        "url": capabilities,
        "layer": asset,
        "tms": grid.id,
        "media_type": image_format.media_type,
        "projection": _projection(grid),
        "bands": form.bands,
        "data_type": _gdal_type(form),
        "user_agent": USER_AGENT,
    }
    return render_xml("gdal_wmts.xml.jinja", values)


def _projection(grid: Grid) -> str:
    """The CRS by its name; as WKT where it has none, or one that PROJ 9.1 lacks: IAU's Mercators."""
    return grid.wkt if grid.crs_id is None or _NEW_CODE.fullmatch(grid.crs_id) else grid.crs_id


def _deepest(grid: Grid, tile_size: int) -> int:
    """The last zoom at which the whole grid still is a raster that GDAL can count."""
    side = max(grid.root_width, grid.root_height) * tile_size
    return (MOST_PIXELS // side).bit_length() - 1


def _gdal_type(form: Layout) -> str:
    """GDAL's name of numpy's type."""
    from rasterio.dtypes import dtype_rev, typename_fwd

    return str(typename_fwd[dtype_rev[form.dtype]])
