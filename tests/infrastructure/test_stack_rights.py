"""Rights: the service's own code, run as each role before a guard that judges by the synthesised policies.

A build of sources in a bucket that must be signed for, registered by HTTP, started by a message, drawn as a tile.
"""

import asyncio
import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from deploying import Deployment, deploy
from fastapi.testclient import TestClient
from iam_guard import Act, Guard, Statement, allows
from intrinsics import ACCOUNT, REGION, resolve
from lambda_handler.build import handle
from moto.server import ThreadedMotoServer

from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.storage.dynamodb import ITEM_BYTES
from quadmosaic.storage.opening import open_bucket
from registries import AUTH, tokens_setting
from toys import heights, url, write_tile

if TYPE_CHECKING:
    from synthesis import Synthesis

SOURCES = "sources"
OPTIONS = {
    "name": "guarded",
    "buckets": json.dumps({SOURCES: {"region": REGION, "mode": "signed"}, "open": {"region": REGION}}),
    "allowed_hosts": f"s3://{SOURCES}/ctx,s3://open",
}
ROLES = ("Tiler", "Registry", "Builder")
LAMBDA_S_OWN = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
}
"""What Lambda itself does in a role's name: logs, traces and the reading of the queue."""
WITHOUT = ("AWS::S3::BucketPolicy", "AWS::Lambda::EventSourceMapping")
"""moto takes a denial for one without conditions; and it would hand messages to a function that it cannot run."""
LARGE = b"x" * (ITEM_BYTES + 1)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The stack in moto behind the guard."""

    endpoint: str
    stack: "Synthesis"
    deployment: Deployment
    guard: Guard

    def environment(self, role: str) -> dict[str, str]:
        """What the function of a role finds around it, with moto in the place of AWS."""
        told = self.stack.properties("AWS::Lambda::Function", starting=role)["Environment"]["Variables"]
        settings = resolve(told, self.deployment.made)
        sources = {
            name: {**bucket, "endpoint": self.endpoint}
            for name, bucket in json.loads(settings["QUADMOSAIC_BUCKETS"]).items()
        }
        return {
            **settings,
            "QUADMOSAIC_BUCKETS": json.dumps(sources),
            "AWS_ACCESS_KEY_ID": role,
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    @contextmanager
    def as_role(self, role: str) -> Iterator[Settings]:
        """The process as the function of a role."""
        with pytest.MonkeyPatch.context() as patched:
            for name in [name for name in os.environ if name.startswith(("QUADMOSAIC_", "AWS_"))]:
                patched.delenv(name)
            for name, value in self.environment(role).items():
                patched.setenv(name, value)
            boto3.setup_default_session()
            yield Settings()
        boto3.DEFAULT_SESSION = None

    def client(self, service: str, key: str = "administrator") -> Any:
        keys = {"aws_access_key_id": key, "aws_secret_access_key": "x"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, **keys)

    def ref(self, kind: str, *, starting: str = "") -> str:
        return self.deployment.made[self.stack.name(kind, starting=starting)].ref

    def statements(self, role: str) -> list[Statement]:
        (policy,) = self.stack.properties("AWS::IAM::Role", starting=role)["Policies"]
        found: list[Statement] = resolve(policy["PolicyDocument"]["Statement"], self.deployment.made)
        return found


@pytest.fixture(scope="module")
def place(synthesised: Any) -> Generator[Place]:
    stack: Synthesis = synthesised(**OPTIONS)
    guard = Guard()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    assert server._server is not None
    server._server.app = guard.before(server._server.app)
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    deployment = deploy(stack.template, endpoint, prefix="guarded", without=WITHOUT)
    place = Place(endpoint=endpoint, stack=stack, deployment=deployment, guard=guard)
    _fill(place)
    guard.policies |= {role: place.statements(role) for role in ROLES}
    yield place
    server.stop()


def _fill(place: Place) -> None:
    """Sources in a bucket of their own, and a token that may write."""
    s3 = place.client("s3")
    for bucket in (SOURCES, "others"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=bucket, Key="elsewhere/a.tif", Body=b"secret")
    place.client("dynamodb").create_table(
        TableName="others",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    secret = place.ref("AWS::SecretsManager::Secret")
    place.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=tokens_setting())


@pytest.fixture(scope="module")
def run(place: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A life: registered and scheduled, built, drawn, changed and deleted; answers what came back."""
    folder = tmp_path_factory.mktemp("sources")
    for number in (1, 2):
        path = write_tile(folder / f"{number}.tif", heights(seed=number, dtype="uint8", bands=3))
        place.client("s3").upload_file(str(path), SOURCES, f"ctx/{number}.tif")
    hrefs = [f"s3://{SOURCES}/ctx/{number}.tif" for number in (1, 2)]
    body = {"name": "m", "source": {"type": "cogs", "hrefs": hrefs}, "quadkey_zoom": 7, "schedule": "rate(1 day)"}
    found: dict[str, Any] = {}
    with place.as_role("Registry") as settings, _client(bootstrap.registry_served(settings).app) as registry:
        found["registered"] = registry.post("/mosaics", json=body)
        found["rescheduled"] = registry.patch("/mosaics/m", json={"schedule": "rate(2 days)"})
        found["schedules"] = place.client("scheduler").list_schedules()["Schedules"]
    with place.as_role("Builder") as settings:
        found["built"] = asyncio.run(_built(place, settings))
    with place.as_role("Tiler") as settings, _client(bootstrap.maps_served(settings).app) as maps:
        found["tile"] = maps.get(url("m", ".png"))
        found["info"] = maps.get("/mosaics/m/info")
        found["mosaicjson"] = maps.get("/mosaics/m/mosaic.json")
    with place.as_role("Registry") as settings, _client(bootstrap.registry_served(settings).app) as registry:
        found["listed"] = registry.get("/mosaics")
        found["granules"] = registry.get("/mosaics/m/granules")
        found["deleted"] = registry.delete("/mosaics/m")
    for role in ("Registry", "Builder"):
        with place.as_role(role) as settings:
            found[role] = asyncio.run(_spilled(settings, role))
    with place.as_role("Tiler") as settings:
        found["Tiler"] = asyncio.run(open_bucket(settings.store).get("mosaics/Builder/lives/1/versions/2"))
    return found


