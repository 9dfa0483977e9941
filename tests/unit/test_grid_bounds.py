"""Boxes given in degrees, on grids of every kind."""

import numpy as np
import pytest

from quadmosaic.domain import grids
from quadmosaic.domain.grid_bounds import bounds_on, tiles_within

MARS = 3396190.0
JEZERO = (76.5, 17.25, 78.5, 19.5)


def test_cylindrical_bounds_are_metres_along_the_equator() -> None:
    box = bounds_on(JEZERO, grids.load("MarsEquidistantCylindricalSphere"))
    assert box == pytest.approx([np.radians(edge) * MARS for edge in JEZERO])


def test_bounds_are_cut_at_the_edge_of_the_grid() -> None:
    grid = grids.load("MarsMercatorSphere")
    assert bounds_on((-180, -90, 180, 90), grid) == pytest.approx(grid.bounds)


def test_a_box_around_the_pole_reaches_as_far_on_all_sides() -> None:
    grid = grids.load("MarsNorthPolarSphere")
    x, y = grid.project(np.array([0.0, 90.0, 180.0, -90.0]), np.full(4, 85.0))
    assert bounds_on((-180, 85, 180, 90), grid) == pytest.approx((x.min(), y.min(), x.max(), y.max()), rel=1e-4)


def test_a_sector_bulges_beyond_its_corners() -> None:
    grid = grids.load("MarsNorthPolarSphere")
    corners_x, corners_y = grid.project(np.array([-45.0, 45.0]), np.array([85.0, 85.0]))
    _, tip_y = grid.project(np.array([0.0]), np.array([85.0]))
    box = bounds_on((-45, 85, 45, 88), grid)
    assert box is not None
    reach = max(abs(box[1] - corners_y.mean()), abs(box[3] - corners_y.mean()))
    assert reach >= abs(tip_y[0] - corners_y.mean()) * 0.999
    assert box[2] - box[0] == pytest.approx(np.ptp(corners_x), rel=1e-3)


@pytest.mark.parametrize("tms", ["MarsNorthPolarSphere", "MarsSouthPolarSphere"])
def test_an_equatorial_box_has_no_place_on_a_polar_grid(tms: str) -> None:
    assert bounds_on(JEZERO, grids.load(tms)) is None


def test_tiles_end_where_the_box_ends() -> None:
    grid = grids.load("MarsGeographicSphere")
    tiles = tiles_within((-90.0, 0.0, 0.0, 45.0), grid, 2)
    assert (tiles.min_column, tiles.max_column) == (2, 3)
    assert (tiles.min_row, tiles.max_row) == (1, 1)


def test_tiles_of_the_whole_grid_are_all_of_them() -> None:
    grid = grids.load("MarsGeographicSphere")
    tiles = tiles_within(grid.bounds, grid, 3)
    assert (tiles.min_column, tiles.max_column, tiles.min_row, tiles.max_row) == (0, 15, 0, 7)
