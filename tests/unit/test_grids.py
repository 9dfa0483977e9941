"""Grids and their keys: round trips, prefixes and bounds on every kind of doubling set."""

import json
import math

import morecantile
import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmosaic.domain import bodies, grids
from quadmosaic.domain.errors import Invalid, NotFound
from quadmosaic.domain.grids import Grid, Tile

KINDS = [
    "MarsMercatorSphere",
    "MarsEquidistantCylindricalSphere",
    "MarsEquidistantCylindricalSphereCoalesced",
    "MarsGeographicSphere",
    "MarsNorthPolarSphere",
    "MoonSouthPolarSphere",
    "EuropaGeographicSphereCoalesced",
    "WebMercatorQuad",
    "WGS1984Quad",
]


@st.composite
def grid_and_tile(draw: st.DrawFn) -> tuple[Grid, Tile]:
    grid = grids.load(draw(st.sampled_from(KINDS)))
    zoom = draw(st.integers(0, grid.maxzoom))
    width, height = grid.matrix_size(zoom)
    return grid, Tile(x=draw(st.integers(0, width - 1)), y=draw(st.integers(0, height - 1)), z=zoom)


@given(grid_and_tile())
def test_a_quadkey_leads_back_to_its_tile(case: tuple[Grid, Tile]) -> None:
    grid, tile = case
    assert grid.tile(grid.quadkey(tile)) == tile


