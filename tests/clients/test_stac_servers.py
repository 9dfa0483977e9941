"""The tutorial in one curl, on real STAC API servers: its quadkeys, its layers on the map, and its other ten."""

import json
import shutil
import subprocess
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio

from stac_servers import Missing
from tutorial_run import (
    COLLECTION,
    DELTA,
    NINE,
    SERVERS,
    TEN,
    Posted,
    Tutorial,
    body_of,
    drawn_tile,
    expected_tile,
    items_of,
    mosaic_json,
    names,
    post,
    tutorial,
)
from tutorial_scene import ASSETS, write_tutorial_scene

pytestmark = [
    pytest.mark.clients,
    pytest.mark.data,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

NODE_MODULES = Path(__file__).parents[2] / "node_modules"
DRIVER = Path(__file__).parent / "viewer" / "layers.mjs"
PIXEL_M = 320.0


@dataclass(frozen=True, kw_only=True)
class Ran:
    """The tutorial with what its two POSTs were answered with, the second one's items read in pages of four."""

    it: Tutorial
    ten: Posted
    nine: Posted


@pytest.fixture(scope="module")
def bucket(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tutorial's files."""
    folder = tmp_path_factory.mktemp("bucket")
    write_tutorial_scene(folder, items_of(shared_data / "stac"), pixel_m=PIXEL_M)
    return folder


@pytest.fixture(scope="module", params=list(SERVERS))
def ran(
    request: pytest.FixtureRequest,
    shared_data: Path,
    bucket: Path,
    program: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Ran]:
    """The tutorial, once with each server; skips with the reason where the system lacks one."""
    program("curl")
    store = tmp_path_factory.mktemp(request.param) / "store"
    viewer_assets = NODE_MODULES if NODE_MODULES.is_dir() else None
    try:
        with tutorial(request.param, shared_data / "stac", bucket, store, viewer_assets=viewer_assets) as it:
            ten = post(it, body_of(it, name="jezero", bbox=TEN))
            nine = post(it, body_of(it, name="nine", bbox=NINE, page=4))
            yield Ran(it=it, ten=ten, nine=nine)
    except Missing as error:
        pytest.skip(str(error))


def test_one_post_gives_the_mosaic_at_once(ran: Ran) -> None:
    assert (ran.ten.status, ran.ten.document["version"], ran.ten.document["granules"]) == (201, 1, 10)
    assert [asset["key"] for asset in ran.ten.document["assets"]] == list(ASSETS)
    assert [asset["dtype"] for asset in ran.ten.document["assets"]] == ["float32", "uint8", "float32"]
    assert ran.ten.document["report"]["refused"] == []


def test_quadkeys_files_and_their_order_are_the_tutorials(ran: Ran) -> None:
    document = mosaic_json(ran.it, "jezero", "image")
    assert list(document["tiles"]) == list(ran.it.seed["tiles"])
    assert len(document["tiles"]) == 20
    assert names(document["tiles"]) == names(ran.it.seed["tiles"])
    assert document["bounds"] == pytest.approx(ran.it.seed["bounds"], abs=1e-9)


def test_files_are_read_in_ranges_from_the_buckets_endpoint(ran: Ran) -> None:
    read = [asked for asked in ran.ten.asked if asked.method == "GET"]
    assert {asked.key.partition("/")[0] for asked in read} == {"astrogeo-ard"}
    assert len({asked.key for asked in read}) == 30
    assert all(asked.span is not None for asked in read)


def test_the_tutorials_other_box_has_nine_of_the_items_in_three_pages(ran: Ran) -> None:
    assert (ran.nine.status, ran.nine.document["granules"]) == (201, 9)
    files = {name for files in names(mosaic_json(ran.it, "nine", "image")["tiles"]).values() for name in files}
    ten = {name for files in names(ran.it.seed["tiles"]).values() for name in files}
    assert len(files) == 9
    (left_out,) = ten - files
    assert left_out.startswith("P05_002809")


@pytest.mark.parametrize("address", [f"collections/{COLLECTION}", f"collections/{COLLECTION}/items"])
def test_the_collections_own_address_will_do(ran: Ran, address: str) -> None:
    body = body_of(ran.it, name="rehearsed", bbox=NINE)
    body["source"] |= {"href": f"{ran.it.stac}{address}"}
    rehearsed = post(ran.it, body, query="?dry_run=true")
    report = rehearsed.document["report"]
    assert (rehearsed.status, report["found"], report["cells"]) == (200, 9, 9)


def test_the_same_post_again_changes_nothing(ran: Ran) -> None:
    again = post(ran.it, body_of(ran.it, name="jezero", bbox=TEN))
    assert (again.status, again.document["version"]) == (200, 1)
    assert again.asked == []


@pytest.mark.parametrize("asset", ASSETS)
def test_a_tile_of_each_asset_has_the_pixels_of_the_files(ran: Ran, asset: str) -> None:
    values, valid = drawn_tile(ran.it, "jezero", asset)
    expected, expected_valid = expected_tile(ran.it, DELTA, asset)
    assert values.dtype == expected.dtype
    assert valid.mean() > 0.5
    # A place on the edge of two pixels may be either's.
    assert (valid == expected_valid).mean() > 0.999
    both = valid & expected_valid
    assert (values[both] == expected[both]).mean() > 0.999


def test_the_viewer_shows_each_layer(ran: Ran, tmp_path: Path) -> None:
    if shutil.which("node") is None or shutil.which("chromium") is None or not NODE_MODULES.is_dir():
        pytest.skip("node, chromium or node_modules is not there")
    command = ["node", str(DRIVER), ran.it.href, "jezero", str(tmp_path)]
    visit = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert visit.returncode == 0, visit.stderr
    told = json.loads(visit.stdout)
    assert told["assets"] == list(ASSETS)
    assert told["notices"] == []
    pictures = {}
    for asset in ASSETS:
        with rasterio.open(tmp_path / f"{asset}.png") as picture:
            pictures[asset] = picture.read([1, 2, 3]).astype(int)
        lit = pictures[asset].max(axis=0) > 60
        assert told["drawn"][asset] > 0
        assert 0.03 < lit.mean() < 0.7, asset
        assert pictures[asset][:, lit].std() > 10, asset
    for one, other in (("dtm", "image"), ("dtm", "orthoimage"), ("image", "orthoimage")):
        assert np.abs(pictures[one] - pictures[other]).mean() > 2, (one, other)
