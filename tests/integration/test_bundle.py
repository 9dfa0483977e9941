"""The x86_64 bundles in a plain Python with Lambda's runtime client: every kind of event, on an account of moto."""

import io
import json
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from rasterio.io import MemoryFile

import lambda_events as events
from bundle_trial import (
    LATE_S,
    TILE,
    WRITER,
    Trial,
    credentials_server,
    deaf_server,
    document,
    get,
    many_items,
    post,
    recipe,
)
from lambda_runtime import Function
from moto_cloud import cloud
from registries import tokens_setting
from toys import TMS, heights

PNG, JPEG, RIFF = b"\x89PNG", b"\xff\xd8\xff", b"RIFF"


@pytest.fixture(scope="module")
def trial(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Trial]:
    with cloud(tokens_setting()) as account:
        yield Trial(cloud=account, bundles=bundles, folder=tmp_path_factory.mktemp("trial"))


@pytest.fixture(scope="module")
def registry(trial: Trial) -> Generator[Function]:
    with trial.start("registry") as function:
        yield function


@pytest.fixture(scope="module")
def builder(trial: Trial) -> Generator[Function]:
    with trial.start("build") as function:
        yield function


@pytest.fixture(scope="module")
def tiler(trial: Trial, registry: Function, builder: Function) -> Generator[Function]:
    """Restored from its snapshot, with mosaic `m` built by the other two."""
    reply = post(registry, recipe("m", trial.scenes(3))).value
    assert reply["statusCode"] == 202
    assert trial.deliver(builder) == 1
    with trial.start("api", snapstart=True) as function:
        function.restore()
        yield function


def test_a_registration_becomes_tiles(tiler: Function) -> None:
    reply = get(tiler, f"/mosaics/m@1/{TILE}.tif").value
    assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, True)
    with MemoryFile(events.content(reply)) as memory, memory.open() as dataset:
        np.testing.assert_array_equal(dataset.read(), heights(seed=0))


@pytest.mark.parametrize(("extension", "magic"), [("png", PNG), ("jpg", JPEG), ("webp", RIFF), ("npy", b"\x93NUMPY")])
def test_pictures_arrive_as_their_bytes(tiler: Function, extension: str, magic: bytes) -> None:
    reply = get(tiler, f"/mosaics/m@1/{TILE}.{extension}").value
    assert reply["isBase64Encoded"] is True
    assert events.content(reply).startswith(magic)
    assert int(reply["headers"]["content-length"]) == len(events.content(reply))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/openapi.json",
        "/docs",
        "/colorMaps",
        "/conformance",
        "/viewer/viewer.css",
        "/viewer/icon.svg",
        "/mosaics/m/info",
        "/mosaics/m/info.geojson",
        "/mosaics/m/mosaic.json",
        f"/mosaics/m/{TMS}/tilejson.json",
        f"/mosaics/m/{TMS}/map.html",
        f"/mosaics/m/{TMS}/gdal.xml",
        "/mosaics/m/WMTSCapabilities.xml",
        f"/mosaics/m/tiles/{TMS}",
        f"/mosaics/m/{TILE}/assets",
        "/mosaics/m/point/77.5,18.5",
    ],
)
def test_documents_arrive_as_text(tiler: Function, path: str) -> None:
    reply = get(tiler, path).value
    assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, False)
    assert reply["body"]


@pytest.mark.parametrize(
    "path", ["/mosaics", "/mosaics/m", "/mosaics/m/builds", "/mosaics/m/versions", "/mosaics/m/granules"]
)
def test_the_registry_answers_for_itself(tiler: Function, registry: Function, path: str) -> None:
    assert get(registry, path).value["statusCode"] == 200
    assert get(tiler, path).value["statusCode"] == 404


def test_the_documentation_tells_of_both_functions(tiler: Function) -> None:
    paths = document(get(tiler, "/openapi.json"))["paths"]
    assert {"/mosaics", "/mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}", "/mosaics/{mosaic}/builds"} <= paths.keys()


