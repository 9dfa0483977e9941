"""Tiles and the granules under them."""

import re
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from quadmosaic.api.documents import public_assets
from quadmosaic.api.images import image_reply
from quadmosaic.api.params import MAX_SIZE, Buffer, Empty, ImageQuery, TileSize
from quadmosaic.api.services import OfVersion, UsesServices, grid_for
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.grids import Tile
from quadmosaic.rendering.encode import ImageFormat, parse_format
from quadmosaic.services.lookup import touching_geobox, touching_tile

router = APIRouter(tags=["tiles"])

_ROW = re.compile(r"(?P<y>\d{1,18})(?:@(?P<scale>\d{1,3})x)?(?:\.(?P<format>\w+))?")
MAX_SCALE = 4

Row = Annotated[str, Path(description="row, with @2x and .format if wanted: 203, 203.png, 203@2x.tif", pattern=r"^\d+")]


def parse_row(text: str) -> tuple[int, int, ImageFormat | None]:
    """`203@2x.png` -> row 203, scale 2, PNG. Raises Invalid (field "y" or "format")."""
    match = _ROW.fullmatch(text)
    if match is None:
        raise Invalid(f"{text!r} is not a row with an optional @2x and .format", field="y")
    scale = int(match["scale"] or 1)
    if not 1 <= scale <= MAX_SCALE:
        raise Invalid(f"@{scale}x is not between @1x and @{MAX_SCALE}x", field="scale")
    return int(match["y"]), scale, parse_format(match["format"]) if match["format"] else None


@router.get(
    "/mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}, "image/jpeg": {}, "image/webp": {}, "image/tiff; application=geotiff": {}}},
        204: {"description": "no data here"},
    },
)
async def tile(
    request: Request,
    services: UsesServices,
    version: OfVersion,
    tms: str,
    z: int,
    x: int,
    y: Row,
    params: ImageQuery,
    empty: Empty = "204",
    tilesize: TileSize = 256,
    buffer: Buffer = 0,
) -> Response:
    """A tile of any grid of the mosaic's body."""
    row, scale, image_format = parse_row(y)
    if tilesize * scale + 2 * buffer > MAX_SIZE:
        raise Invalid(f"more than {MAX_SIZE} pixels a side", field="tilesize")
    grid = grid_for(version, tms)
    place = Tile(x=x, y=row, z=z)
    grid.check(place)
    geobox = grid.geobox(place, size=tilesize * scale)
    find = partial(touching_tile, services.store, version, grid, place, limit=services.max_granules)
    if buffer:
        find = partial(touching_geobox, services.store, version, geobox.buffered(buffer), limit=services.max_granules)
    return await image_reply(
        request,
        services,
        version,
        geobox,
        find,
        params,
        image_format,
        crs_id=grid.crs_id,
        empty=empty,
        buffer=buffer,
    )


@router.get("/mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}/assets")
async def tile_assets(
    services: UsesServices, version: OfVersion, tms: str, z: int, x: int, y: int
) -> list[dict[str, object]]:
    """The granules whose footprint touches a tile, best first."""
    grid = grid_for(version, tms)
    place = Tile(x=x, y=y, z=z)
    grid.check(place)
    found = await touching_tile(services.store, version, grid, place, limit=services.max_granules)
    return [{"id": granule.id, "assets": public_assets(granule)} for granule in found.granules]
