"""Footprints: every way to write an outline gives the same kind of area."""

import math

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.footprints import normalise, outline
from quadmosaic.domain.granules import Bounds, JsonObject

MARS = 3396190.0
HALF = math.pi * MARS


def polygon(*points: tuple[float, ...]) -> JsonObject:
    return {"type": "Polygon", "coordinates": [[list(point) for point in (*points, points[0])]]}


def rectangle(west: float, south: float, east: float, north: float) -> JsonObject:
    return polygon((west, south), (east, south), (east, north), (west, north))


def boxes(*bounds: Bounds) -> shapely.Geometry:
    return shapely.union_all([shapely.box(*each) for each in bounds])


WORLD = (-180.0, -90.0, 180.0, 90.0)
ACROSS = boxes((170, 10, 180, 20), (-180, 10, -170, 20))

CASES: dict[str, tuple[JsonObject, shapely.Geometry, tuple[str, ...]]] = {
    "plain": (rectangle(10, 10, 20, 20), boxes((10, 10, 20, 20)), ()),
    "clockwise": (polygon((10, 10), (10, 20), (20, 20), (20, 10)), boxes((10, 10, 20, 20)), ()),
    "3d": (polygon((0, 0, 9), (9, 0, 9), (9, 9, 9), (0, 9, 9)), boxes((0, 0, 9, 9)), ("3d",)),
    "eastern longitudes": (rectangle(200, 0, 220, 10), boxes((-160, 0, -140, 10)), ("0..360",)),
    "around the prime meridian in 0..360": (rectangle(350, 0, 370, 10), boxes((-10, 0, 10, 10)), ("0..360",)),
    "170 to 190": (rectangle(170, 10, 190, 20), ACROSS, ("antimeridian",)),
    "-190 to -170": (rectangle(-190, 10, -170, 20), ACROSS, ("antimeridian",)),
    "170 to -170": (rectangle(170, 10, -170, 20), ACROSS, ("antimeridian",)),
    "whole world": (rectangle(*WORLD), boxes(WORLD), ()),
    "whole world in 0..360": (rectangle(0, -90, 360, 90), boxes(WORLD), ("0..360",)),
    "a band around the world": (rectangle(-180, -60, 180, 60), boxes((-180, -60, 180, 60)), ()),
    "a band with a ragged edge": (
        polygon((-180, -60), (180, -60), (180, 60), (90, 50), (0, 60)),
        shapely.Polygon([(-180, -60), (180, -60), (180, 60), (90, 50), (0, 60)]),
        (),
    ),
    "touches 180": (rectangle(170, 0, 180, 10), boxes((170, 0, 180, 10)), ()),
    "touches -180": (rectangle(-180, 0, -170, 10), boxes((-180, 0, -170, 10)), ()),
    "touches 180, written -180": (rectangle(170, 0, -180, 10), boxes((170, 0, 180, 10)), ("antimeridian",)),
    "touches 180, written both ways": (
        polygon((170, 0), (180, 0), (-180, 10), (170, 10)),
        boxes((170, 0, 180, 10)),
        ("antimeridian",),
    ),
    "around the north pole": (polygon((0, 80), (90, 80), (180, 80), (-90, 80)), boxes((-180, 80, 180, 90)), ("pole",)),
    "around it clockwise": (polygon((0, 80), (-90, 80), (180, 80), (90, 80)), boxes((-180, 80, 180, 90)), ("pole",)),
    "around it in 0..360": (
        polygon((0, 80), (90, 80), (180, 80), (270, 80), (360, 80)),
        boxes((-180, 80, 180, 90)),
        ("pole", "closed"),
    ),
    "around the south pole": (
        polygon((0, -80), (90, -80), (180, -80), (-90, -80)),
        boxes((-180, -90, 180, -80)),
        ("pole",),
    ),
    "a cap closed already": (rectangle(-180, 80, 180, 90), boxes((-180, 80, 180, 90)), ()),
    "with its tip at a pole": (polygon((0, 80), (90, 80), (40, 90)), boxes((0, 80, 90, 90)), ("pole",)),
    "repeated vertices": (polygon((0, 0), (0, 0), (9, 0), (9, 9), (9, 9), (0, 9)), boxes((0, 0, 9, 9)), ()),
}


