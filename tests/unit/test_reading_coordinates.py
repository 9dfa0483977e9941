"""Coordinates of a GeoBox in a raster's CRS: vectors or interpolation, and how near to exact they are."""

import numpy as np
import pytest

from quadmosaic.domain import grids
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.grids import Tile
from quadmosaic.reading.coordinates import coordinates
from quadmosaic.reading.positions import centres, to_raster_crs

DEGREE = 3396190 * np.pi / 180
MERCATOR, EQUIRECTANGULAR, GEOGRAPHIC, POLAR = "IAU_2015:49990", "IAU_2015:49910", "IAU_2015:49900", "IAU_2015:49930"
SINUSOIDAL = "+proj=sinu +lon_0=70 +R=3396190"
AROUND_180 = "+proj=eqc +lat_ts=40 +lon_0=180 +R=3393833"
BOX = (72 * DEGREE, 11 * DEGREE, 76 * DEGREE, 15 * DEGREE)


def off_by(box: GeoBox, crs: str) -> tuple[float, bool]:
    """The largest distance from the exact coordinates in steps between pixels, and whether they are separable."""
    found = coordinates(box, crs)
    exact_x, exact_y = to_raster_crs(box, crs, *np.meshgrid(*centres(box)))
    np.testing.assert_array_equal(np.isnan(found.x) | np.isnan(found.y), np.isnan(exact_x))
    step = np.nanmedian(np.hypot(np.diff(exact_x, axis=1), np.diff(exact_y, axis=1)))
    return float(np.nanmax(np.hypot(found.x - exact_x, found.y - exact_y)) / step), found.separable


@pytest.mark.parametrize("source", [MERCATOR, EQUIRECTANGULAR])
@pytest.mark.parametrize("target", [MERCATOR, EQUIRECTANGULAR, GEOGRAPHIC, AROUND_180, "+proj=cea +R=3396190"])
def test_cylindrical_maps_are_separable_and_exact(source: str, target: str) -> None:
    off, separable = off_by(GeoBox(source, BOX, 256, 256), target)
    assert separable
    assert off < 1e-6


@pytest.mark.parametrize("crs", [POLAR, SINUSOIDAL, "+proj=tmerc +lon_0=75 +R=3396190"])
def test_the_same_crs_is_separable_whatever_its_name(crs: str) -> None:
    off, separable = off_by(
        GeoBox(crs, (1e5, 1e5, 2e5, 2e5), 64, 64),
        crs + " +no_defs" if "+" in crs else "+proj=stere +lat_0=90 +R=3396190",
    )
    assert separable
    assert off < 1e-6


@pytest.mark.parametrize("zoom", [2, 4, 7, 10, 14])
@pytest.mark.parametrize("target", [SINUSOIDAL, POLAR, "+proj=laea +lat_0=20 +lon_0=70 +R=3396190"])
@pytest.mark.parametrize("grid_id", ["MarsMercatorSphere", "MarsNorthPolarSphere", "MarsEquidistantCylindricalSphere"])
def test_interpolated_maps_keep_their_error_bound(grid_id: str, target: str, zoom: int) -> None:
    grid = grids.load(grid_id)
    x, y = grid.project(np.array([73.0]), np.array([61.0]))
    left, top = grid.origin
    tile = Tile(int((x[0] - left) // grid.cell_size(zoom)), int((top - y[0]) // grid.cell_size(zoom)), zoom)
    off, _ = off_by(grid.geobox(tile), target)
    assert off < 1e-3


@pytest.mark.parametrize(
    ("box", "crs"),
    [
        (GeoBox(POLAR, (-3e5, -2e5, 2e5, 3e5), 128, 128), GEOGRAPHIC),
        (GeoBox(POLAR, (-4e5, -4e5, -3e5, -3e5), 128, 128), "+proj=longlat +lon_0=130 +R=3396190"),
        (GeoBox(GEOGRAPHIC, (-180, -90, 180, 90), 128, 64), POLAR),
        (GeoBox("+proj=ortho +lat_0=40 +lon_0=20 +R=3396190", (-4e6, -4e6, 4e6, 4e6), 64, 64), GEOGRAPHIC),
    ],
)
def test_over_poles_seams_and_the_edge_of_a_globe_they_are_exact(box: GeoBox, crs: str) -> None:
    assert off_by(box, crs)[0] < 1e-3


def test_beyond_the_poles_there_are_none() -> None:
    box = GeoBox(GEOGRAPHIC, (10, 80, 30, 100), 64, 64)
    found = coordinates(box, MERCATOR)
    assert np.isnan(found.y[:32]).all()
    assert np.isfinite(found.y[33:]).all()
