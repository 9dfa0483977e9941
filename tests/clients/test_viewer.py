"""The viewer in a real browser on the real service: what people see, judged by the pixels."""

import base64
import hashlib
import json
import math
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import rasterio

from quadmosaic.api.viewer_assets import ASSETS

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")]

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).parent / "viewer" / "drive.mjs"
RADIUS_M = 3_396_190.0
MOSAIC = "jezero"
INSIDE = {"delta": (77.45, 18.4), "south": (76.7, 15.6), "west": (76.4, 18.0), "east": (77.6, 16.5)}
OUTSIDE = {"nowhere": (75.4, 18.4), "gap": (77.37, 15.0), "beyond": (78.2, 16.0)}
GRIDS = ("MarsGeographicSphere", "MarsMercatorSphere")

type Picture = npt.NDArray[np.uint8]


class Seen:
    """What the browser told, and its pictures."""

    def __init__(self, base_url: str, report: dict, folder: Path) -> None:
        self.base_url, self.report, self.folder = base_url, report, folder

    def picture(self, name: str) -> Picture:
        """(height, width, 3) of the map alone."""
        with rasterio.open(self.folder / f"{name}.png") as dataset:
            return np.moveaxis(dataset.read([1, 2, 3]), 0, -1)

    def around(self, name: str, place: str) -> Picture:
        """The pixels near a place."""
        at = self.report["pixels"][name][place]
        x, y = round(at["x"]), round(at["y"])
        return self.picture(name)[y - 4 : y + 5, x - 4 : x + 5]


