"""GDAL, as Debian ships it and as rasterio bundles it, opens a mosaic as one raster."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
import rasterio
from rasterio.windows import Window, from_bounds

from quadmosaic.domain import grids
from quadmosaic.domain.grid_bounds import bounds_on
from small_mosaics import MARS_NODATA, SmallMosaic

pytestmark = pytest.mark.clients

TMS = "MarsEquidistantCylindricalSphere"
GRIDS = [
    ("Mars", "MarsEquidistantCylindricalSphere"),
    ("Mars", "MarsGeographicSphere"),
    ("Mars", "MarsMercatorSphere"),
    ("Moon", "MoonGeographicSphere"),
    ("Moon", "MoonEquidistantCylindricalSphere"),
    ("Europa", "EuropaEquidistantCylindricalSphere"),
]
PLACES = [
    (4_557_000.0, 1_115_050.0),
    (4_563_333.0, 1_090_000.0),
    (4_580_000.0, 1_080_500.0),
    (4_597_000.0, 1_070_000.0),
]
EMPTY = (4_550_200.0, 1_060_200.0)
"""Inside the mosaic's bounds, under the first strip's leaning edge."""

type Program = Callable[[str], str]


@pytest.fixture
def gdal_file(http: httpx.Client, tmp_path: Path) -> Callable[..., Path]:
    """Saves the file for a mosaic, a grid and a service, as a user would."""

    def save(mosaic: SmallMosaic, tms: str, service: str, **query: str) -> Path:
        answer = http.get(f"/mosaics/{mosaic.name}/{tms}/gdal.xml", params={"service": service, **query})
        assert answer.status_code == 200, answer.text
        path = tmp_path / f"{mosaic.name}-{tms}-{service}.xml"
        path.write_text(answer.text)
        return path

    return save


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr, done.stderr
    return done.stdout


def expected_value(mosaic: SmallMosaic, place: tuple[float, float]) -> float | None:
    """The height of the first strip with data at a place, read by rasterio from the source file."""
    for path in mosaic.files["dtm"]:
        with rasterio.open(path) as source:
            value = float(next(source.sample([place]))[0])
            left, bottom, right, top = source.bounds
            if left < place[0] < right and bottom < place[1] < top and value != source.nodata:
                return value
    return None


def expected_bounds(mosaic: SmallMosaic, tms: str, service: str) -> tuple[float, ...]:
    grid = grids.load(tms)
    if service == "tms":
        return grid.bounds
    box = bounds_on(mosaic.version.manifest.bounds, grid)
    assert box is not None
    return box


@pytest.mark.parametrize("service", ["tms", "wmts"])
@pytest.mark.parametrize(("body", "tms"), GRIDS)
def test_gdalinfo_finds_bounds_and_type(
    program: Program,
    gdal_file: Callable[..., Path],
    small_mosaics: dict[str, SmallMosaic],
    body: str,
    tms: str,
    service: str,
) -> None:
    mosaic = small_mosaics[body]
    described = json.loads(run(program("gdalinfo"), "-json", str(gdal_file(mosaic, tms, service))))
    corners = described["cornerCoordinates"]
    bounds = (*corners["lowerLeft"], *corners["upperRight"])
    pixel = described["geoTransform"][1]
    assert bounds == pytest.approx(expected_bounds(mosaic, tms, service), abs=1.01 * pixel)
    profile = mosaic.version.manifest.assets[0]
    band = described["bands"][0]
    assert band["type"].lower() == profile.dtype
    assert len(described["bands"]) == 1
    if service == "tms":
        assert float(band["noDataValue"]) == pytest.approx(profile.nodata, rel=1e-6)


@pytest.mark.parametrize("service", ["tms", "wmts"])
@pytest.mark.parametrize(("body", "tms"), GRIDS)
def test_rasterio_finds_bounds_and_crs(
    gdal_file: Callable[..., Path], small_mosaics: dict[str, SmallMosaic], body: str, tms: str, service: str
) -> None:
    mosaic = small_mosaics[body]
    with rasterio.open(gdal_file(mosaic, tms, service)) as dataset:
        assert tuple(dataset.bounds) == pytest.approx(expected_bounds(mosaic, tms, service), abs=1.01 * dataset.res[0])
        assert f"{body} (2015)" in dataset.crs.wkt
        assert dataset.dtypes == (mosaic.version.manifest.assets[0].dtype,)


@pytest.mark.parametrize("service", ["tms", "wmts"])
def test_gdal_reads_the_values_of_the_source_files(
    program: Program, gdal_file: Callable[..., Path], small_mars_mosaic: SmallMosaic, service: str
) -> None:
    path = gdal_file(small_mars_mosaic, TMS, service)
    for place in PLACES:
        read = run(program("gdallocationinfo"), "-valonly", "-geoloc", str(path), *map(str, place))
        centre = pixel_centre(path, place)
        assert float(read) == pytest.approx(expected_value(small_mars_mosaic, centre), rel=1e-12)


@pytest.mark.parametrize("service", ["tms", "wmts"])
def test_rasterio_reads_the_values_of_the_source_files(
    gdal_file: Callable[..., Path], small_mars_mosaic: SmallMosaic, service: str
) -> None:
    path = gdal_file(small_mars_mosaic, TMS, service)
    with rasterio.open(path) as dataset:
        values = [float(value[0]) for value in dataset.sample(PLACES)]
    assert values == [expected_value(small_mars_mosaic, pixel_centre(path, place)) for place in PLACES]


def pixel_centre(path: Path, place: tuple[float, float]) -> tuple[float, float]:
    """The middle of the raster's pixel that holds a place: what the service sampled."""
    with rasterio.open(path) as dataset:
        x, y = dataset.xy(*dataset.index(*place))
    return float(x), float(y)


