"""QGIS loads a mosaic's WMTS and its GDAL files, puts them where they belong and paints them."""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import numpy as np
import pytest
import rasterio

from quadmosaic.domain import grids
from quadmosaic.domain.grid_bounds import bounds_on
from small_mosaics import SmallMosaic

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")]

SYSTEM_PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).parent / "qgis" / "paint.py"
BACKGROUND = (255, 0, 255)


@pytest.fixture(scope="session")
def qgis_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """For a QGIS without a desktop; skips where the system has none."""
    home = tmp_path_factory.mktemp("qgis-home")
    home.chmod(0o700)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = kept | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "QT_QPA_PLATFORM": "offscreen"}
    command = [SYSTEM_PYTHON, "-c", "import qgis.core"]
    if not Path(SYSTEM_PYTHON).exists() or subprocess.run(command, env=environment, capture_output=True).returncode:
        pytest.skip("QGIS with its Python bindings is not installed")
    return environment


def paint(environment: dict[str, str], provider: str, uri: str, picture: Path) -> dict[str, object]:
    command = [SYSTEM_PYTHON, str(SCRIPT), provider, uri, str(picture)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    assert report["valid"], report
    return report


def pixels(picture: Path) -> np.ndarray:
    """(height, width, 3) colours."""
    with rasterio.open(picture) as image:
        return np.moveaxis(image.read([1, 2, 3]), 0, -1)


def wmts_uri(live_server: str, mosaic: str, layer: str, tms: str, crs: str) -> str:
    url = quote(f"{live_server}/mosaics/{mosaic}/WMTSCapabilities.xml", safe="")
    parts = {"crs": crs, "format": "image/png", "layers": layer, "styles": "default", "tileMatrixSet": tms}
    return f"{urlencode(parts, safe=':/')}&url={url}"


@pytest.mark.parametrize(
    ("body", "tms", "crs"),
    [
        ("Mars", "MarsEquidistantCylindricalSphere", "IAU_2015:49910"),
        ("Mars", "MarsGeographicSphere", "IAU_2015:49900"),
        ("Moon", "MoonGeographicSphere", "IAU_2015:30100"),
    ],
)
def test_qgis_places_and_paints_the_wmts(
    qgis_environment: dict[str, str],
    live_server: str,
    small_mosaics: dict[str, SmallMosaic],
    tmp_path: Path,
    body: str,
    tms: str,
    crs: str,
) -> None:
    mosaic = small_mosaics[body]
    layer = mosaic.version.manifest.assets[0].key
    uri = wmts_uri(live_server, mosaic.name, layer, tms, crs)
    report = paint(qgis_environment, "wms", uri, tmp_path / "map.png")
    grid = grids.load(tms)
    box = bounds_on(mosaic.version.manifest.bounds, grid)
    assert report["crs"] == crs
    assert report["extent"] == pytest.approx(box, rel=1e-9)
    assert report["faults"] == []
    colours = pixels(tmp_path / "map.png")
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) > 20
    painted = (colours != BACKGROUND).any(axis=-1)
    assert painted.mean() == pytest.approx(share_with_data(mosaic, grid, report["shown"]), abs=0.03)


def share_with_data(mosaic: SmallMosaic, grid: grids.Grid, shown: object) -> float:
    """The share of what QGIS showed that the source files cover, from a raster of points."""
    minx, miny, maxx, maxy = np.array(shown, dtype=float)
    x, y = np.meshgrid(np.linspace(minx, maxx, 129)[1::2], np.linspace(miny, maxy, 129)[1::2])
    lon, lat = grid.unproject(x.ravel(), y.ravel())
    covered = np.zeros(len(lon), dtype=bool)
    for path in next(iter(mosaic.files.values())):
        with rasterio.open(path) as source:
            places = native_places(source, mosaic.version.manifest.body, lon, lat)
            valid = [value[0] != source.nodata and value[0] != 0 for value in source.sample(places)]
        covered |= np.array(valid)
    return float(covered.mean())


def native_places(
    source: rasterio.DatasetReader, body: str, lon: np.ndarray, lat: np.ndarray
) -> list[tuple[float, float]]:
    """Coordinates in the file's own CRS, 0 to 360 where it runs so."""
    if source.crs.is_geographic:
        return list(zip((lon % 360).tolist(), lat.tolist(), strict=True))
    x, y = grids.load(f"{body}EquidistantCylindricalSphere").project(lon, lat)
    return list(zip(x.tolist(), y.tolist(), strict=True))


@pytest.mark.parametrize("service", ["tms", "wmts"])
def test_qgis_opens_the_gdal_files_with_their_values(
    qgis_environment: dict[str, str],
    http: httpx.Client,
    small_mars_mosaic: SmallMosaic,
    tmp_path: Path,
    service: str,
) -> None:
    tms = "MarsEquidistantCylindricalSphere"
    file = tmp_path / "mosaic.xml"
    file.write_text(http.get(f"/mosaics/{small_mars_mosaic.name}/{tms}/gdal.xml", params={"service": service}).text)
    report = paint(qgis_environment, "gdal", str(file), tmp_path / "map.png")
    grid = grids.load(tms)
    box = grid.bounds if service == "tms" else bounds_on(small_mars_mosaic.version.manifest.bounds, grid)
    assert report["crs"] == "IAU_2015:49910"
    assert report["bands"] == 1
    assert report["extent"] == pytest.approx(box, abs=100)