@pytest.mark.parametrize("name", CASES)
def test_an_outline_means_one_area_however_it_is_written(name: str) -> None:
    geometry, expected, changes = CASES[name]
    footprint, made = normalise(geometry)
    assert footprint.equals(expected), footprint
    assert set(made) <= set(changes) | {"closed"}
    assert set(changes) - {"closed"} <= set(made)
    assert well_formed(footprint)


def well_formed(footprint: shapely.Geometry) -> bool:
    west, south, east, north = footprint.bounds
    shells = shapely.get_exterior_ring(shapely.get_parts(footprint))
    return bool(
        footprint.is_valid
        and footprint.geom_type in ("Polygon", "MultiPolygon")
        and not footprint.has_z
        and (-180 <= west <= east <= 180)
        and (-90 <= south <= north <= 90)
        and shapely.is_ccw(shells).all()
    )


def test_an_open_ring_is_closed() -> None:
    footprint, changes = normalise({"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 9]]]})
    assert footprint.equals(shapely.box(0, 0, 9, 9))
    assert changes == ("closed",)


def test_a_ring_that_crosses_itself_keeps_both_its_lobes() -> None:
    footprint, changes = normalise(polygon((0, 0), (10, 10), (10, 0), (0, 10)))
    assert footprint.area == pytest.approx(50)
    assert changes == ("repaired",)


def test_an_area_split_at_180_already_stays_as_it_is() -> None:
    footprint, changes = normalise(shapely.geometry.mapping(ACROSS))
    assert footprint.equals(ACROSS)
    assert changes == ()


def test_a_hole_across_180_stays_a_hole() -> None:
    geometry = rectangle(170, 10, -170, 20)
    geometry["coordinates"] += rectangle(178, 12, -178, 14)["coordinates"]  # type: ignore[operator]
    footprint, _ = normalise(geometry)
    assert footprint.area == pytest.approx(200 - 8)
    assert not footprint.contains(shapely.Point(-179, 13))


def test_a_ring_around_a_pole_may_have_a_hole_around_it() -> None:
    outer, inner = (polygon((0, lat), (90, lat), (180, lat), (-90, lat))["coordinates"] for lat in (70, 80))
    footprint, _ = normalise({"type": "Polygon", "coordinates": [*outer, *inner]})  # type: ignore[misc]
    assert footprint.equals(shapely.box(-180, 70, 180, 80))


def test_overlapping_members_of_a_multipolygon_become_one_area() -> None:
    one, other = rectangle(0, 0, 10, 10)["coordinates"], rectangle(5, 0, 15, 10)["coordinates"]
    footprint, changes = normalise({"type": "MultiPolygon", "coordinates": [one, other]})
    assert footprint.equals(shapely.box(0, 0, 15, 10))
    assert changes == ("repaired",)


def test_a_collection_keeps_its_polygons() -> None:
    members = [rectangle(0, 0, 10, 10), {"type": "LineString", "coordinates": [[10, 0], [20, 0]]}]
    footprint, changes = normalise({"type": "GeometryCollection", "geometries": members})  # type: ignore[dict-item]
    assert footprint.equals(shapely.box(0, 0, 10, 10))
    assert changes == ("repaired",)


@pytest.mark.parametrize(
    ("geometry", "word"),
    [
        (None, "null"),
        ({"type": "Point", "coordinates": [0, 0]}, "Point"),
        ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, "LineString"),
        ({"type": "Polygon"}, "coordinates"),
        ({"type": "Polygon", "coordinates": []}, "coordinates"),
        ({"type": "Polygon", "coordinates": [[]]}, "coordinates"),
        ({"type": "Polygon", "coordinates": [5]}, "coordinates"),
        ({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [0, 0]}]}, "area"),
        ({"type": "GeometryCollection"}, "geometries"),
        (polygon((0, 0), (1, 1)), "three"),
        (polygon((0, 0), (1, 1), (2, 2)), "area"),
        (polygon((0, 0), (math.nan, 1), (2, 0)), "finite"),
        (polygon((0, 0), (math.inf, 1), (2, 0)), "finite"),
        (polygon((0, 0), (10**400, 1), (2, 0)), "number"),
        (polygon((0, 0), (1, 91), (2, 0)), "latitude of 91"),
        (polygon((4500000, 0), (1, 1), (2, 0)), "longitude of 4.5e+06"),
        ({"type": "Polygon", "coordinates": [[["0", "0"], ["1", "0"], ["1", "1"]]]}, "position"),
        ({"type": "Polygon", "coordinates": [[[True, False], [1, 0], [1, 1]]]}, "position"),
        ({"type": "Polygon", "coordinates": [[[0], [1], [2]]]}, "position"),
        ({"type": "Polygon", "coordinates": [[None, [1, 0], [1, 1]]]}, "position"),
        (["Polygon"], "object"),
    ],
)
def test_what_is_no_area_is_refused_in_words(geometry: JsonObject | None, word: str) -> None:
    with pytest.raises(Invalid, match="geometry: ") as refused:
        normalise(geometry)
    assert refused.value.field == "geometry"
    assert word in refused.value.message