@pytest.fixture(scope="module")
def seen(demo_server: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One visit by a browser."""
    for program in ("node", "chromium"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if not (ROOT / "node_modules" / "playwright-core").is_dir():
        pytest.skip("node_modules is not there: npm ci")
    folder = tmp_path_factory.mktemp("viewer")
    base_url = demo_server.rstrip("/")
    command = ["node", str(DRIVER), base_url, MOSAIC, str(folder), json.dumps(INSIDE | OUTSIDE)]
    visit = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert visit.returncode == 0, visit.stderr
    return Seen(base_url, json.loads(visit.stdout), folder)


def difference(one: Picture, other: Picture) -> float:
    """Mean over all pixels of the largest change of a channel."""
    return float(np.abs(one.astype(int) - other.astype(int)).max(axis=-1).mean())


def colourfulness(picture: Picture) -> float:
    """Share of pixels that are clearly no gray."""
    return float((np.ptp(picture.astype(int), axis=-1) > 50).mean())


def test_the_list_shows_the_mosaic_with_its_picture(seen):
    assert "Jezero" in seen.report["list"]["text"]
    assert seen.report["list"]["pictureWidth"] > 100


def test_the_map_opens_on_the_mosaic(seen):
    assert seen.report["map"]["drawn"] > 0
    assert seen.report["map"]["notices"] == []
    map_picture = seen.picture("map")
    lit = map_picture.max(axis=-1) > 60
    assert 0.05 < lit.mean() < 0.7, "the mosaic fills a good part of the map, and not all of it"
    assert map_picture[lit].std() > 10, "it has relief"


@pytest.mark.parametrize("name", ["map", *(f"grid-{grid}" for grid in GRIDS)])
def test_pixels_lie_where_they_belong_on_every_grid(seen, name):
    for place in INSIDE:
        assert seen.around(name, place).max(axis=-1).mean() > 35, place
    for place in OUTSIDE:
        assert seen.around(name, place).max(axis=-1).mean() < 35, place


@pytest.mark.parametrize("name", ["map", *(f"grid-{grid}" for grid in GRIDS)])
def test_the_scale_bar_measures_the_body_and_not_the_earth(seen, name):
    pixels = seen.report["pixels"][name]
    east, west = pixels["beyond"], pixels["nowhere"]
    degrees = OUTSIDE["beyond"][0] - OUTSIDE["nowhere"][0]
    latitude = math.radians(17.2)
    metres_per_pixel = math.radians(degrees) * RADIUS_M * math.cos(latitude) / (east["x"] - west["x"])
    told = seen.report["map"] if name == "map" else seen.report["grids"]["seen"][name.removeprefix("grid-")]
    number, unit = told["scale"].split()
    metres = float(number) * {"m": 1, "km": 1000}[unit]
    assert metres / told["scaleWidth"] == pytest.approx(metres_per_pixel, rel=0.03)


def test_a_grid_that_does_not_reach_the_mosaic_says_so(seen):
    north = seen.report["grids"]["seen"]["MarsNorthPolarSphere"]
    assert any("does not reach" in notice for notice in north["notices"])
    assert not any("Coalesced" in grid for grid in seen.report["grids"]["options"])


def test_another_asset_and_a_colormap_change_the_picture(seen):
    image, dtm, viridis = (seen.picture(name) for name in ("map", "dtm", "dtm-viridis"))
    assert seen.report["styles"]["assets"] == ["image", "dtm", "orthoimage"]
    assert difference(image, dtm) > 2
    assert difference(dtm, viridis) > 5
    assert colourfulness(dtm) < 0.01
    assert colourfulness(viridis) > 0.05


def test_a_range_changes_the_picture_and_a_bad_one_is_told(seen):
    assert difference(seen.picture("dtm-viridis"), seen.picture("dtm-range")) > 2
    assert seen.report["styles"]["fault"]


def test_opacity_dims_the_tiles(seen):
    dim, full = (seen.around(name, "west").mean() for name in ("dtm-faint", "dtm-viridis"))
    assert dim < 0.75 * full


def test_the_address_brings_the_view_back(seen):
    styles = seen.report["styles"]
    assert "colormap_name=viridis" in styles["hash"]
    assert "assets=dtm" in styles["hash"]
    assert styles["kept"] == "viridis"
    assert difference(seen.picture("dtm-viridis"), seen.picture("dtm-again")) < 1, "the same view, to a rounded place"


def test_a_click_shows_what_the_service_says_in_its_order(seen):
    lon, lat = INSIDE["delta"]
    answer = httpx.get(f"{seen.base_url}/mosaics/{MOSAIC}/point/{lon},{lat}", params={"assets": "dtm"}).json()["values"]
    shown = seen.report["values"]["rows"]
    assert [row["granule"] for row in shown] == [value["granule"] for value in answer]
    assert len(shown) > 2
    first = next(index for index, value in enumerate(answer) if value["values"] is not None)
    assert [row["isOnTop"] for row in shown].index(True) == first
    for row, value in zip(shown, answer, strict=True):
        if value["values"] is None:
            assert row["text"] == "no data"
        else:
            # The browser's pixel is hundreds of metres wide, so that the place differs a little.
            assert float(row["text"]) == pytest.approx(value["values"][0], abs=60)
    assert seen.report["values"]["closed"]


def test_the_pointer_has_degrees_of_the_body(seen):
    longitude, latitude = seen.report["values"]["position"].split(", ")
    assert float(longitude.removesuffix("° E")) == pytest.approx(INSIDE["delta"][0], abs=0.02)
    assert float(latitude.removesuffix("° N")) == pytest.approx(INSIDE["delta"][1], abs=0.02)


def test_values_can_be_read_with_the_keyboard_alone(seen):
    assert len(seen.report["keyboard"]["rows"]) > 0


def test_a_place_without_granules_says_so(seen):
    assert "No granule" in seen.report["outside"]["text"]


def test_footprints_are_drawn_on_demand(seen):
    off, on = seen.picture("footprints-off"), seen.picture("footprints-on")
    assert seen.report["footprints"]["count"] == 10
    changed = (np.abs(off.astype(int) - on.astype(int)).max(axis=-1) > 25).mean()
    assert 0.002 < changed < 0.2, "lines, not areas"


def test_addresses_for_other_software_work(seen):
    links = seen.report["links"]
    assert set(links) >= {"xyz", "tilejson", "wmts", "gdal_tms", "gdal_wmts"}
    assert all(address.startswith(f"{seen.base_url}/") for address in links.values())
    assert all("colormap_name=viridis" in links[key] for key in ("xyz", "tilejson", "wmts"))
    assert all("colormap_name" not in links[key] for key in ("gdal_tms", "gdal_wmts")), "these carry heights"
    for key in ("tilejson", "wmts", "gdal_tms", "gdal_wmts"):
        assert httpx.get(links[key]).status_code == 200, key
    tiles = httpx.get(links["tilejson"]).json()["tiles"]
    assert all("colormap_name=viridis" in template and "assets=dtm" in template for template in tiles)


def test_it_fits_a_telephone(seen):
    assert not seen.report["narrow"]["overflows"]


def test_failed_tiles_are_told_and_can_be_drawn_again(seen):
    failure = seen.report["failure"]
    assert "the bucket is <b>away</b>" in failure["text"]
    assert failure["after"] == 0
    assert seen.around("recovered", "west").max(axis=-1).mean() > 35


def test_the_pages_are_quiet_and_talk_to_nobody_else(seen):
    assert seen.report["faults"] == []
    assert seen.report["refusals"] == []
    hosts = {urlsplit(url).netloc for url in seen.report["requests"] if urlsplit(url).scheme in ("http", "https")}
    assert hosts == {urlsplit(seen.base_url).netloc}


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.local_path)
def test_pinned_hashes_are_those_of_the_packages(asset):
    package = ROOT / "node_modules" / asset.package
    if not package.is_dir():
        pytest.skip("node_modules is not there: npm ci")
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert lock["packages"][f"node_modules/{asset.package}"]["version"] == asset.version
    assert json.loads((package / "package.json").read_text())["version"] == asset.version
    digest = hashlib.sha384((package / asset.path).read_bytes()).digest()
    assert asset.integrity == f"sha384-{base64.b64encode(digest).decode()}"