def test_what_the_client_has_is_304_and_keeps_its_type(tiler: Function) -> None:
    tag = get(tiler, f"/mosaics/m/{TILE}.png").value["headers"]["etag"]
    reply = get(tiler, f"/mosaics/m/{TILE}.png", if_none_match=tag).value
    assert reply["statusCode"] == 304
    assert "content-type" not in reply["headers"]


def test_no_data_is_204(tiler: Function) -> None:
    reply = get(tiler, f"/mosaics/m/tiles/{TMS}/8/0/0.png").value
    assert reply["statusCode"] == 204
    assert not events.content(reply)
    assert "content-type" not in reply["headers"]


def test_head_says_what_get_would(tiler: Function) -> None:
    path = f"/mosaics/m@1/{TILE}.png"
    got, asked = get(tiler, path).value, tiler.call(events.http("HEAD", path)).value
    assert (asked["statusCode"], events.content(asked)) == (200, b"")
    assert asked["headers"]["content-length"] == got["headers"]["content-length"]


def test_a_problem_is_a_document(tiler: Function) -> None:
    reply = get(tiler, "/mosaics/nowhere/info").value
    assert (reply["statusCode"], reply["headers"]["content-type"]) == (404, "application/problem+json")
    assert reply["isBase64Encoded"] is False


def test_what_lambda_cannot_carry_is_413(tiler: Function) -> None:
    reply = get(tiler, "/mosaics/m/preview.npy", "max_size=1500").value
    assert reply["statusCode"] == 413
    assert json.loads(reply["body"])["status"] == 413
    assert "access-control" not in " ".join(reply["headers"])
    small = get(tiler, "/mosaics/m/preview.npy", "max_size=600").value
    assert np.load(io.BytesIO(events.content(small))).shape[-1] <= 600


def test_an_event_that_is_no_request_is_an_error_in_words(tiler: Function) -> None:
    answer = tiler.call(events.sqs("{}"))
    assert answer.failed
    assert answer.value["errorType"] == "NotHttp"
    assert "API Gateway" in answer.value["errorMessage"]
    assert get(tiler, "/healthz").value["statusCode"] == 200


def test_every_record_names_its_request(tiler: Function) -> None:
    event = events.http("GET", "/mosaics/nowhere/info")
    tiler.call(event)
    record = next(r for r in tiler.records if r.get("apiRequestId") == event["requestContext"]["requestId"])
    assert (record["status"], record["message"]) == (404, "GET /mosaics/nowhere/info")
    assert record["requestId"]


def test_gdal_has_the_bundles_own_expat(trial: Trial, tiler: Function) -> None:
    get(tiler, f"/mosaics/m@1/{TILE}.tif")
    (expat,) = (file for file in tiler.mapped if "libexpat.so" in file)
    assert expat == str(trial.bundles / "api" / "lib" / "libexpat.so.1")
    strangers = [f for f in tiler.mapped if "site-packages" in f]
    assert strangers == []


@pytest.mark.usefixtures("tiler")
def test_a_function_from_a_snapshot_has_its_credentials_from_an_address(trial: Trial) -> None:
    """With SnapStart Lambda gives no keys but an address that has them, and a token, for boto3 and obstore."""
    keys = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    with credentials_server("a-token") as (url, asked):
        offered = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a-token"}
        with trial.start("api", snapstart=True, **keys, **offered) as function:
            function.restore()
            reply = get(function, f"/mosaics/m@1/{TILE}.png").value
    assert (reply["statusCode"], reply["headers"].get("x-assets-skipped")) == (200, None)
    assert len(asked) > 1


def test_a_write_needs_a_token(registry: Function) -> None:
    reply = registry.call(events.http("POST", "/mosaics", body=recipe("n", ["s3://scenes/g0.tif"]))).value
    assert reply["statusCode"] == 401
    refused = post(registry, {"name": "n", "source": {"type": "cogs"}}).value
    assert (refused["statusCode"], json.loads(refused["body"])["field"]) == (400, "source.hrefs")


