"""What every reader owes: pixels in their true places, whatever the two CRSs and the way longitudes are written.

The rasters hold their own longitude and latitude, so that a layer can be checked against its GeoBox by arithmetic.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyproj
import pytest
from readers import READERS, read_layer

from quadmosaic.domain import bodies, grids
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.grids import Tile
from quadmosaic.ports import GranuleReader
from rasters import ground_distance, write_degrees, write_raster

EQUIRECTANGULAR = "MarsEquidistantCylindricalSphere"
MERCATOR = "MarsMercatorSphere"
POLAR = "MarsNorthPolarSphere"
DEGREE = 3396190 * np.pi / 180
"""Metres per degree of arc on Mars."""
MARS_POLAR = (-1.2e6, -1.2e6, 1.2e6, 1.2e6)


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Iterator[GranuleReader]:
    reader = READERS[request.param]()
    yield reader
    reader.close()


def true_degrees(box: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of the pixel centres; infinite outside the projection's domain."""
    dx, dy = box.resolution
    x, y = np.meshgrid(
        box.bounds[0] + (np.arange(box.width) + 0.5) * dx, box.bounds[3] - (np.arange(box.height) + 0.5) * dy
    )
    crs = pyproj.CRS(box.crs)
    body = bodies.body_of(crs)
    assert body is not None
    lon, lat = pyproj.Transformer.from_crs(crs, bodies.geographic_crs(body), always_xy=True).transform(x, y)
    return lon, lat


async def check_places(
    reader: GranuleReader, path: Path, box: GeoBox, *, pixel: float, kernel: str = "nearest"
) -> np.ndarray:
    """Check that every valid pixel is in its place; the mask.

    `pixel` is the side of a raster pixel in degrees of arc. Half its diagonal is what nearest may be off; a kernel
    interpolates these even fields to a tenth, but not where longitude jumps.
    """
    layer = await read_layer(reader, path, box, resampling=kernel, reproject=kernel)
    lon, lat = true_degrees(box)
    compared = layer.mask if kernel == "nearest" else layer.mask & (np.abs(lon) < 180 - 2 * pixel)
    off = ground_distance((layer.bands[0][compared], layer.bands[1][compared]), (lon[compared], lat[compared]))
    assert off.size == 0 or off.max() <= (0.75 if kernel == "nearest" else 0.1) * pixel
    return layer.mask


async def test_a_raster_written_0_to_360_serves_the_whole_body(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_degrees(tmp_path / "a.tif", crs="IAU_2015:49900", bounds=(0, -90, 360, 90), size=(720, 360))
    for grid_id in (EQUIRECTANGULAR, MERCATOR):
        grid = grids.load(grid_id)
        width, height = grid.matrix_size(1)
        for x in range(width):
            for y in range(height):
                assert (await check_places(reader, path, grid.geobox(Tile(x, y, 1), size=64), pixel=0.5)).all()


@pytest.mark.parametrize(
    ("crs", "bounds"),
    [
        ("IAU_2015:49900", (150.0, -20.0, 210.0, 20.0)),
        ("IAU_2015:49900", (-210.0, -20.0, -150.0, 20.0)),
        ("IAU_2015:49915", (-30 * DEGREE, -20 * DEGREE, 30 * DEGREE, 20 * DEGREE)),
        ("IAU_2015:49910", (150 * DEGREE, -20 * DEGREE, 210 * DEGREE, 20 * DEGREE)),
        ("+proj=eqc +lat_ts=40 +lon_0=180 +R=3396190", (-1.4e6, -20 * DEGREE, 1.4e6, 20 * DEGREE)),
        ("+proj=sinu +lon_0=180 +R=3396190", (-30 * DEGREE, -20 * DEGREE, 30 * DEGREE, 20 * DEGREE)),
    ],
)
@pytest.mark.parametrize("kernel", ["nearest", "bilinear"])
async def test_a_raster_across_180_serves_both_sides(
    reader: GranuleReader, tmp_path: Path, crs: str, bounds: tuple[float, float, float, float], kernel: str
) -> None:
    path = write_degrees(tmp_path / "a.tif", crs=crs, bounds=bounds, size=(300, 200))
    across = GeoBox("IAU_2015:49900", (170.0, -15.0, 190.0, 15.0), 64, 96)
    assert (await check_places(reader, path, across, pixel=0.3, kernel=kernel)).all()
    for west, east in ((160.0, 180.0), (-180.0, -160.0)):
        for crs_id, unit in (("IAU_2015:49900", 1.0), ("IAU_2015:49910", DEGREE)):
            box = GeoBox(crs_id, (west * unit, -15 * unit, east * unit, 15 * unit), 64, 96)
            assert (await check_places(reader, path, box, pixel=0.3, kernel=kernel)).all()


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "average"])
async def test_a_tile_over_the_seam_of_a_raster_gets_both_its_ends(
    reader: GranuleReader, tmp_path: Path, kernel: str
) -> None:
    path = write_degrees(tmp_path / "a.tif", crs="IAU_2015:49900", bounds=(0, -90, 360, 90), size=(720, 360))
    box = GeoBox("IAU_2015:49910", (-20 * DEGREE, -10 * DEGREE, 20 * DEGREE, 10 * DEGREE), 128, 64)
    layer = await read_layer(reader, path, box, resampling=kernel, reproject=kernel)
    assert layer.mask.all()
    assert layer.bands[0].min() < -19
    assert layer.bands[0].max() > 19
    off = ground_distance((layer.bands[0], layer.bands[1]), true_degrees(box))
    assert off.max() <= 0.75 * 0.5


