"""Covering: the cells that footprints touch, held against dense sampling on every kind of grid."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from quadmosaic.domain import covering, footprints, grids
from quadmosaic.domain.errors import TooLarge
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.grids import Grid, Tile

MERCATOR, CYLINDER, GEOGRAPHIC = "MarsMercatorSphere", "MarsEquidistantCylindricalSphere", "MarsGeographicSphere"
NORTH, SOUTH = "MarsNorthPolarSphere", "MarsSouthPolarSphere"


def footprint(*points: tuple[float, float]) -> shapely.Geometry:
    return footprints.normalise({"type": "Polygon", "coordinates": [[list(p) for p in (*points, points[0])]]})[0]


def rectangle(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    return footprint((west, south), (east, south), (east, north), (west, north))


def sampled_cells(area: shapely.Geometry, grid: Grid, zoom: int, samples: int = 24) -> set[str]:
    """Cells that have one of samples x samples points (well inside the cell) in the area."""
    width, height = grid.matrix_size(zoom)
    side, (left, top) = grid.cell_size(zoom), grid.origin
    across = (np.arange(width * samples) + 0.5) / samples
    down = (np.arange(height * samples) + 0.5) / samples
    column, row = (each.ravel() for each in np.meshgrid(across, down))
    lon, lat = grid.unproject(left + column * side, top - row * side)
    inside = np.isfinite(lon) & shapely.intersects_xy(area, lon, lat)
    found = set(zip(column[inside].astype(int).tolist(), row[inside].astype(int).tolist(), strict=True))
    return {grid.quadkey(Tile(x=x, y=y, z=zoom)) for x, y in found}


AREAS = {
    "strip": footprint((76.1, 15.0), (76.7, 15.1), (77.0, 19.8), (76.4, 19.7)),
    "large": rectangle(-120, -50, 30, 62),
    "triangle": footprint((-100, -60), (40, -20), (-30, 75)),
    "across 180": rectangle(150, -30, -160, 40),
    "touching 180": rectangle(135, 0, 180, 45),
    "around the north pole": footprint((0, 84), (90, 81), (180, 84), (-90, 79)),
    "around the south pole": footprint((0, -84), (90, -81), (180, -84), (-90, -79)),
    "near the pole": rectangle(10, 85, 100, 89),
    "across 180 near the pole": rectangle(100, 82, -100, 89.5),
    "the north": rectangle(-180, 60, 180, 90),
    "the world": rectangle(-180, -90, 180, 90),
    "a frame": rectangle(-100, -40, 100 - 30, 40).difference(rectangle(-80, -20, 40, 20)),
    "an ell": footprint((0, 0), (60, 0), (60, 10), (10, 10), (10, 60), (0, 60)),
}


@pytest.mark.parametrize("grid_id", [MERCATOR, CYLINDER, GEOGRAPHIC, NORTH, SOUTH])
@pytest.mark.parametrize("name", AREAS)
def test_a_footprint_is_in_the_cells_it_touches_and_no_others(name: str, grid_id: str) -> None:
    grid, area = grids.load(grid_id), AREAS[name]
    for zoom in (0, 1, 2, 4):
        covered = set(covering.cover([area], grid, zoom))
        sampled = sampled_cells(area, grid, zoom)
        assert sampled <= covered
        slivers = covered - sampled
        assert all(touches_a_little(area, grid, grid.tile(key)) for key in slivers)


def touches_a_little(area: shapely.Geometry, grid: Grid, tile: Tile) -> bool:
    """Whether a cell that sampling missed is touched near its edge, by points hundreds to a side."""
    minx, miny, maxx, maxy = grid.tile_bounds(tile)
    near = np.geomspace(1e-5, 0.5, 60)
    steps = np.concatenate((np.linspace(0, 1, 200), near, 1 - near))
    x, y = (each.ravel() for each in np.meshgrid(minx + steps * (maxx - minx), miny + steps * (maxy - miny)))
    lon, lat = grid.unproject(x, y)
    return bool(shapely.intersects_xy(area, lon, lat).any())


def test_a_ring_of_strips_around_the_pole_touches_164_cells() -> None:
    grid = grids.load(NORTH)
    ring = [rectangle(west, 82, west + 10, 88) for west in range(-180, 180, 10)]
    sampled = set().union(*(sampled_cells(area, grid, 4, samples=32) for area in ring))
    cells = covering.cover(ring, grid, 4)
    assert len(cells) == 164
    assert set(cells) == sampled


def test_contact_alone_is_not_touching() -> None:
    grid = grids.load(GEOGRAPHIC)
    assert len(covering.cover([rectangle(0, 0, 22.5, 22.5)], grid, 3)) == 1
    assert len(covering.cover([shapely.box(1e-4, 1e-4, 22.6, 22.5)], grid, 3)) == 2


@pytest.mark.parametrize("grid_id", [MERCATOR, CYLINDER, GEOGRAPHIC])
def test_a_tile_read_back_touches_its_own_cell_alone(grid_id: str) -> None:
    grid = grids.load(grid_id)
    for tile in (Tile(x=0, y=0, z=5), Tile(x=31, y=31, z=5), Tile(x=300, y=170, z=9)):
        area = footprints.outline(grid.wkt, grid.tile_bounds(tile))
        assert list(covering.cover([area], grid, tile.z)) == [grid.quadkey(tile)]
        assert covering.cells_touching(area, grid, tile.z, max_cells=16) == ((grid.quadkey(tile),), tile.z)


def test_keys_are_sorted_and_positions_ascend() -> None:
    areas = [AREAS[name] for name in ("large", "triangle", "the world", "strip", "across 180")]
    cells = covering.cover(areas, grids.load(CYLINDER), 4)
    assert list(cells) == sorted(cells)
    assert all(list(positions) == sorted(set(positions)) for positions in cells.values())
    assert all(2 in positions for positions in cells.values())


def test_a_footprint_split_at_180_is_listed_once_per_cell() -> None:
    grid = grids.load(NORTH)
    cells = covering.cover([AREAS["across 180 near the pole"]], grid, 1)
    assert all(positions == (0,) for positions in cells.values())


def test_a_footprint_outside_the_grid_is_in_no_cell() -> None:
    areas = [rectangle(0, 86, 10, 88), rectangle(0, 0, 1, 1)]
    assert {p for positions in covering.cover(areas, grids.load(MERCATOR), 5).values() for p in positions} == {1}
    assert {p for positions in covering.cover(areas, grids.load(NORTH), 5).values() for p in positions} == {0}
    assert covering.cover([], grids.load(MERCATOR), 5) == {}


def test_a_grid_with_its_seam_elsewhere_is_covered_too() -> None:
    document: JsonObject = json.loads(json.dumps(grids.load(CYLINDER).document))
    document["id"] = "Centred180"
    document["crs"] = {"wkt": wkt_at_180(grids.load(CYLINDER))}
    grid = grids.parse(document)
    for area in (AREAS["large"], AREAS["across 180"], AREAS["the world"], rectangle(-10, -10, 10, 10)):
        assert set(covering.cover([area], grid, 3)) >= sampled_cells(area, grid, 3)
    assert len(covering.cover([rectangle(-10, -10, 10, 10)], grid, 3)) == 4
    assert len(covering.cover([rectangle(170, -10, 190, 10)], grid, 3)) == 4


def wkt_at_180(grid: Grid) -> JsonObject:
    document: JsonObject = json.loads(grid.crs.to_json())
    parameters = document["conversion"]["parameters"]  # type: ignore[index,call-overload]
    next(p for p in parameters if p["name"].startswith("Longitude"))["value"] = 180  # type: ignore[union-attr,index,call-overload]
    return document


def test_too_many_cells_are_refused_before_they_are_counted() -> None:
    with pytest.raises(TooLarge, match="quadkey_zoom"):
        covering.cover([rectangle(-180, -90, 180, 90)], grids.load(CYLINDER), 20)
    with pytest.raises(TooLarge, match="quadkey_zoom"):
        covering.cover([rectangle(-180, -85, 180, 85)] * 3, grids.load(MERCATOR), 5, max_cells=3000)
    assert len(covering.cover([rectangle(-180, -90, 180, 90)], grids.load(MERCATOR), 9)) == 4**9


@pytest.mark.data
def test_the_tutorials_ten_items_give_the_tutorials_mosaic(shared_data: Path) -> None:
    items = json.loads((shared_data / "stac" / "jezero_items.json").read_text())["features"]
    tiles = json.loads((shared_data / "stac" / "seed_mosaic.json").read_text())["tiles"]
    areas = [footprints.normalise(item["geometry"])[0] for item in items]
    cells = covering.cover(areas, grids.load(MERCATOR), 9)
    hrefs = [item["assets"]["image"]["href"] for item in items]
    assert {key: [hrefs[p] for p in positions] for key, positions in cells.items()} == tiles
    assert len(cells) == 20


@pytest.mark.parametrize(
    ("served", "indexed"), list(itertools.product([MERCATOR, CYLINDER, GEOGRAPHIC, NORTH, SOUTH], repeat=2))
)
def test_a_tile_of_any_grid_finds_every_granule_it_shows_in_an_index_on_any_other(served: str, indexed: str) -> None:
    rng = np.random.default_rng(sum(map(ord, served + indexed)))
    server, index_grid = grids.load(served), grids.load(indexed)
    areas = [*random_areas(rng, 25), *AREAS.values()]
    index_zoom = int(rng.integers(2, 6))
    index = covering.cover(areas, index_grid, index_zoom)
    indexed_positions = {p for positions in index.values() for p in positions}
    for zoom in (1, 3, 5):
        width, height = server.matrix_size(zoom)
        for x, y in zip(rng.integers(0, width, 8).tolist(), rng.integers(0, height, 8).tolist(), strict=True):
            tile = Tile(x=x, y=y, z=zoom)
            shown = shown_granules(areas, server, tile, index_grid) & indexed_positions
            area = footprints.outline(server.wkt, server.tile_bounds(tile))
            keys, level = covering.cells_touching(area, index_grid, index_zoom, max_cells=16)
            assert len(keys) <= 16
            assert all(index_grid.tile(key).z == level for key in keys)
            found = {p for cell, positions in index.items() if cell.startswith(keys) for p in positions}
            assert shown <= found, (tile, shown - found)


def random_areas(rng: np.random.Generator, count: int) -> list[shapely.Geometry]:
    areas = []
    for _ in range(count):
        lon, lat = rng.uniform(-180, 180), rng.uniform(-90, 80)
        width, height, skew = rng.uniform(0.2, 60), rng.uniform(0.2, 10), rng.uniform(-5, 5)
        top = min(lat + height, 90)
        areas.append(footprint((lon, lat), (lon + width, lat), (lon + width + skew, top), (lon + skew, top)))
    return areas


def shown_granules(areas: list[shapely.Geometry], server: Grid, tile: Tile, index_grid: Grid) -> set[int]:
    """Positions of the areas that have a pixel of the tile, where the index's grid reaches."""
    minx, miny, maxx, maxy = server.tile_bounds(tile)
    steps = (np.arange(64) + 0.5) / 64
    x, y = (each.ravel() for each in np.meshgrid(minx + steps * (maxx - minx), miny + steps * (maxy - miny)))
    lon, lat = server.unproject(x, y)
    left, bottom, right, top = index_grid.bounds
    x, y = index_grid.project(lon, lat)
    real = np.isfinite(lon) & (x > left) & (x < right) & (y > bottom) & (y < top)
    return {p for p, area in enumerate(areas) if shapely.intersects_xy(area, lon[real], lat[real]).any()}