def _client(app: Any) -> TestClient:
    return TestClient(app, headers=AUTH, base_url="https://maps.example.com")


async def _built(place: Place, settings: Settings) -> dict[str, Any]:
    """The builder with all that waits in the queue, and a schedule that fires."""
    queue = bootstrap.sqs_queue(settings)
    built = bootstrap.building(settings, bootstrap.adapters(settings), queue=queue, wait_s=0)
    url = place.ref("AWS::SQS::Queue", starting="BuildsQueue")
    received = place.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    records = [{"messageId": each["MessageId"], "body": each["Body"]} for each in received]
    reply = await handle({"Records": records}, built=built, queue=queue, left=lambda: 900)
    fired = {"mosaic": "m", "scheduled": "2026-05-01T10:00:00Z"}
    await handle(
        {"Records": [{"messageId": "s", "body": json.dumps(fired)}]}, built=built, queue=queue, left=lambda: 900
    )
    return {**reply, "messages": len(received)}


async def _spilled(settings: Settings, role: str) -> list[Any]:
    """An object too large for an item: made, read and removed; a second one stays."""
    bucket = open_bucket(settings.store)
    gone, kept = (f"mosaics/{role}/lives/1/versions/{number}" for number in (1, 2))
    made = [await bucket.create(path, LARGE) for path in (gone, kept)]
    read = await bucket.get(gone)
    await bucket.remove([gone])
    return [*made, read == LARGE, await bucket.get(gone)]


