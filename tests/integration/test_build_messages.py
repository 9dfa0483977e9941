"""Builds by messages: SQS to the handler to the store, killed, repeated, checkpointed and raced."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from lambda_handler.build import handle
from moto.server import ThreadedMotoServer

from quadmosaic import bootstrap
from quadmosaic.bootstrap import Adapters, Building
from quadmosaic.domain.errors import NotFound, Unavailable
from quadmosaic.domain.mosaic import Index, Manifest, MosaicRef, Version
from quadmosaic.domain.mosaicjson import write
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.domain.registrations import parse_registration
from quadmosaic.domain.schedules import Schedule
from quadmosaic.ports import Ledger, MosaicStore, Queue
from quadmosaic.services.jobs import Registered
from quadmosaic.services.vetting import unchecked
from quadmosaic.triggers.aws import EventBridgeScheduler, SqsQueue
from range_server import RangeServer
from registries import Place, features

type Message = tuple[str, str]

DUE = {"mosaic": "m", "scheduled": "2026-05-01T10:00:00Z"}


class ListQueue:
    """Keeps the messages for the test to deliver."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.is_down = False

    async def send(self, *, mosaic: str, build: str, delay_s: int = 0) -> None:  # noqa: ARG002
        if self.is_down:
            raise Unavailable("the queue is out of reach")
        self.sent.append((mosaic, build))


class FlakyScheduler:
    """Keeps the expressions, unless it is down."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.is_down = False

    async def put(self, mosaic: str, schedule: Schedule | None, *, since: datetime) -> None:  # noqa: ARG002
        if self.is_down:
            raise Unavailable("the scheduler is out of reach")
        if schedule is None:
            self.entries.pop(mosaic, None)
        else:
            self.entries[mosaic] = schedule.expression


class CountingLedger:
    """Counts what is read."""

    def __init__(self, inner: Ledger) -> None:
        self._inner = inner
        self.reads = 0

    def __getattr__(self, verb: str) -> Any:
        self.reads += verb in ("last", "entry")
        return getattr(self._inner, verb)


def event(*messages: Message | dict[str, Any] | str) -> dict[str, Any]:
    """What SQS hands to Lambda."""
    bodies = [m if isinstance(m, str) else json.dumps(m if isinstance(m, dict) else _message(m)) for m in messages]
    return {"Records": [{"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]}


def _message(message: Message) -> dict[str, Any]:
    return {"mosaic": message[0], "build": message[1]}


class Late:
    """Seconds that are left: plenty for the first `looks` looks, then too few."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def __call__(self) -> float:
        self.looks -= 1
        return 900.0 if self.looks >= 0 else 60.0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path)


def built_on(place: Place, queue: Queue, *, lease_s: float = 60.0, outside: Adapters | None = None) -> Building:
    outside = outside or bootstrap.adapters(place.settings)
    return bootstrap.building(place.settings, outside, queue=queue, wait_s=0, lease_s=lease_s)


async def begin(built: Building, body: dict[str, Any]) -> str:
    receipt = await built.registry.register(parse_registration(body))
    assert receipt.build is not None
    return receipt.build.id


def cogs(place: Place, count: int = 6) -> dict[str, Any]:
    hrefs = [place.file(f"g{number}", seed=number) for number in range(count)]
    return {"name": "m", "source": {"type": "cogs", "hrefs": hrefs}, "quadkey_zoom": 7}


async def digest(place: Place) -> tuple[int, str]:
    version = await bootstrap.adapters(place.settings).store.version(MosaicRef("m"))
    return version.number, version.digest