def test_a_large_area_is_looked_up_by_prefixes() -> None:
    grid = grids.load(MERCATOR)
    keys, zoom = covering.cells_touching(rectangle(-180, -90, 180, 90), grid, 15, max_cells=16)
    assert (len(keys), zoom) == (16, 2)
    keys, zoom = covering.cells_touching(rectangle(-180, -90, 180, 90), grid, 15, max_cells=15)
    assert (len(keys), zoom) == (4, 1)
    assert covering.cells_touching(rectangle(-180, -90, 180, 90), grids.load(CYLINDER), 15, max_cells=1)[1] == 0
    area = rectangle(10.1, 10.1, 12.3, 12.3)
    exact = covering.cells_touching(area, grid, 9, max_cells=100)
    assert exact == (tuple(covering.cover([area], grid, 9)), 9)
    prefixes, zoom = covering.cells_touching(area, grid, 9, max_cells=len(exact[0]) - 1)
    assert zoom == 8
    assert {key[:8] for key in exact[0]} == set(prefixes)


def test_an_area_outside_the_grid_is_looked_up_nowhere() -> None:
    assert covering.cells_touching(rectangle(0, 0, 5, 5), grids.load(NORTH), 6, max_cells=16)[0] == ()


def test_many_small_footprints_are_covered_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    grid = grids.load(MERCATOR)
    areas = random_areas(rng, 60)
    together = covering.cover(areas, grid, 6)
    alone = [set(covering.cover([area], grid, 6)) for area in areas]
    assert {(key, p) for key, positions in together.items() for p in positions} == {
        (key, p) for p, keys in enumerate(alone) for key in keys
    }


@pytest.mark.parametrize("grid_id", ["UTM31WGS84Quad", "EuropeanETRS89_LAEAQuad", "NZTM2000Quad", "WebMercatorQuad"])
def test_grids_of_a_part_of_the_earth_are_covered_where_they_reach(grid_id: str) -> None:
    grid = grids.load(grid_id)
    for area in (rectangle(-10, 30, 20, 60), rectangle(160, -50, 175, -30), rectangle(4, 40, 5, 41)):
        assert sampled_cells(area, grid, 6, samples=4) <= set(covering.cover([area], grid, 6))