async def test_pixels_beyond_180_come_from_the_other_end(reader: GranuleReader, tmp_path: Path) -> None:
    """A tile's first column lies beyond 180, the others before it: an average must not span what is between them."""
    rows = np.broadcast_to(np.arange(100.0, dtype=np.float32)[:, None], (1, 100, 200))
    ends = np.where(np.arange(200) < 100, 0, 1000).astype(np.float32) + rows
    path = write_raster(tmp_path / "a.tif", ends, crs="IAU_2015:49900", bounds=(-180, -45, 180, 45))
    box = GeoBox("IAU_2015:49910", (-185 * DEGREE, -10 * DEGREE, -155 * DEGREE, 10 * DEGREE), 6, 4)
    layer = await read_layer(reader, path, box, resampling="average", reproject="average")
    assert layer.mask.all()
    assert (layer.bands[0, :, 0] > 1000).all()
    assert (layer.bands[0, :, 1:] < 100).all()


@pytest.mark.parametrize(
    "crs",
    [
        "+proj=eqc +lat_ts=10 +R=3395582.027 +units=m +no_defs",
        "+proj=eqc +lat_ts=20 +lon_0=180 +R=3393833.2607584 +no_defs",
        "+proj=sinu +lon_0=70 +R=3396190",
        "+proj=merc +R=3396190",
        "+proj=laea +lat_0=10 +lon_0=75 +R=3396190",
        "+proj=tmerc +lon_0=77 +R=3396190",
        "IAU_2015:49900",
    ],
)
@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic"])
async def test_projections_and_local_radii_of_a_body_agree_by_longitude_and_latitude(
    reader: GranuleReader, tmp_path: Path, crs: str, kernel: str
) -> None:
    around = pyproj.Transformer.from_crs(pyproj.CRS(crs).geodetic_crs, crs, always_xy=True)
    x, y = around.transform([76.0, 79.0], [17.0, 19.0])
    path = write_degrees(tmp_path / "a.tif", crs=crs, bounds=(x[0], y[0], x[1], y[1]), size=(300, 200))
    box = GeoBox("IAU_2015:49990", (76.8 * DEGREE, 17.8 * DEGREE, 77.8 * DEGREE, 18.6 * DEGREE), 100, 80)
    assert (await check_places(reader, path, box, pixel=0.015, kernel=kernel)).all()