async def test_a_message_builds_the_mosaic(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    build_id = await begin(built, cogs(place))
    assert queue.sent == [("m", build_id)]
    reply = await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
    assert reply == {"batchItemFailures": []}
    build = (await built.registry.jobs.build("m", build_id)).build
    assert (build.status, build.version) == ("succeeded", 1)


async def test_the_same_message_three_times_makes_one_version(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    await begin(built, cogs(place))
    for _ in range(3):
        await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
    assert (await digest(place))[0] == 1
    versions = await bootstrap.adapters(place.settings).store.versions("m")
    assert len(versions.items) == 1


async def test_a_build_that_checkpoints_gives_the_same_digest(place: Place, tmp_path: Path) -> None:
    body = cogs(place)
    queue = ListQueue()
    built = built_on(place, queue)
    build_id = await begin(built, body)
    rounds = 0
    while queue.sent:
        message = queue.sent.pop(0)
        reply = await handle(event(message), built=built, queue=queue, left=Late(2))
        assert reply == {"batchItemFailures": []}
        rounds += 1
        assert rounds < 50
    build = (await built.registry.jobs.build("m", build_id)).build
    assert build.status == "succeeded", build.fault
    assert build.messages == rounds >= 5

    undisturbed = Place(folder=tmp_path, options={"store": str(tmp_path / "other")})
    other_queue = ListQueue()
    other = built_on(undisturbed, other_queue)
    await begin(other, body)
    await handle(event(*other_queue.sent), built=other, queue=other_queue, left=lambda: 900)
    assert (await digest(place))[1] == (await digest(undisturbed))[1]


async def test_a_document_that_names_other_files_halfway_is_built_as_it_is_now(tmp_path: Path) -> None:
    with RangeServer(tmp_path) as server:
        options = {
            "allowed_hosts": (f"file://{tmp_path / 'files'}", server.url.removeprefix("http://")),
            "allow_private": True,
        }
        place = Place(folder=tmp_path, options=options)
        (tmp_path / "files" / "old").mkdir(parents=True)
        (tmp_path / "files" / "new").mkdir()
        old, new, gone = place.file("old/a", seed=1), place.file("new/a", seed=2), place.file("old/gone")
        store, queue = bootstrap.adapters(place.settings).store, ListQueue()
        built = built_on(place, queue)
        await begin(built, {"name": "drawn", "source": {"type": "cogs", "hrefs": [old, gone]}, "quadkey_zoom": 7})
        await handle(event(queue.sent.pop()), built=built, queue=queue, left=lambda: 900)
        drawn = await store.version(MosaicRef("drawn"))
        document = write(from_index(await store.index(drawn), drawn.manifest, asset="data")).decode()
        (tmp_path / "mosaic.json").write_text(document)

        source = {"type": "mosaicjson", "href": f"{server.url}/mosaic.json"}
        build_id = await begin(built, {"name": "m", "source": source})
        while (await built.registry.jobs.build("m", build_id)).build.step != "cover":
            await handle(event(queue.sent.pop()), built=built, queue=queue, left=Late(2))
        one = json.loads(document)
        one = {**one, "asset_prefix": "", "tiles": {key: [new] for key in one["tiles"]}}
        (tmp_path / "mosaic.json").write_text(json.dumps(one))
        await handle(event(queue.sent.pop()), built=built, queue=queue, left=lambda: 900)

        build = (await built.registry.jobs.build("m", build_id)).build
        assert (build.status, build.fault) == ("succeeded", None)
        version = await store.version(MosaicRef("m"))
        headers = await store.headers(version, ["a", "gone"], "data")
        assert {name: header.etag for name, header in headers.items()} == {
            "a": await bootstrap.adapters(place.settings).reader.etag(new)
        }


async def test_a_style_that_only_the_builder_can_judge_fails_the_build_by_its_name(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    elsewhere = replace(built.registry, vetting=replace(built.registry.vetting, check_style=unchecked))
    receipt = await elsewhere.register(parse_registration({**cogs(place), "defaults": {"colormap_name": "viridiss"}}))
    assert receipt.build is not None
    await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
    build = (await built.registry.jobs.build("m", receipt.build.id)).build
    assert build.fault is not None
    assert (build.status, build.fault.status, build.fault.field) == ("failed", 400, "defaults.colormap_name")


async def test_a_message_for_a_build_that_is_worked_on_is_left_for_later(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    build_id = await begin(built, cogs(place))
    jobs = built.registry.jobs
    saved = await jobs.build("m", build_id)
    await jobs.save(saved, replace(saved.build, worker="someone", leased_until="2999-01-01T00:00:00+00:00"))
    reply = await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
    assert reply == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


async def test_a_bad_message_fails_alone(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    build_id = await begin(built, cogs(place))
    messages = ["no json", {"mosaic": "../x", "build": "b"}, ("m", build_id), ("m", "unknown"), "[]"]
    reply = await handle(event(*messages), built=built, queue=queue, left=lambda: 900)
    assert [each["itemIdentifier"] for each in reply["batchItemFailures"]] == ["m0", "m1", "m4"]
    assert (await digest(place))[0] == 1


async def test_of_two_builds_of_one_mosaic_one_wins(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    await begin(built, cogs(place))
    registered = await built.registry.jobs.registered("m")
    assert isinstance(registered, Registered)
    await built.rebuilds.start(registered, trigger="manual")
    await asyncio.gather(
        *(handle(event(message), built=built_on(place, queue), queue=queue, left=lambda: 900) for message in queue.sent)
    )
    builds = (await built.registry.jobs.builds("m")).items
    assert sorted(build.status for build in builds) in (
        ["failed", "succeeded"],
        ["succeeded", "unchanged"],
    )
    assert len((await bootstrap.adapters(place.settings).store.versions("m")).items) == 1


async def test_a_build_of_an_old_recipe_does_not_overwrite_the_new_one(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    await begin(built, cogs(place))
    newer = parse_registration({"name": "m", "source": features(place.item("b")), "quadkey_zoom": 7})
    await built.registry.replace(newer, expected=None)
    old, new = queue.sent
    await handle(event(new, old), built=built, queue=queue, left=lambda: 900)
    by_id = {build.id: build for build in (await built.registry.jobs.builds("m")).items}
    assert by_id[new[1]].status == "succeeded"
    assert by_id[old[1]].status == "failed"
    store = bootstrap.adapters(place.settings).store
    granules = await store.granules(await store.version(MosaicRef("m")))
    assert [granule.id for granule in granules.items] == ["b"]


async def test_a_confirmation_that_the_queue_did_not_take_is_made_good_by_its_repeat(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    await begin(built, cogs(place))
    await handle(event(queue.sent.pop()), built=built, queue=queue, left=lambda: 900)
    fewer = parse_registration(cogs(place, 2))
    held = (await built.registry.replace(fewer, expected=None)).build
    assert held is not None
    await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
    await built.registry.change("m", {"title": "New"}, expected=None)
    queue.sent.clear()
    queue.is_down = True
    with pytest.raises(Unavailable):
        await built.rebuilds.confirm("m", held.id)
    queue.is_down = False
    await built.rebuilds.confirm("m", held.id)
    await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
    assert (await built.registry.jobs.build("m", held.id)).build.status == "succeeded"
    head = await built.registry.store.version(MosaicRef("m"))
    assert (head.manifest.defaults.title, head.manifest.report.used) == ("New", 2)


class DeletingStore:
    """A store on which someone deletes the mosaic while a version of it is written."""

    def __init__(self, inner: MosaicStore, *, first: bool) -> None:
        self._inner = inner
        self._first = first
        self.delete_all: Callable[[], Awaitable[None]] | None = None

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._inner, verb)

    async def write(self, name: str, manifest: Manifest, index: Index) -> Version:
        delete = self.delete_all
        if self._first and delete is not None:
            await delete()
        version = await self._inner.write(name, manifest, index)
        if not self._first and delete is not None:
            await delete()
        return version


@pytest.mark.parametrize("first", [True, False])
async def test_a_mosaic_that_is_deleted_during_its_first_build_stays_away(place: Place, first: bool) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    build_id = await begin(built, cogs(place))
    store = DeletingStore(built.registry.store, first=first)
    store.delete_all = partial(built.registry.delete, "m", expected=None)
    publishing = replace(built.worker.publishing, store=cast("MosaicStore", store))
    watched = replace(built, worker=replace(built.worker, publishing=publishing))
    await handle(event(*queue.sent), built=watched, queue=queue, left=lambda: 900)
    with pytest.raises(NotFound):
        await built.registry.store.head("m")
    with pytest.raises(NotFound):
        await built.registry.jobs.build("m", build_id)
    store.delete_all = None
    queue.sent.clear()
    await begin(built, cogs(place))
    await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
    assert [build.status for build in (await built.registry.jobs.builds("m")).items] == ["succeeded"]


async def test_a_source_out_of_reach_is_tried_again_a_few_times(place: Place) -> None:
    queue = ListQueue()
    body = {"name": "m", "source": {"type": "stac", "href": "http://127.0.0.1:9/api"}}
    options = {"allowed_hosts": ("127.0.0.1:9",), "allow_private": True}
    waits: list[float] = []
    settings = Place(folder=place.folder, options=options).settings
    built = bootstrap.building(settings, bootstrap.adapters(settings), queue=queue, wait_s=0, sleep=waits.append)
    build_id = await begin(built, body)
    quick = replace(built, worker=replace(built.worker, tries=2))
    rounds = 0
    while queue.sent:
        await handle(event(queue.sent.pop(0)), built=quick, queue=queue, left=lambda: 900)
        rounds += 1
    build = (await built.registry.jobs.build("m", build_id)).build
    assert (rounds, build.status) == (2, "failed")
    assert waits == [0.5, 1.0, 2.0, 4.0] * 2
    assert build.fault is not None
    assert build.fault.status == Unavailable.status


async def test_a_fault_of_the_program_ends_the_build_and_no_other_message(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    build_id = await begin(built, cogs(place))

    def broken(_: object) -> None:
        raise RuntimeError("a secret of ours")

    steps = replace(built.worker.steps, check_style=broken)
    faulty = replace(built, worker=replace(built.worker, steps=steps))
    reply = await handle(event(*queue.sent), built=faulty, queue=queue, left=lambda: 900)
    assert reply == {"batchItemFailures": []}
    build = (await built.registry.jobs.build("m", build_id)).build
    assert build.fault is not None
    assert (build.status, build.fault.status) == ("failed", 500)
    assert "secret" not in build.fault.detail
    assert "a secret of ours" in caplog.text


async def test_a_build_that_kills_its_workers_is_given_up(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    build_id = await begin(built, cogs(place))

    def killed(_: object) -> None:
        raise asyncio.CancelledError

    worker = replace(built.worker, steps=replace(built.worker.steps, check_style=killed), most_messages=2, lease_s=0.0)
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            await worker.run("m", build_id)
    await worker.run("m", build_id)
    build = (await built.registry.jobs.build("m", build_id)).build
    assert build.fault is not None
    assert (build.status, build.fault.detail) == ("failed", "it is not finished after 2 messages")


async def test_a_registration_that_the_queue_did_not_take_is_built_by_its_repeat(place: Place) -> None:
    queue = ListQueue()
    built = built_on(place, queue)
    queue.is_down = True
    with pytest.raises(Unavailable):
        await begin(built, cogs(place))
    queue.is_down = False
    build_id = await begin(built, cogs(place))
    assert queue.sent == [("m", build_id)]
    assert len((await built.registry.jobs.builds("m")).items) == 1
    await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
    assert (await digest(place))[0] == 1


class TestSchedules:
    async def test_an_event_starts_one_build_however_often_it_comes(self, place: Place) -> None:
        queue = ListQueue()
        built = built_on(place, queue)
        await begin(built, {**cogs(place), "schedule": "rate(1 day)"})
        queue.sent.clear()
        for _ in range(3):
            assert await handle(event(DUE), built=built, queue=queue, left=lambda: 900) == {"batchItemFailures": []}
        from_bridge = {"id": "1", "time": "2026-05-01T10:00:00Z", "detail": {"mosaic": "m"}}
        assert await handle(from_bridge, built=built, queue=queue, left=lambda: 900) == {}
        assert set(queue.sent) == {("m", "20260501t100000-scheduled")}
        assert [build.trigger for build in (await built.registry.jobs.builds("m")).items] == ["schedule", "register"]

    async def test_an_event_that_the_queue_did_not_take_is_made_good_by_its_repeat(self, place: Place) -> None:
        queue = ListQueue()
        built = built_on(place, queue)
        await begin(built, {**cogs(place), "schedule": "rate(1 day)"})
        await handle(event(queue.sent.pop()), built=built, queue=queue, left=lambda: 900)
        scheduled = {"mosaic": "m", "scheduled": "2026-05-01T10:00:00Z"}
        queue.is_down = True
        reply = await handle(event(scheduled), built=built, queue=queue, left=lambda: 900)
        assert reply == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
        queue.is_down = False
        await handle(event(scheduled), built=built, queue=queue, left=lambda: 900)
        assert queue.sent == [("m", "20260501t100000-scheduled")]
        await handle(event(queue.sent.pop(), scheduled), built=built, queue=queue, left=lambda: 900)
        assert queue.sent == []

    async def test_an_event_starts_nothing_once_the_schedule_is_off(self, place: Place) -> None:
        queue = ListQueue()
        built = built_on(place, queue)
        await begin(built, cogs(place))
        queue.sent.clear()
        assert await handle(event(DUE), built=built, queue=queue, left=lambda: 900) == {"batchItemFailures": []}
        assert queue.sent == []

    async def test_a_schedule_that_the_scheduler_did_not_take_is_set_by_the_repeat(self, place: Place) -> None:
        queue, scheduler = ListQueue(), FlakyScheduler()
        plain = built_on(place, queue)
        built = replace(plain, registry=replace(plain.registry, scheduler=scheduler))
        scheduler.is_down = True
        with pytest.raises(Unavailable):
            await begin(built, {**cogs(place), "schedule": "rate(1 day)"})
        scheduler.is_down = False
        await begin(built, {**cogs(place), "schedule": "rate(1 day)"})
        assert scheduler.entries == {"m": "rate(1 day)"}

        scheduler.is_down = True
        with pytest.raises(Unavailable):
            await built.registry.change("m", {"schedule": "rate(2 days)"}, expected=None)
        scheduler.is_down = False
        await built.registry.change("m", {"schedule": "rate(2 days)"}, expected=None)
        assert scheduler.entries == {"m": "rate(2 days)"}

        scheduler.is_down = True
        with pytest.raises(Unavailable):
            await built.registry.delete("m", expected=None)
        scheduler.is_down = False
        await built.registry.delete("m", expected=None)
        assert scheduler.entries == {}

    async def test_what_is_due_is_started_once_by_many(self, place: Place) -> None:
        queue = ListQueue()
        built = built_on(place, queue)
        await begin(built, {**cogs(place), "schedule": "rate(1 minute)"})
        later = replace(built.scheduling, now=lambda: datetime.now(UTC) + timedelta(minutes=3, seconds=5))
        assert await built.scheduling.start_due() == []
        first, again = await later.start_due(), await later.start_due()
        assert [build.id for build in first] == [build.id for build in again]
        assert len((await built.registry.jobs.builds("m")).items) == 2
        await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
        assert await later.start_due() == []

    async def test_a_look_at_the_schedules_costs_one_read_for_each_mosaic(self, place: Place) -> None:
        queue = ListQueue()
        built = built_on(place, queue)
        for name in ("m", "n"):
            await begin(built, {**cogs(place), "name": name, "schedule": "rate(1 minute)"})
        ledger = CountingLedger(built.scheduling.jobs.ledger)
        watched = replace(built.scheduling, jobs=replace(built.scheduling.jobs, ledger=cast("Ledger", ledger)))
        later = replace(watched, now=lambda: datetime.now(UTC) + timedelta(hours=1))
        assert len(await later.start_due()) == 2
        await handle(event(*queue.sent), built=built, queue=queue, left=lambda: 900)
        fixed = replace(later, now=lambda: datetime.now(UTC))
        await fixed.start_due()
        ledger.reads = 0
        assert await fixed.start_due() == []
        assert ledger.reads == 3
        await built.registry.change("m", {"schedule": "rate(2 days)"}, expected=None)
        await fixed.start_due()
        assert ledger.reads > 6

    async def test_what_a_killed_process_left_is_found_again(self, place: Place) -> None:
        queue = ListQueue()
        await begin(built_on(place, queue), cogs(place))
        other = ListQueue()
        assert await built_on(place, other).scheduling.resume() == 1
        assert other.sent == queue.sent


@pytest.fixture(scope="module")
def moto() -> Generator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that mean nothing, where the SDK looks for them."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-west-2"),
    ):
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("aws")
async def test_sqs_carries_a_registration_to_the_handler(place: Place, moto: str) -> None:
    client = boto3.client("sqs", endpoint_url=moto)
    url = client.create_queue(QueueName="builds")["QueueUrl"]
    queue = SqsQueue(url=url, endpoint=moto)
    built = built_on(place, queue)
    build_id = await begin(built, cogs(place))
    received = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    records = {"Records": [{"messageId": each["MessageId"], "body": each["Body"]} for each in received]}
    assert await handle(records, built=built, queue=queue, left=lambda: 900) == {"batchItemFailures": []}
    assert (await built.registry.jobs.build("m", build_id)).build.status == "succeeded"


@pytest.mark.usefixtures("aws")
async def test_a_queue_out_of_reach_is_unavailable() -> None:
    queue = SqsQueue(url="http://127.0.0.1:9/q", endpoint="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await queue.send(mosaic="m", build="b")


@pytest.mark.usefixtures("aws")
async def test_schedules_are_entries_of_eventbridge_scheduler(moto: str) -> None:
    client = boto3.client("scheduler", endpoint_url=moto)
    client.create_schedule_group(Name="quadmosaic")
    scheduler = EventBridgeScheduler(
        group="quadmosaic",
        target="arn:aws:sqs:us-west-2:123456789012:builds",
        role="arn:aws:iam::123456789012:role/scheduler",
        endpoint=moto,
    )
    now = datetime.now(UTC)
    await scheduler.put("m", Schedule(expression="rate(1 day)"), since=now)
    await scheduler.put("m", Schedule(expression="cron(0 10 ? * MON *)", timezone="Europe/Berlin"), since=now)
    entry = client.get_schedule(Name="m", GroupName="quadmosaic")
    assert (entry["ScheduleExpression"], entry["ScheduleExpressionTimezone"]) == (
        "cron(0 10 ? * MON *)",
        "Europe/Berlin",
    )
    assert json.loads(entry["Target"]["Input"])["mosaic"] == "m"
    await scheduler.put("m", None, since=now)
    await scheduler.put("m", None, since=now)
    assert client.list_schedules(GroupName="quadmosaic")["Schedules"] == []
