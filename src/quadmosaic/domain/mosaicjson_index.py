"""MosaicJSON to an index of granules, and an index back to MosaicJSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import shapely

from quadmosaic.domain import cell_outlines, covering, grids
from quadmosaic.domain.errors import Invalid, NotFound
from quadmosaic.domain.granule_ids import granule_ids
from quadmosaic.domain.granules import Bounds, Granule, Json, JsonObject
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaic import AssetProfile, Defaults, Index, Manifest, Quadkey
from quadmosaic.domain.mosaicjson import MosaicJson
from quadmosaic.domain.mosaicjson_faults import DATA_TYPES

_DTYPES = {"cint16": "complex_int16", "cfloat32": "complex64", "cfloat64": "complex128"}
"""MosaicJSON's names for data types where numpy or rasterio has another."""
_DATA_TYPES = {dtype: data_type for data_type, dtype in _DTYPES.items()}
_KEPT = ("version", "asset_type", "asset_prefix", "layers")
"""The document's keys that a version has no other place for."""


def to_index(mosaic: MosaicJson, *, asset_key: str = "data") -> tuple[Index, Manifest]:
    """The index of a document, and all its manifest says; recipe, report, software and time are the caller's.

    Granules stand in the order in which the document names them first; a granule's footprint is the union of its
    cells, and its only asset is `asset_key`.
    """
    grid, tms = _known(mosaic)
    hrefs = list(dict.fromkeys(asset for assets in mosaic.tiles.values() for asset in assets))
    position = {href: number for number, href in enumerate(hrefs)}
    cells = {
        quadkey: tuple(dict.fromkeys(position[asset] for asset in assets)) for quadkey, assets in mosaic.tiles.items()
    }
    footprints = _footprints(grid, cells, len(hrefs))
    full = [(mosaic.asset_prefix or "") + href for href in hrefs]
    ids = granule_ids(full)
    granules = tuple(
        Granule(id=ids[href], hrefs={asset_key: href}, footprint=footprint)
        for href, footprint in zip(full, footprints, strict=True)
    )
    index = Index(grid_id=grid.id, zoom=mosaic.quadkey_zoom, granules=granules, cells=cells)
    return index, _manifest(mosaic, grid, tms, asset_key, _bounds(mosaic, footprints))


def from_index(index: Index, manifest: Manifest, *, asset: str, grid: Grid | None = None) -> MosaicJson:
    """The document of one asset key, on `grid` or else on the index's own.

    An index whose grid has several roots is covered again on the body's Mercator set, at the zoom whose cells come
    nearest in size. Granules without the asset are left out. Raises NotFound for an asset that no granule has,
    Invalid (field "tms") where the grid has several roots or reaches no granule.
    """
    if not any(asset in granule.hrefs for granule in index.granules):
        raise NotFound(f"no granule has an asset {asset!r}")
    own = _own_grid(index, manifest)
    target = grid or (own if own.single_root else grids.load(grids.mercator_grid(own.body)))
    if not target.single_root:
        raise Invalid(f"{target.id} has several roots, and MosaicJSON needs one", field="tms")
    cells, shift = (index.cells, 0) if target.id == own.id else _covered_again(index, own, target)
    tiles = _tiles(index, cells, target, asset)
    if not tiles:
        raise Invalid(f"no granule with asset {asset!r} lies where {target.id} has tiles", field="tms")
    document = _described(manifest, asset)
    prefix = _common_prefix(manifest, tiles)
    minzoom, maxzoom = (min(max(zoom + shift, 0), target.maxzoom) for zoom in (manifest.minzoom, manifest.maxzoom))
    quadkey_zoom = index.zoom + shift
    lon, lat, zoom = manifest.center
    return replace(
        document,
        tiles={quadkey: tuple(href.removeprefix(prefix) for href in hrefs) for quadkey, hrefs in tiles.items()},
        asset_prefix=prefix or None,
        minzoom=minzoom,
        maxzoom=max(maxzoom, quadkey_zoom),
        quadkey_zoom=quadkey_zoom,
        center=(lon, lat, min(max(zoom + shift, minzoom), maxzoom)),
        tilematrixset=None if target.id == "WebMercatorQuad" else target.document,
    )


def _known(mosaic: MosaicJson) -> tuple[Grid, JsonObject | None]:
    """The document's grid: the known one of that id where the two are alike, else with its own document."""
    given = mosaic.grid()
    try:
        known = grids.load(given.id)
    except NotFound:
        return given, mosaic.tilematrixset
    if _alike(given, known) and mosaic.quadkey_zoom <= known.maxzoom:
        return known, None
    return given, mosaic.tilematrixset


def _alike(first: Grid, second: Grid) -> bool:
    """Whether the cells of two grids lie in the same places."""
    if (first.body, first.root_width, first.tile_size) != (second.body, second.root_width, second.tile_size):
        return False
    lon, lat = np.array([-120.0, 10.0, 77.0]), np.array([-60.0, 45.0, 18.0])
    places = [np.concatenate([grid.bounds, *grid.project(lon, lat)]) for grid in (first, second)]
    return bool(np.allclose(places[0], places[1], rtol=1e-9, atol=1e-9 * first.root_size))