async def test_a_polar_raster_fills_cylindrical_tiles_up_to_the_pole(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_degrees(tmp_path / "a.tif", crs="IAU_2015:49930", bounds=MARS_POLAR, size=(400, 400))
    pixel = 2.4e6 / 400 / DEGREE
    for west in (-180.0, -60.0, 60.0):
        top = GeoBox("IAU_2015:49910", (west * DEGREE, 75 * DEGREE, (west + 120) * DEGREE, 90 * DEGREE), 96, 64)
        assert (await check_places(reader, path, top, pixel=1.1 * pixel)).all()
    half = grids.load(EQUIRECTANGULAR).geobox(Tile(0, 0, 1), size=128)
    mask = await check_places(reader, path, half, pixel=1.1 * pixel)
    assert mask[0].all()
    assert not mask[-1].any()


async def test_a_cylindrical_raster_fills_polar_tiles_over_the_pole(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_degrees(tmp_path / "a.tif", crs="IAU_2015:49900", bounds=(-180, 60, 180, 90), size=(1440, 120))
    box = GeoBox("IAU_2015:49930", (-5e5, -4e5, 4e5, 5e5), 128, 128)
    assert (await check_places(reader, path, box, pixel=0.25 * 1.1)).all()
    grid = grids.load(POLAR)
    assert (await check_places(reader, path, grid.geobox(Tile(1, 1, 2), size=64), pixel=0.25 * 1.5)).any()


async def test_places_that_a_projection_cannot_show_are_masked(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_degrees(tmp_path / "a.tif", crs="IAU_2015:49900", bounds=(-180, -90, 180, 90), size=(720, 360))
    globe = GeoBox("+proj=ortho +lat_0=40 +lon_0=20 +R=3396190", (-4e6, -4e6, 4e6, 4e6), 64, 64)
    mask = await check_places(reader, path, globe, pixel=0.55)
    x, y = (np.indices((64, 64)) + 0.5 - 32) * (8e6 / 64)
    np.testing.assert_array_equal(mask, np.hypot(x, y) <= 3396190)
    sinusoidal = GeoBox("+proj=sinu +R=3396190", (-1.2e7, -6e6, 1.2e7, 6e6), 128, 64)
    mask = await check_places(reader, path, sinusoidal, pixel=0.55)
    assert not mask[:5, :20].any()
    assert mask[32].sum() >= 110


async def test_a_globe_seen_from_space_is_placed_on_a_map(reader: GranuleReader, tmp_path: Path) -> None:
    crs = "+proj=ortho +lat_0=0 +lon_0=-120 +R=3396190"
    path = write_degrees(tmp_path / "a.tif", crs=crs, bounds=(-3.4e6, -3.4e6, 3.4e6, 3.4e6), size=(400, 400))
    grid = grids.load(EQUIRECTANGULAR)
    west = await check_places(reader, path, grid.geobox(Tile(0, 0, 1), size=64), pixel=6.0)
    assert west.mean() > 0.4
    assert not (await check_places(reader, path, grid.geobox(Tile(3, 0, 2), size=64), pixel=6.0))[:, 50:].all()


async def test_a_south_up_raster_is_placed_the_right_way_up(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_degrees(
        tmp_path / "a.tif", crs="IAU_2015:49900", bounds=(70, 10, 90, 30), size=(200, 200), south_up=True
    )
    box = GeoBox("IAU_2015:49990", (75 * DEGREE, 15 * DEGREE, 85 * DEGREE, 24 * DEGREE), 64, 64)
    for kernel in ("nearest", "bilinear"):
        assert (await check_places(reader, path, box, pixel=0.1, kernel=kernel)).all()


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:3857", "EPSG:4326", "EPSG:3035"])
@pytest.mark.parametrize("grid_id", ["WebMercatorQuad", "WGS1984Quad"])
async def test_earth_rasters_serve_earth_grids(reader: GranuleReader, tmp_path: Path, crs: str, grid_id: str) -> None:
    around = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = around.transform([14.0, 16.0], [47.0, 48.5])
    path = write_degrees(tmp_path / "a.tif", crs=crs, bounds=(x[0], y[0], x[1], y[1]), size=(400, 400))
    grid = grids.load(grid_id)
    gx, gy = grid.project(np.array([15.0]), np.array([47.7]))
    left, top = grid.origin
    tile = Tile(int((gx[0] - left) // grid.cell_size(9)), int((top - gy[0]) // grid.cell_size(9)), 9)
    assert (await check_places(reader, path, grid.geobox(tile, size=64), pixel=0.008)).all()