longitudes = st.one_of(st.floats(-200, 380), st.sampled_from([-180.0, 180.0, 0.0, 360.0, 170.0, 190.0, -170.0]))
latitudes = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 0.0]))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(longitudes, latitudes), min_size=3, max_size=8))
def test_normalising_again_changes_nothing(points: list[tuple[float, float]]) -> None:
    try:
        footprint, _ = normalise(polygon(*points))
    except Invalid:
        return
    again, changes = normalise(shapely.geometry.mapping(footprint))
    assert well_formed(footprint)
    assert changes == ()
    assert again.equals(footprint)


@given(st.floats(-180, 179), st.floats(0.5, 150), st.floats(-89, 80), st.integers(-1, 1))
def test_a_box_anywhere_keeps_its_width(west: float, width: float, south: float, turn: int) -> None:
    footprint, _ = normalise(rectangle(west + 360 * turn, south, west + width + 360 * turn, south + 9))
    assert footprint.area == pytest.approx(width * 9)


@pytest.mark.parametrize(
    ("crs", "bounds", "expected"),
    [
        ("IAU_2015:49900", (0, -90, 360, 90), WORLD),
        ("IAU_2015:49900", (-180.05, -90.05, 180.05, 90.05), WORLD),
        ("IAU_2015:49900", (200, 0, 210, 10), (-160, 0, -150, 10)),
        ("IAU_2015:49910", (-HALF, -HALF / 2, HALF, HALF / 2), WORLD),
        ("IAU_2015:49915", (-HALF, -HALF / 2, HALF, HALF / 2), WORLD),
        ("IAU_2015:49915", (HALF / 2, 0, HALF, HALF / 4), (-90, 0, 0, 45)),
        ("+proj=sinu +R=3396190", (-HALF, -HALF / 2, HALF, HALF / 2), WORLD),
        ("+proj=moll +R=3396190", (-1e7, -5e6, 1e7, 5e6), WORLD),
        ("+proj=ortho +R=3396190", (-MARS, -MARS, MARS, MARS), (-90, -90, 90, 90)),
        ("EPSG:4807", (0, 40, 10, 50), (2.33722917, 36, 11.33722917, 45)),
    ],
)
def test_an_outline_is_the_rectangle_on_the_body(crs: str, bounds: Bounds, expected: Bounds) -> None:
    area = outline(crs, bounds)
    box = shapely.box(*expected)
    assert area.symmetric_difference(box).area < 1e-3 * box.area
    assert well_formed(area)