def test_the_life_of_a_mosaic_needs_no_other_right(place: Place, run: dict[str, Any]) -> None:
    assert run["registered"].status_code == 202, run["registered"].text
    assert run["rescheduled"].status_code == 200, run["rescheduled"].text
    assert [each["Name"] for each in run["schedules"]] == ["m"]
    assert run["built"] == {"batchItemFailures": [], "messages": 1}
    assert run["tile"].status_code == 200, run["tile"].text
    assert run["tile"].headers["x-assets"]
    assert "x-assets-skipped" not in run["tile"].headers
    assert (run["info"].status_code, run["mosaicjson"].status_code) == (200, 200)
    assert [each["name"] for each in run["listed"].json()["mosaics"]] == ["m"]
    assert len(run["granules"].json()["features"]) == 2
    assert run["deleted"].status_code == 204, run["deleted"].text
    assert run["Registry"] == run["Builder"] == [True, True, True, None]
    assert run["Tiler"] == LARGE
    # Those that the refusals below were asked for are none of the code's own.
    assert [refusal for refusal in place.guard.refused if refusal[0] in ROLES and refusal[1] not in ASKED] == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.usefixtures("run")
def test_no_right_is_there_that_the_code_does_not_use(place: Place, role: str) -> None:
    granted = {
        action
        for statement in place.statements(role)
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    used = {act.action for who, act in place.guard.done if who == role}
    assert granted - used - LAMBDA_S_OWN == set()


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


TABLE, BUCKET = "guarded-storagetableb43fdce7", "guarded-storagedocumentscd3fce94"
ASKED = {
    Act("dynamodb:PutItem", _arn("dynamodb", f"table/{TABLE}")),
    Act("dynamodb:DeleteItem", _arn("dynamodb", f"table/{TABLE}")),
    Act("dynamodb:Scan", _arn("dynamodb", f"table/{TABLE}")),
    Act("dynamodb:GetItem", _arn("dynamodb", "table/others")),
    Act("dynamodb:PutItem", _arn("dynamodb", "table/others")),
    Act("s3:PutObject", f"arn:aws:s3:::{BUCKET}/mosaics/x"),
    Act("s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/mosaics/x"),
    Act("s3:GetObject", f"arn:aws:s3:::{BUCKET}/elsewhere"),
    Act("s3:PutObject", f"arn:aws:s3:::{BUCKET}/elsewhere"),
    Act("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
    Act("s3:GetObject", f"arn:aws:s3:::{SOURCES}/elsewhere/a.tif"),
    Act("s3:PutObject", f"arn:aws:s3:::{SOURCES}/ctx/1.tif"),
    Act("s3:GetObject", "arn:aws:s3:::others/elsewhere/a.tif"),
}


def _key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": "0"}}


REFUSED: dict[str, tuple[str, str, dict[str, Any], tuple[str, ...]]] = {
    "write to its table": ("dynamodb", "put_item", {"TableName": TABLE, "Item": _key("x")}, ("Tiler",)),
    "delete from its table": ("dynamodb", "delete_item", {"TableName": TABLE, "Key": _key("x")}, ROLES),
    "scan its table": ("dynamodb", "scan", {"TableName": TABLE}, ROLES),
    "read another table": ("dynamodb", "get_item", {"TableName": "others", "Key": {"pk": {"S": "x"}}}, ROLES),
    "write to another table": ("dynamodb", "put_item", {"TableName": "others", "Item": {"pk": {"S": "x"}}}, ROLES),
    "write a document": ("s3", "put_object", {"Bucket": BUCKET, "Key": "mosaics/x", "Body": b""}, ("Tiler",)),
    "delete a document": ("s3", "delete_object", {"Bucket": BUCKET, "Key": "mosaics/x"}, ("Tiler",)),
    "read beside the documents": ("s3", "get_object", {"Bucket": BUCKET, "Key": "elsewhere"}, ROLES),
    "write beside the documents": ("s3", "put_object", {"Bucket": BUCKET, "Key": "elsewhere", "Body": b""}, ROLES),
    "list the bucket": ("s3", "list_objects_v2", {"Bucket": BUCKET}, ROLES),
    "read a folder of sources that is not allowed": (
        "s3",
        "get_object",
        {"Bucket": SOURCES, "Key": "elsewhere/a.tif"},
        ROLES,
    ),
    "write to sources": ("s3", "put_object", {"Bucket": SOURCES, "Key": "ctx/1.tif", "Body": b""}, ROLES),
    "read another bucket": ("s3", "get_object", {"Bucket": "others", "Key": "elsewhere/a.tif"}, ROLES),
}
CASES = [(what, role) for what, (_, _, _, roles) in REFUSED.items() for role in roles]


@pytest.mark.parametrize(("what", "role"), CASES)
def test_a_role_must_not(place: Place, what: str, role: str) -> None:
    assert (place.ref("AWS::DynamoDB::Table"), place.ref("AWS::S3::Bucket", starting="StorageDoc")) == (TABLE, BUCKET)
    service, operation, told, _ = REFUSED[what]
    with pytest.raises(ClientError) as caught:
        getattr(place.client(service, role), operation)(**told)
    assert caught.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")


@pytest.mark.parametrize(
    ("role", "action", "resource"),
    [
        ("Tiler", "sqs:SendMessage", "queue"),
        ("Tiler", "secretsmanager:GetSecretValue", "secret"),
        ("Tiler", "scheduler:CreateSchedule", "entry"),
        ("Tiler", "iam:PassRole", "role"),
        ("Builder", "secretsmanager:GetSecretValue", "secret"),
        ("Builder", "scheduler:DeleteSchedule", "entry"),
        ("Builder", "iam:PassRole", "role"),
        ("Registry", "sqs:ReceiveMessage", "queue"),
        ("Registry", "secretsmanager:PutSecretValue", "secret"),
        ("Registry", "s3:GetObject", "source"),
        ("Registry", "scheduler:CreateSchedule", "entry of another group"),
        ("Registry", "iam:PassRole", "another role"),
        ("Schedules", "sqs:ReceiveMessage", "queue"),
        ("Schedules", "sqs:SendMessage", "dead letters"),
    ],
)
def test_a_role_has_no_right_that_is_anothers(place: Place, role: str, action: str, resource: str) -> None:
    group = place.ref("AWS::Scheduler::ScheduleGroup")
    resources = {
        "queue": place.deployment.made[place.stack.name("AWS::SQS::Queue", starting="BuildsQueue")].attributes["Arn"],
        "dead letters": place.deployment.made[place.stack.name("AWS::SQS::Queue", starting="BuildsDead")].attributes[
            "Arn"
        ],
        "secret": place.ref("AWS::SecretsManager::Secret"),
        "entry": _arn("scheduler", f"schedule/{group}/m"),
        "entry of another group": _arn("scheduler", "schedule/default/m"),
        "role": place.deployment.made[place.stack.name("AWS::IAM::Role", starting="Schedules")].attributes["Arn"],
        "another role": f"arn:aws:iam::{ACCOUNT}:role/admin",
        "source": f"arn:aws:s3:::{SOURCES}/ctx/1.tif",
    }
    passed = (("iam:PassedToService", "scheduler.amazonaws.com"),)
    assert not allows(place.statements(role), Act(action, resources[resource], passed))


def test_the_scheduler_role_is_handed_to_the_scheduler_alone(place: Place) -> None:
    role = place.deployment.made[place.stack.name("AWS::IAM::Role", starting="Schedules")].attributes["Arn"]
    statements = place.statements("Registry")
    for service, allowed in (("scheduler.amazonaws.com", True), ("lambda.amazonaws.com", False)):
        assert allows(statements, Act("iam:PassRole", role, (("iam:PassedToService", service),))) is allowed


def test_scheduled_messages_may_be_sent(place: Place) -> None:
    queue = place.deployment.made[place.stack.name("AWS::SQS::Queue", starting="BuildsQueue")].attributes["Arn"]
    assert allows(place.statements("Schedules"), Act("sqs:SendMessage", queue))


@pytest.mark.parametrize("role", ROLES)
def test_wildcards_are_only_where_they_were_given_a_reason(stack: "Synthesis", role: str) -> None:
    (policy,) = stack.properties("AWS::IAM::Role", starting=role)["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    wild = {each["Sid"] for each in statements if "*" in json.dumps(each["Resource"])}
    assert wild <= {"ReadDocuments", "WriteDocuments", "KeepSchedules", "Trace"}
    assert [each["Resource"] for each in statements if each["Resource"] == "*"] == ["*"]
    assert not any("*" in json.dumps(each["Action"]) for each in statements)


def test_anonymous_sources_need_no_right(stack: "Synthesis") -> None:
    assert "ReadSources" not in json.dumps(stack.template)
