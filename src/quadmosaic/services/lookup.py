"""Which granules touch an area: one look-up of index cells, merged into one order, filtered by footprint."""

import asyncio
import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely

from quadmosaic.domain import covering, footprints, grids, ordering
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.grids import Grid, Tile
from quadmosaic.domain.mosaic import Manifest, Quadkey, Version
from quadmosaic.domain.trace import Step, current_trace
from quadmosaic.ports import Lookup, MosaicStore

TILE_CELLS = 8
"""Index cells looked up one by one for a tile; RAN: a tile of another grid of the same zoom touches up to five."""
SEARCH_CELLS = 64
"""Index cells looked up for the area of a search; of a larger area it is cheaper to walk through all granules."""
PREFIX_CELLS = 4096
"""Index cells read below one ancestor before a look-up is cut."""
MANY = 1000
"""Granules in lists from which it would take the event loop milliseconds to choose."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Granules best first; `cut` when a limit left some out."""

    granules: tuple[Granule, ...]
    cut: bool = False


def index_grid(manifest: Manifest) -> Grid:
    """The grid that a version's quadkeys belong to."""
    return grids.load(manifest.grid_id) if manifest.tms is None else _parsed(json.dumps(manifest.tms))


@lru_cache(maxsize=64)
def _parsed(document: str) -> Grid:
    return grids.parse(json.loads(document))


async def touching_tile(store: MosaicStore, version: Version, grid: Grid, tile: Tile, *, limit: int) -> Found:
    """Granules whose footprint touches a tile of any grid of the body."""
    area = footprints.outline(grid.crs_id or grid.wkt, grid.tile_bounds(tile))
    if grid is index_grid(version.manifest) and not grid.coalescing:
        keys, zoom = _own_cell(grid, tile, version.manifest.quadkey_zoom)
        lookup = await _look_up(store, version, keys, zoom)
        return await _touching(lookup, area, limit=limit)
    return await touching_area(store, version, area, limit=limit)


async def touching_geobox(store: MosaicStore, version: Version, geobox: GeoBox, *, limit: int) -> Found:
    """Granules whose footprint touches a GeoBox in any CRS of the body."""
    return await touching_area(store, version, footprints.outline(geobox.crs, geobox.bounds), limit=limit)


async def touching_area(store: MosaicStore, version: Version, area: shapely.Geometry, *, limit: int) -> Found:
    """Granules whose footprint touches an area given in lon/lat degrees."""
    grid, zoom = index_grid(version.manifest), version.manifest.quadkey_zoom
    keys, zoom = covering.cells_touching(area, grid, zoom, max_cells=TILE_CELLS)
    lookup = await _look_up(store, version, keys, zoom)
    return await _touching(lookup, area, limit=limit)


async def touching_point(store: MosaicStore, version: Version, lon: float, lat: float, *, limit: int) -> Found:
    """Granules whose footprint holds a point given in degrees."""
    grid, zoom = index_grid(version.manifest), version.manifest.quadkey_zoom
    x, y = grid.project(np.array([lon]), np.array([lat]))
    column, row = (x[0] - grid.origin[0]) / grid.cell_size(zoom), (grid.origin[1] - y[0]) / grid.cell_size(zoom)
    width, height = grid.matrix_size(zoom)
    if not (0 <= column <= width and 0 <= row <= height):
        return Found(granules=())
    tile = Tile(x=min(int(column), width - 1), y=min(int(row), height - 1), z=zoom)
    lookup = await _look_up(store, version, (grid.quadkey(tile),), zoom)
    return await _touching(lookup, shapely.Point(lon, lat), limit=limit)


async def in_cells_of(
    store: MosaicStore, version: Version, area: shapely.Geometry | None
) -> tuple[Granule, ...] | None:
    """Every granule of the index cells that an area touches, in the mosaic's order.

    None where the cells are many, or there is no area, or the grid does not hold it, beyond which granules may lie
    too.
    """
    grid, zoom = index_grid(version.manifest), version.manifest.quadkey_zoom
    if area is None or not footprints.outline(grid.crs_id or grid.wkt, grid.bounds).covers(area):
        return None
    keys, level = covering.cells_touching(area, grid, zoom, max_cells=SEARCH_CELLS)
    if level != zoom:
        return None
    return tuple(ordering.merged(list((await _look_up(store, version, keys, zoom)).cells.values())))


def _own_cell(grid: Grid, tile: Tile, quadkey_zoom: int) -> tuple[tuple[Quadkey, ...], int]:
    """The one cell or ancestor that a tile of the index's own grid needs."""
    key = grid.quadkey(tile)
    zoom = min(tile.z, quadkey_zoom)
    return (key[: len(key) - (tile.z - zoom)],), zoom


async def _look_up(store: MosaicStore, version: Version, keys: tuple[Quadkey, ...], zoom: int) -> Lookup:
    with current_trace().timing(Step.LOOKUP):
        if zoom == version.manifest.quadkey_zoom:
            return await store.lookup(version, keys)
        return await store.lookup_prefix(version, keys, limit=PREFIX_CELLS)


async def _touching(lookup: Lookup, area: shapely.Geometry, *, limit: int) -> Found:
    """Those of the look-up that touch the area, found in a thread where they are many."""
    if sum(map(len, lookup.cells.values())) < MANY:
        return _found(lookup, area, limit)
    return await asyncio.to_thread(_found, lookup, area, limit)


def _found(lookup: Lookup, area: shapely.Geometry, limit: int) -> Found:
    granules = ordering.merged(list(lookup.cells.values()))
    shapely.prepare(area)
    touches = shapely.intersects(area, [granule.footprint for granule in granules])
    touching = tuple(granule for granule, hit in zip(granules, touches, strict=True) if hit)
    return Found(granules=touching[:limit], cut=lookup.cut or len(touching) > limit)
