"""The WMTS capabilities of one mosaic, RESTful: its assets as layers on the grids of its body."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from quadmosaic.api.axes import in_crs_order
from quadmosaic.api.document_reply import document_reply
from quadmosaic.api.params import ImageQuery, TileSize, mosaic_request
from quadmosaic.api.services import OfVersion, UsesServices, grid_for, zooms_on
from quadmosaic.api.urls import tiles_url
from quadmosaic.api.xml_templates import render_xml
from quadmosaic.domain import bodies, grids
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Bounds
from quadmosaic.domain.grid_bounds import TileRange, bounds_on, tiles_within
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaic import Version
from quadmosaic.rendering.encode import ImageFormat
from quadmosaic.services.assets import asset_profile
from quadmosaic.services.lookup import index_grid

router = APIRouter(tags=["ogc"])

PIXEL_M = 0.00028
"""Side of the pixel that WMTS's scale denominators are defined by, metres."""
CLIENTS_METRES_PER_DEGREE = 6378137 * math.pi / 180
"""RAN: GDAL and QGIS turn scale denominators into degrees by Earth's radius, on Mars as well."""
REGIONAL_DEGREES = 300.0
"""A CRS whose area of use is narrower shows only mosaics that lie within that area."""
IMAGE_FORMATS = (ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.TIFF)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Matrix:
    zoom: int
    scale_denominator: float
    width: int
    height: int
    range: TileRange


@dataclass(frozen=True, kw_only=True, slots=True)
class _MatrixSet:
    """`top_left`, `lower` and `upper` are in the axis order of the CRS."""

    id: str
    title: str
    crs: str
    top_left: tuple[float, float]
    lower: tuple[float, float]
    upper: tuple[float, float]
    matrices: tuple[_Matrix, ...]


@router.get("/mosaics/{mosaic}/WMTSCapabilities.xml", response_class=Response)
async def capabilities(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    params: ImageQuery,
    tms: Annotated[str | None, Query(description="one grid; all that WMTS clients can name when absent")] = None,
    tilesize: TileSize = 256,
    f: Annotated[
        Literal["ogc", "gdal"], Query(description="gdal: CRSs as WKT, x before y, which every GDAL reads alike")
    ] = "ogc",
) -> Response:
    """WMTS 1.0 capabilities whose tile URLs carry the request's own image parameters."""
    drawing = mosaic_request(params, version.manifest)
    if "buffer" in request.query_params:
        raise Invalid("tiles of a WMTS have no buffer", field="buffer")
    chosen = _named_grids(version) if tms is None else (grid_for(version, tms),)
    placed = [(grid, box) for grid in chosen if (box := bounds_on(version.manifest.bounds, grid)) is not None]
    if not placed:
        raise Invalid(f"{version.name} does not lie on {tms or 'any grid of its body'}", field="tms")
    matrix_sets = [_matrix_set(version, grid, box, tile_size=tilesize, for_gdal=f == "gdal") for grid, box in placed]
    given = drawing.asset and asset_profile(version, drawing.asset)
    assets = [given.key] if given else [profile.key for profile in version.manifest.assets]
    manifest = version.manifest
    document = {
        "title": manifest.defaults.title or version.name,
        "abstract": manifest.defaults.description,
        "attribution": manifest.defaults.attribution,
        "url": str(request.url),
        "layers": [_layer(request, version, asset) for asset in assets],
        "boxes": list({matrix_set.crs: matrix_set for matrix_set in matrix_sets}.values()),
        "wgs84_bounds": manifest.bounds if manifest.body == bodies.EARTH else None,
        "matrix_sets": matrix_sets,
        "tile_size": tilesize,
    }
    return document_reply(request, services, render_xml("wmts.xml.jinja", document), media_type="application/xml")


def _named_grids(version: Version) -> tuple[Grid, ...]:
    """Grids of the body whose CRS has a name, the default one first: many clients open the first."""
    body, own = version.manifest.body, index_grid(version.manifest)
    known = {grid.id: grid for grid in map(grids.load, grids.ids(body))} | {own.id: own}
    first = grids.default_map_grid(body)
    order = [first, *(grid_id for grid_id in known if grid_id != first)]
    usable = [known[grid_id] for grid_id in order if known[grid_id].crs_id and not known[grid_id].coalescing]
    return tuple(grid for grid in usable if _is_at_home(grid, version.manifest.bounds))


def _is_at_home(grid: Grid, bounds: Bounds) -> bool:
    """Whether a mosaic lies where the CRS is meant to be used; only Earth has CRSs of regions."""
    area = grid.crs.area_of_use
    if area is None or area.east - area.west > REGIONAL_DEGREES:
        return True
    west, south, east, north = bounds
    return bool(area.west <= west and area.south <= south and east <= area.east and north <= area.north)


def _layer(request: Request, version: Version, asset: str) -> dict[str, object]:
    """One asset, in every format."""
    title = version.manifest.defaults.title or version.name
    return {
        "id": asset,
        "title": title if len(version.manifest.assets) == 1 else f"{title}: {asset}",
        "images": [
            {"media_type": image_format.media_type, "template": _template(request, asset, image_format)}
            for image_format in IMAGE_FORMATS
        ],
    }


def _template(request: Request, asset: str, image_format: ImageFormat) -> str:
    return tiles_url(
        request,
        request.path_params["mosaic"],
        "{TileMatrixSet}",
        suffix=f".{image_format}",
        matrix="{TileMatrix}",
        column="{TileCol}",
        row="{TileRow}",
        changed={"assets": asset},
    )


def _matrix_set(version: Version, grid: Grid, box: Bounds, *, tile_size: int, for_gdal: bool) -> _MatrixSet:
    minx, miny, maxx, maxy = box
    named = grid.crs_id is not None and not for_gdal
    ordered = partial(in_crs_order, grid) if named else _x_first
    return _MatrixSet(
        id=grid.id,
        title=grid.title,
        crs=_crs_name(grid) if named else grid.wkt,
        top_left=ordered(*grid.origin),
        lower=ordered(minx, miny),
        upper=ordered(maxx, maxy),
        matrices=tuple(_matrix(grid, box, zoom, tile_size) for zoom in range(zooms_on(version, grid)[1] + 1)),
    )


def _matrix(grid: Grid, box: Bounds, zoom: int, tile_size: int) -> _Matrix:
    width, height = grid.matrix_size(zoom)
    pixel_m = grid.cell_size(zoom) / tile_size * (CLIENTS_METRES_PER_DEGREE if grid.is_geographic else 1.0)
    return _Matrix(
        zoom=zoom,
        scale_denominator=pixel_m / PIXEL_M,
        width=width,
        height=height,
        range=tiles_within(box, grid, zoom),
    )


def _crs_name(grid: Grid) -> str:
    """The CRS as WMTS clients understand it.

    RAN: with the OGC urn of an IAU code QGIS 3.22 shows wrong extents, and its http form GDAL 3.6 cannot read.
    """
    assert grid.crs_id is not None
    authority, code = grid.crs_id.split(":")
    if authority == "OGC":
        return f"urn:ogc:def:crs:OGC:1.3:{code}"
    return f"urn:ogc:def:crs:EPSG::{code}" if authority == "EPSG" else grid.crs_id


def _x_first(x: float, y: float) -> tuple[float, float]:
    return x, y
