"""The Lambda handler, called with events as API Gateway's HTTP API sends them."""

import base64
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.io import MemoryFile

import lambda_events as events
from rasters import Array
from toys import TMS, Toys, heights, write_tile

REPOSITORY = Path(__file__).parents[2]
EVENTS = REPOSITORY / "tests" / "events"
HEAVY = (
    *("jinja2", "rich", "typer", "uvicorn", "matplotlib", "prometheus_client"),
    *("pystac", "pystac_client", "httpx", "httpx2", "httpcore2", "requests", "xarray", "pandas", "scipy", "pyarrow"),
    *("rasterio", "rio_tiler", "numexpr", "async_tiff", "planetcantile", "PIL"),
    *("boto3", "botocore", "quadmosaic.triggers", "quadmosaic.services.registry", "quadmosaic.catalog"),
)
PROBE = """
import json, sys
from lambda_handler.api import handler
reply = handler(json.load(open(sys.argv[1])), None)
print(reply["statusCode"], ",".join(sorted(name for name in sys.argv[2:] if name in sys.modules)))
"""

IMPORTS = """
import sys
import lambda_handler.registry
print("imported", *(name for name in sys.argv[1:] if name in sys.modules))
"""

type Handler = Callable[[str], dict[str, Any]]


def rgb() -> Array:
    return heights(dtype="uint8", bands=3)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    toys = Toys(folder=tmp_path_factory.mktemp("lambda"))
    files = [write_tile(toys.folder / f"{name}.tif", rgb()) for name in ("one", "two")]
    toys.publish("toy", files)
    return toys


@pytest.fixture(scope="module")
def call(toys: Toys) -> Generator[Handler]:
    """The handler of maps."""
    with _handler("api", QUADMOSAIC_STORE=toys.settings.store) as handler:
        yield handler


@pytest.fixture(scope="module")
def ask_registry(toys: Toys) -> Generator[Handler]:
    """The handler of the registry."""
    with _handler("registry", **registry_settings(toys)) as handler:
        yield handler


def registry_settings(toys: Toys) -> dict[str, str]:
    return {
        "QUADMOSAIC_STORE": toys.settings.store,
        "QUADMOSAIC_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/builds",
        "AWS_DEFAULT_REGION": "us-west-2",
    }


@contextmanager
def _handler(name: str, **environment: str) -> Generator[Handler]:
    """That of a fresh import, which reads its settings from the environment."""
    module = f"lambda_handler.{name}"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY)
        for variable, value in environment.items():
            patch.setenv(variable, value)
        sys.modules.pop(module, None)
        handler = importlib.import_module(module).handler
    yield lambda event: handler(json.loads((EVENTS / f"{event}.json").read_text()), None)
    sys.modules.pop(module, None)


def content(reply: dict[str, Any]) -> bytes:
    return base64.b64decode(reply["body"]) if reply["isBase64Encoded"] else reply["body"].encode()


@pytest.mark.parametrize(("event", "driver"), [("tile_png", "PNG"), ("tile_tif", "GTiff")])
def test_a_tile_is_sent_in_base64(call: Handler, event: str, driver: str) -> None:
    reply = call(event)
    assert reply["statusCode"] == 200
    assert reply["isBase64Encoded"] is True
    assert reply["headers"]["content-type"].startswith("image/")
    assert reply["headers"]["x-assets"] == "one"
    with MemoryFile(content(reply)) as memory, memory.open() as dataset:
        assert (dataset.driver, dataset.shape) == (driver, (256, 256))
        np.testing.assert_array_equal(dataset.read([1, 2, 3]), rgb())


def test_a_second_event_meets_the_same_caches(call: Handler) -> None:
    assert call("tile_png") | {"headers": None} == call("tile_png") | {"headers": None}


def test_repeated_parameters_arrive_in_order(call: Handler) -> None:
    array = np.load(io.BytesIO(content(call("tile_repeated_parameters"))))
    np.testing.assert_array_equal(array, rgb()[[2, 0]])


def test_an_empty_tile_is_204(call: Handler) -> None:
    reply = call("tile_empty")
    assert reply["statusCode"] == 204
    assert content(reply) == b""


def test_head_is_get_without_its_body(call: Handler) -> None:
    got, asked = call("tile_png"), call("tile_head")
    assert asked["statusCode"] == 200
    assert content(asked) == b""
    assert int(asked["headers"]["content-length"]) == len(content(got))
    assert asked["headers"]["etag"] == got["headers"]["etag"]


def test_tilejson_speaks_of_the_address_that_the_client_used(call: Handler) -> None:
    reply = call("tilejson")
    assert reply["isBase64Encoded"] is False
    (template,) = json.loads(reply["body"])["tiles"]
    assert template == f"https://maps.example.com/mosaics/toy@1/tiles/{TMS}/{{z}}/{{x}}/{{y}}"


def test_a_stage_is_part_of_every_address_and_of_no_route(call: Handler) -> None:
    host = "https://a1b2c3d4e5.execute-api.us-west-2.amazonaws.com/prod"
    assert content(call("tile_stage")) == content(call("tile_png"))
    (template,) = json.loads(call("tilejson_stage")["body"])["tiles"]
    assert template.startswith(f"{host}/mosaics/toy@1/tiles/")


def test_the_registrys_links_are_below_the_stage_too(ask_registry: Handler) -> None:
    (link,) = json.loads(content(ask_registry("granules_stage")))["links"]
    host = "https://a1b2c3d4e5.execute-api.us-west-2.amazonaws.com/prod"
    assert link["href"].startswith(f"{host}/mosaics/toy/granules?")


def test_a_secret_out_of_reach_is_in_the_way_of_writers_alone(toys: Toys) -> None:
    secret = {
        "QUADMOSAIC_TOKENS": "arn:aws:secretsmanager:us-west-2:123456789012:secret:tokens",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    write = events.http("DELETE", "/mosaics/toy", headers={"authorization": "Bearer qm_someone"})
    with _handler("registry", **registry_settings(toys), **secret) as ask:
        assert ask("granules_stage")["statusCode"] == 200
        reply = importlib.import_module("lambda_handler.registry").handler(write, None)
    assert (reply["statusCode"], json.loads(reply["body"])["title"]) == (503, "Unavailable")


def test_what_does_not_exist_is_a_problem_document(call: Handler) -> None:
    reply = call("not_found")
    assert reply["statusCode"] == 404
    assert reply["headers"]["content-type"] == "application/problem+json"
    assert json.loads(content(reply))["status"] == 404


def test_a_tile_imports_nothing_that_only_builds_pages_and_commands_need(toys: Toys) -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROBE, str(EVENTS / "tile_png.json"), *HEAVY],
        env={"QUADMOSAIC_STORE": toys.settings.store, "PATH": ""},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["200"]


def test_the_registry_imports_no_library_of_rasters_and_catalogs(toys: Toys) -> None:
    libraries = ["rasterio", "imagecodecs", "async_tiff", "rio_tiler", "color_operations", "pystac", "requests"]
    found = subprocess.run(
        [sys.executable, "-c", IMPORTS, *libraries],
        env={**registry_settings(toys), "PATH": ""},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["imported"]


def test_garbage_is_collected_again_once_a_function_has_begun(tmp_path: Path) -> None:
    script = "import gc, lambda_handler.api; print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    environment = os.environ | {"QUADMOSAIC_STORE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.split() == ["True", "True"]