def _footprints(grid: Grid, cells: Mapping[Quadkey, tuple[int, ...]], count: int) -> list[shapely.Geometry]:
    groups: list[list[int]] = [[] for _ in range(count)]
    for cell, granules in enumerate(cells.values()):
        for granule in granules:
            groups[granule].append(cell)
    return cell_outlines.unions(grid, [grid.tile(quadkey) for quadkey in cells], groups)


def _bounds(mosaic: MosaicJson, footprints: Sequence[shapely.Geometry]) -> Bounds:
    if mosaic.bounds is not None:
        return mosaic.bounds
    return cast("Bounds", tuple(map(float, shapely.total_bounds(footprints))))


def _manifest(mosaic: MosaicJson, grid: Grid, tms: JsonObject | None, asset_key: str, bounds: Bounds) -> Manifest:
    west, south, east, north = bounds
    kept: dict[str, Json] = {key: getattr(mosaic, key) for key in _KEPT if getattr(mosaic, key) is not None}
    data_type = mosaic.data_type if mosaic.data_type != "other" else None
    profile = AssetProfile(
        key=asset_key,
        dtype=None if data_type is None else _DTYPES.get(data_type, data_type),
        palette=None if mosaic.colormap is None else dict(mosaic.colormap),
    )
    return Manifest(
        body=grid.body,
        grid_id=grid.id,
        tms=tms,
        quadkey_zoom=mosaic.quadkey_zoom,
        minzoom=min(mosaic.minzoom, grid.maxzoom),
        maxzoom=min(mosaic.maxzoom, grid.maxzoom),
        bounds=bounds,
        center=mosaic.center or ((west + east) / 2, (south + north) / 2, mosaic.minzoom),
        assets=(profile,),
        defaults=Defaults(title=mosaic.name, description=mosaic.description, attribution=mosaic.attribution),
        document={**mosaic.extra, **kept},
    )


def _own_grid(index: Index, manifest: Manifest) -> Grid:
    return grids.load(index.grid_id) if manifest.tms is None else grids.parse(manifest.tms)


def _covered_again(index: Index, own: Grid, target: Grid) -> tuple[Mapping[Quadkey, tuple[int, ...]], int]:
    """Cells on another grid, and how many zooms deeper cells of the same size lie there."""
    if target.body != own.body:
        raise Invalid(f"{target.id} is a grid of {target.body}, and the mosaic lies on {own.body}", field="tms")
    ratio = target.root_size * target.metres_per_unit / (own.root_size * own.metres_per_unit)
    shift = round(math.log2(ratio))
    zoom = min(max(index.zoom + shift, 0), target.maxzoom)
    footprints = [granule.footprint for granule in index.granules]
    return covering.cover(footprints, target, zoom), zoom - index.zoom


def _tiles(
    index: Index, cells: Mapping[Quadkey, tuple[int, ...]], grid: Grid, asset: str
) -> dict[str, tuple[str, ...]]:
    """Hrefs by quadkey, row by row from the top, as cogeo-mosaic writes them."""
    hrefs = [granule.hrefs.get(asset) for granule in index.granules]
    listed = {quadkey: tuple(href for i in granules if (href := hrefs[i])) for quadkey, granules in cells.items()}
    tiles = {quadkey: grid.tile(quadkey) for quadkey in listed}
    by_row = sorted(tiles, key=lambda quadkey: (tiles[quadkey].y, tiles[quadkey].x))
    return {quadkey: listed[quadkey] for quadkey in by_row if listed[quadkey]}


def _common_prefix(manifest: Manifest, tiles: Mapping[str, tuple[str, ...]]) -> str:
    """The imported document's prefix, if all hrefs still start with it and are more than it."""
    prefix = manifest.document.get("asset_prefix")
    if not isinstance(prefix, str):
        return ""
    hrefs = (href for found in tiles.values() for href in found)
    return prefix if all(href.startswith(prefix) and href != prefix for href in hrefs) else ""


def _described(manifest: Manifest, asset: str) -> MosaicJson:
    """All of a document that does not depend on its grid."""
    profile = manifest.asset(asset)
    kept = manifest.document
    dtype = None if profile is None or profile.dtype is None else _DATA_TYPES.get(profile.dtype, profile.dtype)
    return MosaicJson(
        name=manifest.defaults.title,
        description=manifest.defaults.description,
        version=cast("str", kept.get("version", "1.0.0")),
        attribution=manifest.defaults.attribution,
        minzoom=manifest.minzoom,
        maxzoom=manifest.maxzoom,
        quadkey_zoom=manifest.quadkey_zoom,
        bounds=manifest.bounds,
        asset_type=cast("str | None", kept.get("asset_type")),
        data_type="other" if dtype is not None and dtype not in DATA_TYPES else dtype,
        colormap=None if profile is None else profile.palette,
        layers=cast("JsonObject | None", kept.get("layers")),
        tiles={},
        extra={key: value for key, value in kept.items() if key not in _KEPT},
    )
