"""OGC API Tiles: a mosaic's tilesets, and what this service conforms to."""

from fastapi import APIRouter, Request, Response

from quadmosaic.api.axes import in_crs_order
from quadmosaic.api.document_reply import json_reply
from quadmosaic.api.params import ImageQuery, mosaic_request
from quadmosaic.api.services import OfVersion, UsesServices, grid_for, zooms_on
from quadmosaic.api.urls import absolute, crs_uri, image_query, tiles_url
from quadmosaic.domain import grids
from quadmosaic.domain.granules import Bounds
from quadmosaic.domain.grid_bounds import bounds_on, tiles_within
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaic import Version
from quadmosaic.rendering.encode import ImageFormat
from quadmosaic.services.lookup import index_grid

router = APIRouter(tags=["ogc"])

CONFORMS_TO = (
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tilesets-list",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/png",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/jpeg",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tiff",
    "http://www.opengis.net/spec/tms/2.0/conf/tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/tilesetmetadata",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilesetmetadata",
)
TILING_SCHEME = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
GEODATA = "http://www.opengis.net/def/rel/ogc/1.0/geodata"


@router.get("/conformance")
async def conformance() -> dict[str, tuple[str, ...]]:
    """The conformance classes of OGC API Tiles and of tile matrix sets."""
    return {"conformsTo": CONFORMS_TO}


@router.get("/mosaics/{mosaic}/tiles")
async def tilesets(
    request: Request, services: UsesServices, version: OfVersion, mosaic: str, params: ImageQuery
) -> Response:
    """One tileset per grid of the body, the index's own included; the grids are named without being loaded."""
    mosaic_request(params, version.manifest)
    own, body = index_grid(version.manifest).id, version.manifest.body
    content = {
        "tilesets": [_listed(request, version, mosaic, grid_id) for grid_id in sorted({own, *grids.ids(body)})],
        "links": [_link(request, "self", _path(mosaic), "application/json", "the tilesets of this mosaic")],
    }
    return json_reply(request, services, content)


@router.get("/mosaics/{mosaic}/tiles/{tms}")
async def tileset(
    request: Request, services: UsesServices, version: OfVersion, mosaic: str, tms: str, params: ImageQuery
) -> Response:
    """A tileset's metadata: its limits on the grid, and tile URLs that carry the request's own image parameters."""
    mosaic_request(params, version.manifest)
    grid = grid_for(version, tms)
    manifest = version.manifest
    metadata = _listed(request, version, mosaic, grid.id) | {
        "description": manifest.defaults.description,
        "attribution": manifest.defaults.attribution,
        "version": str(version.number),
        "created": manifest.created,
        "crs": _crs(grid),
        "layers": [{"id": profile.key, "dataType": "map"} for profile in manifest.assets],
    }
    metadata |= _extent(version, grid)
    links = [*_tileset_links(request, version, mosaic, grid.id), *_tile_links(request, mosaic, grid)]
    told = {key: value for key, value in metadata.items() if value is not None}
    return json_reply(request, services, told | {"links": links})


def _extent(version: Version, grid: Grid) -> dict[str, object]:
    """Where the mosaic lies on the grid; no limits of any matrix where it does not."""
    box = bounds_on(version.manifest.bounds, grid)
    if box is None:
        return {"tileMatrixSetLimits": []}
    minzoom, maxzoom = zooms_on(version, grid)
    west, south, east, north = box
    return {
        "tileMatrixSetLimits": [_limits(grid, box, zoom) for zoom in range(minzoom, maxzoom + 1)],
        "boundingBox": {
            "lowerLeft": in_crs_order(grid, west, south),
            "upperRight": in_crs_order(grid, east, north),
            "crs": _crs(grid),
        },
        "centerPoint": {
            "coordinates": in_crs_order(grid, (west + east) / 2, (south + north) / 2),
            "crs": _crs(grid),
            "tileMatrix": str(min(minzoom + 2, maxzoom)),
        },
    }


def _crs(grid: Grid) -> object:
    """A URI, or PROJJSON where the CRS has no name."""
    return crs_uri(grid.crs_id) or {"wkt": grid.crs.to_json_dict()}


def _listed(request: Request, version: Version, mosaic: str, grid_id: str) -> dict[str, object]:
    title = version.manifest.defaults.title or version.name
    return {
        "title": f"{title} on {grid_id}",
        "dataType": "map",
        "tileMatrixSetId": grid_id,
        "tileMatrixSetURI": absolute(request, _set_path(version, mosaic, grid_id)),
        "links": _tileset_links(request, version, mosaic, grid_id),
    }


def _tileset_links(request: Request, version: Version, mosaic: str, grid_id: str) -> list[dict[str, object]]:
    return [
        _link(request, "self", f"{_path(mosaic)}/{grid_id}", "application/json", f"the tileset on {grid_id}"),
        _link(request, TILING_SCHEME, _set_path(version, mosaic, grid_id), "application/json", grid_id, query=False),
        _link(request, GEODATA, f"/mosaics/{mosaic}/info", "application/json", "the mosaic", query=False),
    ]


def _tile_links(request: Request, mosaic: str, grid: Grid) -> list[dict[str, object]]:
    """A templated link per format."""
    return [
        {
            "rel": "item",
            "href": tiles_url(
                request,
                mosaic,
                grid.id,
                suffix=f".{image_format}",
                matrix="{tileMatrix}",
                column="{tileCol}",
                row="{tileRow}",
            ),
            "type": image_format.media_type,
            "title": f"tiles as {image_format}",
            "templated": True,
        }
        for image_format in ImageFormat
    ]


def _limits(grid: Grid, box: Bounds, zoom: int) -> dict[str, object]:
    tiles = tiles_within(box, grid, zoom)
    return {
        "tileMatrix": str(zoom),
        "minTileRow": tiles.min_row,
        "maxTileRow": tiles.max_row,
        "minTileCol": tiles.min_column,
        "maxTileCol": tiles.max_column,
    }


def _link(
    request: Request, rel: str, path: str, media_type: str, title: str, *, query: bool = True
) -> dict[str, object]:
    """With the request's own image parameters where `query`."""
    parameters = image_query(request) if query else ""
    href = absolute(request, path) + (f"?{parameters}" if parameters else "")
    return {"rel": rel, "href": href, "type": media_type, "title": title}


def _path(mosaic: str) -> str:
    return f"/mosaics/{mosaic}/tiles"


def _set_path(version: Version, mosaic: str, grid_id: str) -> str:
    """Where a grid's definition is: a mosaic's own one is found through the mosaic."""
    own = version.manifest.tms is not None and grid_id == index_grid(version.manifest).id
    return f"/tileMatrixSets/{grid_id}" + (f"?mosaic={mosaic}" if own else "")
