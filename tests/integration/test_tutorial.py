"""The tutorial's ten items: our document is the tutorial's, and the tutorial's own tools read it alike."""

import asyncio
import json
import random
from pathlib import Path

import morecantile
import pytest
from cogeo_mosaic.backends import MosaicBackend
from fastapi import FastAPI
from fastapi.testclient import TestClient
from titiler.mosaic.factory import MosaicTilerFactory

from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.domain import grids
from quadmosaic.domain.mosaic import Defaults, Recipe
from quadmosaic.domain.mosaicjson import parse, write
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.domain.sources import FeaturesSource

pytestmark = pytest.mark.data

TMS = "MarsMercatorSphere"


@pytest.fixture(scope="module")
def seed(request: pytest.FixtureRequest) -> dict[str, object]:
    """The tutorial's answer."""
    folder: Path = request.getfixturevalue("shared_data")
    document: dict[str, object] = json.loads((folder / "stac" / "seed_mosaic.json").read_text())
    return document


@pytest.fixture(scope="module")
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our document of the same items, index zoom left to the advisor."""
    folder: Path = request.getfixturevalue("shared_data")
    features = json.loads((folder / "stac" / "jezero_items.json").read_text())
    recipe = Recipe(
        source=FeaturesSource(features=features), assets=("image",), tms=TMS, minzoom=9, maxzoom=24, scan=False
    )
    builder = bootstrap.builder(bootstrap.adapters(Settings(store="memory://")).reader)
    draft = asyncio.run(builder.draft(recipe, Defaults(title="Jezero")))
    path = tmp_path_factory.mktemp("tutorial") / "jezero.json"
    path.write_bytes(write(from_index(draft.index, draft.manifest, asset="image")))
    return path


def test_the_advisor_finds_the_zoom_that_the_tutorial_found_by_trial(document: Path) -> None:
    assert json.loads(document.read_text())["quadkey_zoom"] == 9


def test_quadkeys_asset_lists_and_their_order_are_the_tutorials(document: Path, seed: dict[str, object]) -> None:
    tiles = json.loads(document.read_text())["tiles"]
    assert list(tiles) == list(seed["tiles"])  # type: ignore[call-overload]
    assert tiles == seed["tiles"]
    assert len(tiles) == 20


def test_bounds_are_the_tutorials(document: Path, seed: dict[str, object]) -> None:
    assert json.loads(document.read_text())["bounds"] == pytest.approx(seed["bounds"], abs=1e-9)


def random_tiles(bounds: tuple[float, float, float, float]) -> list[morecantile.Tile]:
    """200 tiles in and around the mosaic, at its index zoom and above."""
    tms = morecantile.TileMatrixSet.model_validate(grids.load(TMS).document)
    dice = random.Random(20211)
    west, south, east, north = bounds
    return [
        tms._tile(
            *tms.xy(dice.uniform(west - 0.5, east + 0.5), dice.uniform(south - 0.5, north + 0.5)), dice.randint(9, 13)
        )
        for _ in range(200)
    ]


def expected_assets(tiles: dict[str, list[str]], tile: morecantile.Tile) -> list[str]:
    return tiles.get(grids.load(TMS).quadkey(tile)[:9], [])


def test_cogeo_mosaic_lists_the_same_assets_for_200_tiles(document: Path) -> None:
    content = json.loads(document.read_text())
    tms = morecantile.TileMatrixSet.model_validate(grids.load(TMS).document)
    with MosaicBackend(str(document), tms=tms) as mosaic:
        for tile in random_tiles(content["bounds"]):
            assert mosaic.assets_for_tile(tile.x, tile.y, tile.z) == expected_assets(content["tiles"], tile)


def test_titiler_lists_the_same_assets_for_200_tiles(document: Path) -> None:
    content = json.loads(document.read_text())
    tms = morecantile.TileMatrixSet.model_validate(grids.load(TMS).document)
    app = FastAPI()
    factory = MosaicTilerFactory(backend=MosaicBackend, supported_tms=morecantile.TileMatrixSets({TMS: tms}))
    app.include_router(factory.router)
    with TestClient(app) as client:
        for tile in random_tiles(content["bounds"]):
            reply = client.get(f"/tiles/{TMS}/{tile.z}/{tile.x}/{tile.y}/assets", params={"url": str(document)})
            assert reply.json() == expected_assets(content["tiles"], tile)


def test_the_tutorials_document_comes_back_unchanged(seed: dict[str, object]) -> None:
    again = json.loads(write(parse(json.dumps(seed))))
    assert again["tiles"] == seed["tiles"]
    assert again["bounds"] == seed["bounds"]
    assert again["tilematrixset"] == seed["tilematrixset"]
