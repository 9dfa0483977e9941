"""Crops of any box, and the preview picture."""

import math
import re
from functools import partial
from typing import Annotated

import pyproj
from fastapi import APIRouter, Query, Request, Response

from quadmosaic.api.documents import public_assets
from quadmosaic.api.images import image_reply
from quadmosaic.api.params import MAX_SIZE, Empty, ImageQuery
from quadmosaic.api.services import OfVersion, UsesServices
from quadmosaic.domain import bodies, grids
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Bounds
from quadmosaic.domain.mosaic import Version
from quadmosaic.rendering.encode import ImageFormat, parse_format
from quadmosaic.services.lookup import touching_geobox
from quadmosaic.services.points import known_crs

router = APIRouter(tags=["crops"])

PREVIEW_SIZE = 512
CROP_SIZE = 1024

_CODE = re.compile(r"\w+:\w+")

CoordCrs = Annotated[str | None, Query(description="CRS of the box; the body's geographic CRS when absent")]
OutputCrs = Annotated[str | None, Query(description="CRS of the image; that of the box when absent")]
MaxSize = Annotated[int, Query(ge=1, le=MAX_SIZE, description="longest side in pixels where no size is given")]


@router.get("/mosaics/{mosaic}/bbox/{minx},{miny},{maxx},{maxy}.{image_format}", response_class=Response)
async def bbox(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    minx: float,
    miny: float,
    maxx: float,
    maxy: float,
    image_format: str,
    params: ImageQuery,
    coord_crs: CoordCrs = None,
    crs: OutputCrs = None,
    max_size: MaxSize = CROP_SIZE,
    empty: Empty = "204",
) -> Response:
    """A box, its longest side `max_size` pixels."""
    chosen = parse_format(image_format)
    box, box_crs = _output_box(version, (minx, miny, maxx, maxy), coord_crs, crs)
    geobox = GeoBox(box_crs, box, *_fitted(box, max_size))
    return await _crop(request, services, version, geobox, params, chosen, empty)


@router.get(
    "/mosaics/{mosaic}/bbox/{minx},{miny},{maxx},{maxy}/{width}x{height}.{image_format}", response_class=Response
)
async def sized_bbox(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    minx: float,
    miny: float,
    maxx: float,
    maxy: float,
    width: int,
    height: int,
    image_format: str,
    params: ImageQuery,
    coord_crs: CoordCrs = None,
    crs: OutputCrs = None,
    empty: Empty = "204",
) -> Response:
    """A box of exactly `width` x `height` pixels."""
    for field, pixels in (("width", width), ("height", height)):
        if not 0 < pixels <= MAX_SIZE:
            raise Invalid(f"{pixels} is not within 1 to {MAX_SIZE} pixels", field=field)
    chosen = parse_format(image_format)
    box, box_crs = _output_box(version, (minx, miny, maxx, maxy), coord_crs, crs)
    geobox = GeoBox(box_crs, box, width, height)
    return await _crop(request, services, version, geobox, params, chosen, empty)


@router.get("/mosaics/{mosaic}/bbox/{minx},{miny},{maxx},{maxy}/assets")
async def bbox_assets(
    services: UsesServices,
    version: OfVersion,
    minx: float,
    miny: float,
    maxx: float,
    maxy: float,
    coord_crs: CoordCrs = None,
) -> list[dict[str, object]]:
    """The granules whose footprint touches a box, best first."""
    box, crs = _output_box(version, (minx, miny, maxx, maxy), coord_crs, None)
    found = await touching_geobox(services.store, version, GeoBox(crs, box, 1, 1), limit=services.max_granules)
    return [{"id": granule.id, "assets": public_assets(granule)} for granule in found.granules]


@router.get("/mosaics/{mosaic}/preview", response_class=Response)
@router.get("/mosaics/{mosaic}/preview.{image_format}", response_class=Response)
async def preview(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    params: ImageQuery,
    image_format: str = "png",
    max_size: MaxSize = PREVIEW_SIZE,
) -> Response:
    """The whole mosaic as one picture, on the body's default map grid."""
    grid = grids.load(grids.default_map_grid(version.manifest.body))
    to_grid = pyproj.Transformer.from_crs(bodies.geographic_crs(version.manifest.body), grid.crs, always_xy=True)
    minx, miny, maxx, maxy = to_grid.transform_bounds(*version.manifest.bounds)
    left, bottom, right, top = grid.bounds
    box = (max(minx, left), max(miny, bottom), min(maxx, right), min(maxy, top))
    geobox = GeoBox(grid.crs_id or grid.wkt, box, *_fitted(box, max_size))
    return await _crop(request, services, version, geobox, params, parse_format(image_format), "fill")


async def _crop(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    geobox: GeoBox,
    params: ImageQuery,
    image_format: ImageFormat,
    empty: str,
) -> Response:
    find = partial(touching_geobox, services.store, version, geobox, limit=services.max_granules)
    crs_id = geobox.crs if _CODE.fullmatch(geobox.crs) else None
    return await image_reply(request, services, version, geobox, find, params, image_format, crs_id=crs_id, empty=empty)


def _output_box(version: Version, box: Bounds, coord_crs: str | None, crs: str | None) -> tuple[Bounds, str]:
    """The box in the CRS of the image. Raises Invalid naming bbox, coord_crs or crs."""
    body = version.manifest.body
    given = bodies.geographic_crs(body) if coord_crs is None else known_crs(coord_crs, body, field="coord_crs")
    if not (box[0] < box[2] and box[1] < box[3]):
        raise Invalid("not minx,miny,maxx,maxy with minx < maxx and miny < maxy", field="bbox")
    _require_place(box, given, body)
    if crs is None:
        return box, _text(given)
    output = known_crs(crs, body, field="crs")
    projected = pyproj.Transformer.from_crs(given, output, always_xy=True).transform_bounds(*box, errcheck=False)
    if not all(abs(edge) < float("inf") for edge in projected):
        raise Invalid(f"the box has no place in {crs}", field="bbox")
    return projected, _text(output)


def _require_place(box: Bounds, crs: pyproj.CRS, body: str) -> None:
    """Raise Invalid (field "bbox") for a box that is too large to be on the body, in degrees or in metres."""
    circumference = 2 * math.pi * bodies.mean_radius(body)
    most_x, most_y = (720.0, 90.0) if crs.is_geographic else (100 * circumference, 100 * circumference)
    if not (max(abs(box[0]), abs(box[2])) <= most_x and max(abs(box[1]), abs(box[3])) <= most_y):
        raise Invalid(f"{','.join(map(str, box))} is no place on {body}", field="bbox")


def _text(crs: pyproj.CRS) -> str:
    authority = crs.to_authority(min_confidence=100)
    return str(crs.to_wkt()) if authority is None else ":".join(authority)


def _fitted(box: Bounds, longest: int) -> tuple[int, int]:
    """Width and height with square pixels."""
    across, up = box[2] - box[0], box[3] - box[1]
    scale = longest / max(across, up)
    return max(1, round(across * scale)), max(1, round(up * scale))