@pytest.mark.parametrize("service", ["tms", "wmts"])
def test_empty_areas_are_nodata_and_never_zero(
    gdal_file: Callable[..., Path], small_mars_mosaic: SmallMosaic, service: str
) -> None:
    with rasterio.open(gdal_file(small_mars_mosaic, TMS, service)) as dataset:
        window = from_bounds(4_550_000, 1_060_000, 4_605_000, 1_120_000, dataset.transform)
        values = dataset.read(1, window=window)
        nodata = dataset.nodata
    assert expected_value(small_mars_mosaic, EMPTY) is None
    assert not (values == 0).any()
    assert 0.05 < (values == MARS_NODATA).mean() < 0.95
    assert nodata == (MARS_NODATA if service == "tms" else None)


def test_tiles_without_data_are_nodata_far_from_the_mosaic(
    gdal_file: Callable[..., Path], small_mars_mosaic: SmallMosaic
) -> None:
    with rasterio.open(gdal_file(small_mars_mosaic, TMS, "tms")) as dataset:
        values = dataset.read(1, window=Window(0, 0, 300, 300), masked=True)
    assert values.mask.all()


def test_overviews_show_the_mosaic_from_afar(gdal_file: Callable[..., Path], small_mars_mosaic: SmallMosaic) -> None:
    with rasterio.open(gdal_file(small_mars_mosaic, TMS, "wmts")) as dataset:
        small = dataset.read(1, out_shape=(dataset.height // 4, dataset.width // 4))
    valid = small[small != MARS_NODATA]
    assert 0.05 < len(valid) / small.size < 0.95
    assert ((valid > -2700) & (valid < -2200)).all()


@pytest.mark.parametrize("service", ["tms", "wmts"])
def test_pictures_have_alpha(gdal_file: Callable[..., Path], small_mars_mosaic: SmallMosaic, service: str) -> None:
    with rasterio.open(gdal_file(small_mars_mosaic, TMS, service, tile_format="png", assets="ortho")) as dataset:
        assert [color.name for color in dataset.colorinterp] == ["red", "green", "blue", "alpha"]
        samples = np.array(list(dataset.sample([*PLACES, EMPTY])))
    assert samples[:, 3].tolist() == [255, 255, 255, 255, 0]


def test_colours_arrive_through_gdal(gdal_file: Callable[..., Path], small_mars_mosaic: SmallMosaic) -> None:
    path = gdal_file(small_mars_mosaic, TMS, "tms", tile_format="png", rescale="-2600,-2300", colormap_name="viridis")
    with rasterio.open(path) as dataset:
        red, green, blue, alpha = next(dataset.sample([PLACES[0]])).tolist()
    assert alpha == 255
    assert len({red, green, blue}) > 1


def test_gdalwarp_makes_a_float_map_of_the_mosaic(
    program: Program, gdal_file: Callable[..., Path], small_mars_mosaic: SmallMosaic, tmp_path: Path
) -> None:
    path, out = gdal_file(small_mars_mosaic, "MarsGeographicSphere", "tms"), tmp_path / "map.tif"
    box = ("76.8", "17.9", "77.6", "18.8")
    run(program("gdalwarp"), "-t_srs", "IAU_2015:49910", "-te_srs", "IAU_2015:49900", "-te", *box, str(path), str(out))
    with rasterio.open(out) as dataset:
        values = dataset.read(1, masked=True)
    assert values.dtype == np.float32
    assert 0.02 < values.mask.mean() < 0.5
    assert -2700 < values.min() < values.max() < -2200