@given(grid_and_tile())
def test_the_parent_is_a_prefix(case: tuple[Grid, Tile]) -> None:
    grid, tile = case
    if tile.z:
        parent = Tile(x=tile.x // 2, y=tile.y // 2, z=tile.z - 1)
        assert grid.quadkey(tile)[:-1] == grid.quadkey(parent)


@given(grid_and_tile())
def test_children_fill_their_parent_exactly(case: tuple[Grid, Tile]) -> None:
    grid, tile = case
    if tile.z == grid.maxzoom or grid.coalescing:
        return
    children = [grid.tile(grid.quadkey(tile) + digit) for digit in "0123"]
    edges = np.array([grid.tile_bounds(child) for child in children])
    union = (*edges[:, :2].min(axis=0), *edges[:, 2:].max(axis=0))
    assert union == pytest.approx(grid.tile_bounds(tile), rel=1e-12, abs=grid.root_size * 1e-12)


@given(grid_and_tile())
def test_bounds_equal_morecantiles(case: tuple[Grid, Tile]) -> None:
    grid, tile = case
    reference = morecantile.TileMatrixSet.model_validate(grid.document).xy_bounds(tile)
    assert grid.tile_bounds(tile) == pytest.approx(tuple(reference), rel=1e-9, abs=grid.root_size * 1e-12)


@given(grid_and_tile())
def test_many_quadkeys_equal_one_by_one(case: tuple[Grid, Tile]) -> None:
    grid, tile = case
    assert grid.quadkeys(np.array([tile.x]), np.array([tile.y]), tile.z) == [grid.quadkey(tile)]


@given(grid_and_tile(), grid_and_tile())
def test_two_tiles_of_a_grid_never_share_a_key(one: tuple[Grid, Tile], other: tuple[Grid, Tile]) -> None:
    grid = one[0]
    if other[0] is grid and one[1] != other[1]:
        assert grid.quadkey(one[1]) != grid.quadkey(other[1])


def test_jezero_on_a_two_root_grid_has_its_root_in_front() -> None:
    grid = grids.load("MarsEquidistantCylindricalSphere")
    x, y = grid.project(np.array([77.58]), np.array([18.38]))
    side = grid.cell_size(9)
    tile = Tile(x=int((x[0] - grid.origin[0]) // side), y=int((grid.origin[1] - y[0]) // side), z=9)
    assert grid.quadkey(tile) == "1-033013122"


@pytest.mark.parametrize("key", ["4", "12a", "1-", "1-23", "²", "0" * 25])
def test_a_bad_key_of_a_one_root_grid_is_refused(key: str) -> None:
    with pytest.raises(Invalid) as refusal:
        grids.load("MarsMercatorSphere").tile(key)
    assert refusal.value.field == "quadkey"


@pytest.mark.parametrize("key", ["", "012", "2-012", "-012", "x-012", "1-4"])
def test_a_bad_key_of_a_two_root_grid_is_refused(key: str) -> None:
    with pytest.raises(Invalid):
        grids.load("MarsGeographicSphere").tile(key)


@pytest.mark.parametrize(("tile", "field"), [((0, 0, 30), "z"), ((4, 0, 1), "x"), ((0, 2, 1), "y"), ((-1, 0, 1), "x")])
def test_a_tile_outside_names_the_coordinate(tile: tuple[int, int, int], field: str) -> None:
    x, y, z = tile
    with pytest.raises(Invalid) as refusal:
        grids.load("MarsGeographicSphere").check(Tile(x=x, y=y, z=z))
    assert refusal.value.field == field


def test_one_instance_per_id() -> None:
    assert grids.load("MarsMercatorSphere") is grids.load("MarsMercatorSphere")


def test_a_body_lists_its_own_sound_sets_only() -> None:
    ids = grids.ids("Mars")
    assert "MarsEquidistantCylindricalSphere" in ids
    assert all(name.startswith("Mars") for name in ids)
    assert not [name for name in ids if "Ocentric" in name and "Geographic" not in name]
    assert len(ids) == 16
    assert not set(grids.ids("Europa")) & set(grids.ids("52Europa"))


def test_every_listed_set_of_mars_the_moon_and_europa_covers_what_it_should() -> None:
    for body in ("Mars", "Moon", "Europa"):
        for name in grids.ids(body):
            grid = grids.load(name)
            assert grid.body == body
            if "Polar" in name:
                pole = grid.project(np.array([0.0]), np.array([90.0 if "North" in name else -90.0]))
                minx, miny, maxx, maxy = grid.bounds
                assert minx < pole[0][0] < maxx
                assert miny < pole[1][0] < maxy
            else:
                minx, miny, maxx, maxy = grid.bounds
                inside = 1e-9 * (maxx - minx)
                lon, lat = grid.unproject(np.array([minx + inside, maxx - inside]), np.array([maxy, miny]))
                assert lon == pytest.approx([-180, 180], abs=1e-3)
                assert abs(lat[0]) == pytest.approx(85.05 if "Mercator" in name else 90, abs=0.3)


def test_every_body_has_a_cylindrical_set_that_places_degrees_and_brings_them_back() -> None:
    for body in bodies.names():
        grid = grids.load(f"{body}EquidistantCylindricalSphere")
        x, y = grid.project(np.array([10.0, -170.0]), np.array([40.0, -80.0]))
        lon, lat = grid.unproject(x, y)
        assert (lon, lat) == (pytest.approx([10, -170]), pytest.approx([40, -80])), body


def test_sets_whose_latitudes_are_others_carry_no_spherical_code() -> None:
    for name in ("MarsGeographicOgraphic", "MarsGeographicOcentric", "MarsWebMercatorOgraphic"):
        assert grids.load(name).crs_id is None


def test_authority_codes_give_the_coordinates_of_their_set() -> None:
    codes = {name: grids.load(name).crs_id for name in grids.ids("Mars")}
    assert codes["MarsEquidistantCylindricalSphere"] == "IAU_2015:49910"
    assert codes["MarsGeographicSphere"] == "IAU_2015:49900"
    assert codes["MarsMercatorSphere"] == codes["MarsWebMercatorSphere"] == "IAU_2015:49990"
    assert codes["MarsNorthPolarSphere"] is None
    assert grids.load("WebMercatorQuad").crs_id == "EPSG:3857"


@pytest.mark.parametrize(
    "grid_id", ["", "../v4/MarsMercatorSphere", "WebMercatorQuad.json", "x" * 300, "a\0b", "EuropePolar"]
)
def test_what_is_no_id_reaches_no_file(grid_id: str) -> None:
    with pytest.raises(NotFound):
        grids.load(grid_id)


def test_unknown_and_unsound_ids_are_told_apart() -> None:
    with pytest.raises(NotFound, match="there is no tile matrix set 'Nowhere'"):
        grids.load("Nowhere")
    with pytest.raises(NotFound, match="does not cover its body"):
        grids.load("MarsMercatorOcentric")


def test_a_document_becomes_a_grid() -> None:
    document = json.loads(json.dumps(grids.load("MoonGeographicSphere").document)) | {"id": "Mine"}
    grid = grids.parse(document)
    assert (grid.id, grid.body, grid.root_width, grid.crs_id) == ("Mine", "Moon", 2, "IAU_2015:30100")


def test_a_set_that_does_not_double_is_refused() -> None:
    document = json.loads(json.dumps(grids.load("MarsMercatorSphere").document))
    document["tileMatrices"][3]["matrixWidth"] = 9
    with pytest.raises(Invalid, match="double") as refusal:
        grids.parse(document)
    assert refusal.value.field == "tilematrixset"


@pytest.mark.parametrize("document", [{}, {"id": "x", "crs": "nonsense", "tileMatrices": []}, {"crs": 7}])
def test_what_is_no_set_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refusal:
        grids.parse(document)  # type: ignore[arg-type]
    assert refusal.value.field == "tilematrixset"


def test_latitude_first_origins_are_read_as_such() -> None:
    grid = grids.load("WGS1984Quad")
    assert grid.origin == (-180, 90)


def test_coalesced_tiles_span_their_whole_group() -> None:
    grid = grids.load("MarsGeographicSphereCoalesced")
    first, second = Tile(x=0, y=0, z=1), Tile(x=1, y=0, z=1)
    assert grid.tile_bounds(first) == grid.tile_bounds(second)
    assert grid.tile_bounds(first)[2] - grid.tile_bounds(first)[0] == 2 * grid.cell_size(1)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("MARS", "Mars"),
        ("GCS_Moon_2000", "Moon"),
        ("Equirectangular EUROPA", "Europa"),
        ("52 Europa (2015) - Sphere", "52Europa"),
        ("Hartley 2 (2015)", "Hartley2"),
        ("European Datum 1950", None),
        ("unknown", None),
    ],
)
def test_bodies_are_recognised_by_name(name: str, body: str | None) -> None:
    assert bodies.body_named(name) == body


@pytest.mark.parametrize(
    ("radius", "body"),
    [(3395582.027, "Mars"), (3376200, "Mars"), (1737400, "Moon"), (6371000, "Earth"), (763500, "Rhea"), (1.0, None)],
)
def test_a_nameless_sphere_is_known_by_its_radius(radius: float, body: str | None) -> None:
    assert bodies.body_of(pyproj.CRS(f"+proj=eqc +R={radius} +units=m +no_defs")) == body


def test_a_name_weighs_more_than_a_radius() -> None:
    wkt = pyproj.CRS("+proj=longlat +R=1737400").to_wkt("WKT1_GDAL").replace("unknown", "D_MARS")
    assert bodies.body_of(pyproj.CRS(wkt)) == "Mars"


def test_zoom_for_a_resolution_is_fine_enough_but_not_finer() -> None:
    for name in ("MarsEquidistantCylindricalSphere", "MarsGeographicSphere"):
        grid = grids.load(name)
        zoom = grid.zoom_for(20)
        assert grid.resolution(zoom) * grid.metres_per_unit <= 20 < 2 * grid.resolution(zoom) * grid.metres_per_unit
        assert math.isclose(grid.metres_per_unit, 1 if name.startswith("MarsEq") else 59274.697, rel_tol=1e-6)
