"""The default stack made in moto, and the bundles run on it: settings and names are those of the template alone."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from deploying import deploy
from intrinsics import REGION, resolve
from moto.server import ThreadedMotoServer
from rasterio.io import MemoryFile

import lambda_events as events
from bundle_trial import TILE, Trial, get, post, recipe
from moto_cloud import CREDENTIALS, Cloud
from registries import tokens_setting
from toys import heights

if TYPE_CHECKING:
    from synthesis import Synthesis

SOURCES = "astrogeo-ard"
FUNCTION = "AWS::Lambda::Function"
STARTS = {"api": "Tiler", "registry": "Registry", "build": "Builder"}


@pytest.fixture(scope="module")
def environments(stack: "Synthesis") -> Generator[dict[str, Any]]:
    """Each function's own variables, once everything they name exists."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # moto would run the function for each message, in Docker.
    made = deploy(stack.template, url, prefix="runs", without=["AWS::Lambda::EventSourceMapping"]).made
    yield {
        name: resolve(stack.properties(FUNCTION, starting=start), made)["Environment"]["Variables"]
        for name, start in STARTS.items()
    } | {"url": url}
    server.stop()


def test_a_mosaic_is_registered_built_and_drawn(bundles: Path, environments: dict[str, Any], tmp_path: Path) -> None:
    url = environments.pop("url")
    # Where AWS itself is, and the world's files, is all that a test has to say.
    elsewhere = {
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "QUADMOSAIC_BUCKETS": f'{{"{SOURCES}": {{"region": "{REGION}", "endpoint": "{url}"}}}}',
    }
    account = Cloud(url=url, queue_url=environments["registry"]["QUADMOSAIC_QUEUE_URL"], environment=elsewhere)
    account.client("secretsmanager").put_secret_value(
        SecretId=environments["registry"]["QUADMOSAIC_TOKENS"], SecretString=tokens_setting()
    )
    account.client("s3").create_bucket(Bucket=SOURCES, CreateBucketConfiguration={"LocationConstraint": REGION})
    trial = Trial(cloud=account, bundles=bundles, folder=tmp_path)
    with trial.start("registry", **_but(environments["registry"])) as registry:
        assert post(registry, recipe("m", trial.scenes(2, bucket=SOURCES))).value["statusCode"] == 202
        with trial.start("build", **_but(environments["build"])) as builder:
            assert trial.deliver(builder) == 1
        assert get(registry, "/mosaics/m").value["statusCode"] == 200
    with trial.start("api", snapstart=True, **_but(environments["api"])) as tiler:
        tiler.restore()
        reply = get(tiler, f"/mosaics/m@1/{TILE}.tif").value
    with MemoryFile(events.content(reply)) as memory, memory.open() as dataset:
        np.testing.assert_array_equal(dataset.read(), heights(seed=0))


def _but(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != "QUADMOSAIC_BUCKETS"}