def test_a_dry_run_is_refused_in_words(registry: Function) -> None:
    reply = post(registry, recipe("n", ["s3://scenes/g0.tif"]), query="dry_run=true").value
    assert (reply["statusCode"], json.loads(reply["body"])["field"]) == (400, "dry_run")


def test_the_gateways_authority_is_what_the_event_says(trial: Trial) -> None:
    body = recipe("by-gateway", trial.scenes(1))
    claims = {"jwt": {"claims": {"sub": "someone"}, "scopes": None}}
    with trial.start("registry", QUADMOSAIC_AUTHORITY="gateway", QUADMOSAIC_TOKENS="") as function:
        bare = function.call(events.http("POST", "/mosaics", body=body, headers=WRITER)).value
        assert bare["statusCode"] == 403
        decided = function.call(events.http("POST", "/mosaics", body=body, authorizer=claims)).value
        assert decided["statusCode"] == 202


@pytest.mark.usefixtures("tiler")
def test_a_schedule_fires_through_the_queue(trial: Trial, registry: Function, builder: Function) -> None:
    trial.cloud.messages()
    changed = registry.call(events.http("PATCH", "/mosaics/m", body={"schedule": "rate(1 day)"}, headers=WRITER)).value
    assert changed["statusCode"] == 200
    entry = trial.cloud.client("scheduler").get_schedule(Name="m", GroupName="quadmosaic")
    assert entry["Target"]["Arn"].endswith(":quadmosaic-builds")
    message = entry["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", "2126-01-01T00:00:00Z")
    fired = builder.call(events.sqs(message), within_s=900)
    assert fired.value == {"batchItemFailures": []}
    assert trial.deliver(builder) == 1
    newest = document(get(registry, "/mosaics/m/builds"))["builds"][0]
    assert (newest["trigger"], newest["status"]) == ("schedule", "unchanged")


def test_a_message_that_means_nothing_is_left_for_the_dead_letters(builder: Function) -> None:
    answer = builder.call(events.sqs("no json"), within_s=900)
    assert answer.value == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_checkpoints_change_nothing(trial: Trial, registry: Function, builder: Function) -> None:
    trial.cloud.messages()
    digests, rounds = [], []
    for name, within_s in (("whole", 900.0), ("pieces", LATE_S)):
        assert post(registry, many_items(name, 1001)).value["statusCode"] == 202
        rounds.append(trial.deliver(builder, within_s=within_s))
        digests.append(document(get(registry, f"/mosaics/{name}"))["digest"])
    assert rounds[0] == 1
    assert rounds[1] > 5
    assert digests[0] == digests[1]


@pytest.mark.usefixtures("tiler")
def test_sources_that_hang_cost_their_share_of_the_time_only(trial: Trial) -> None:
    with deaf_server() as deaf:
        buckets = json.loads(trial.cloud.environment["QUADMOSAIC_BUCKETS"])
        buckets["scenes"]["endpoint"] = deaf
        with trial.start("api", QUADMOSAIC_BUCKETS=json.dumps(buckets)) as function:
            late = get(function, f"/mosaics/m@1/{TILE}.png", within_s=3.5)
    assert late.value["statusCode"] == 204
    assert late.value["headers"]["x-assets-skipped"] == "g0,g1,g2"
    assert late.value["headers"]["cache-control"] == "public, max-age=10"
    assert late.seconds < 3.5


@pytest.mark.usefixtures("tiler")
def test_a_store_that_hangs_is_503_in_time(trial: Trial) -> None:
    with deaf_server() as deaf, trial.start("api", AWS_ENDPOINT_URL_DYNAMODB=deaf) as function:
        late = get(function, f"/mosaics/m/{TILE}.png", within_s=2.0)
    assert (late.value["statusCode"], late.value["headers"]["retry-after"]) == (503, "5")
    assert late.seconds < 2.0