@pytest.mark.parametrize(
    ("crs", "bounds"),
    [
        ("IAU_2015:49930", (-1e6, -1e6, 1e6, 1e6)),
        ("IAU_2015:49930", (0, 0, 1e5, 1e5)),
        ("IAU_2015:49930", (0, -1e5, 1e5, 1e5)),
        ("IAU_2015:49930", (-1e5, 1, 1e5, 1e5)),
        ("IAU_2015:49930", (-1e5, -1, 1e5, 1e5)),
        ("IAU_2015:49930", (-9e5, 100, -1e5, 1e6)),
        ("IAU_2015:49935", (-2.3e6, -2.3e6, 2.3e6, 2.3e6)),
        ("IAU_2015:49935", (-1e5, -3e4, 2e5, 0)),
        ("IAU_2015:49935", (1e5, 1e5, 2e5, 2e5)),
        ("IAU_2015:49915", (-1e5, 0, 1e5, 1e5)),
        ("IAU_2015:49990", (HALF - 1e5, 5e6, HALF, 5.1e6)),
        ("EPSG:32601", (1e5, 5e6, 5e5, 5.1e6)),
        ("EPSG:3031", (-3e6, -3e6, 3e6, 3e6)),
        ("+proj=ortho +R=3396190 +lat_0=40 +lon_0=170", (-MARS, -MARS, MARS, MARS)),
        ("+proj=geos +h=35785831 +a=6378137 +rf=298.257 +lon_0=-75", (-5.5e6, -5.5e6, 5.5e6, 5.5e6)),
        ("+proj=geos +h=35785831 +a=6378137 +rf=298.257 +lon_0=170", (3e6, 1e6, 5.5e6, 5.5e6)),
    ],
)
def test_an_outline_holds_just_the_places_that_the_rectangle_holds(crs: str, bounds: Bounds) -> None:
    minx, miny, maxx, maxy = bounds
    width, height = maxx - minx, maxy - miny
    area = outline(crs, bounds)
    assert well_formed(area)
    projection = pyproj.CRS(crs)
    transformer = pyproj.Transformer.from_crs(projection.geodetic_crs, projection, always_xy=True)
    inner_x, inner_y = np.meshgrid(
        np.linspace(minx + 1e-3 * width, maxx - 1e-3 * width, 60),
        np.linspace(miny + 1e-3 * height, maxy - 1e-3 * height, 60),
    )
    lon, lat = transformer.transform(inner_x.ravel(), inner_y.ravel(), direction="INVERSE")
    real = np.isfinite(lon) & away_from_limb(transformer, inner_x.ravel(), inner_y.ravel(), width, height)
    assert real.any()
    assert shapely.intersects_xy(area, lon[real], lat[real]).all()
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(-180, 180, 20_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 20_000)))
    x, y = transformer.transform(lon, lat)
    margin_x, margin_y = 1e-3 * width, 1e-3 * height
    outside = (x < minx - margin_x) | (x > maxx + margin_x) | (y < miny - margin_y) | (y > maxy + margin_y)
    assert not shapely.contains_xy(area, lon[outside], lat[outside]).any()


def away_from_limb(
    transformer: pyproj.Transformer, x: np.ndarray, y: np.ndarray, width: float, height: float
) -> np.ndarray:
    """Near the edge of a disk a pixel is many degrees long."""
    around = [(dx * width / 200, dy * height / 200) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    lons = [transformer.transform(x + dx, y + dy, direction="INVERSE")[0] for dx, dy in around]
    return np.isfinite(lons).all(axis=0)


@pytest.mark.parametrize(
    ("crs", "bounds", "field"),
    [
        ("+proj=geos +h=35785831 +a=6378137 +rf=298.257", (5.4e6, 5.4e6, 5.5e6, 5.5e6), "bounds"),
        ("IAU_2015:49910", (0, 0, 0, 5), "bounds"),
        ("IAU_2015:49910", (0, 0, math.nan, 5), "bounds"),
        ("IAU_2015:49910", (0, HALF, 5, HALF + 5), "bounds"),
        ("no CRS", (0, 0, 1, 1), "crs"),
        ('LOCAL_CS["site",UNIT["metre",1]]', (0, 0, 1, 1), "crs"),
    ],
)
def test_a_rectangle_that_lies_nowhere_is_refused(crs: str, bounds: Bounds, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        outline(crs, bounds)
    assert refused.value.field == field


def test_an_outline_of_a_small_tile_has_few_vertices() -> None:
    assert len(shapely.get_coordinates(outline("EPSG:32632", (4e5, 5e6, 5e5, 5.1e6)))) < 60
