"""What only a DynamoDB table has: limits of items and calls, work left undone, and how it is said when it is down."""

from collections.abc import Mapping
from random import Random
from time import time
from typing import Any

import pytest
from aws import AwsServers, new_engine
from engines import CACHE_BYTES, Killed, TableEngine, open_on
from indexes import below, found, granule, header, in_cells, listed, manifest_of, random_index, small_index

from quadmosaic.domain.errors import Conflict, Invalid, Unavailable
from quadmosaic.domain.mosaic import Index, MosaicRef, Version
from quadmosaic.ports import MosaicStore
from quadmosaic.storage.dynamodb import TableBucket
from quadmosaic.storage.dynamodb_client import Table
from quadmosaic.storage.ledger import BucketLedger
from quadmosaic.storage.objects import ObjectMosaicStore, open_store
from quadmosaic.storage.opening import open_bucket


@pytest.fixture(params=["dynamodb", pytest.param("dynalite", marks=pytest.mark.clients)])
async def engine(
    request: pytest.FixtureRequest, aws_servers: AwsServers, monkeypatch: pytest.MonkeyPatch
) -> TableEngine:
    """A table with nothing in it."""
    for name, value in aws_servers.environment(request.param).items():
        monkeypatch.setenv(name, value)
    made = await new_engine(request.param)
    assert isinstance(made, TableEngine)
    return made


def open_with(engine: TableEngine, table: Table) -> MosaicStore:
    bucket = TableBucket(table, documents=open_bucket(engine.documents))
    return ObjectMosaicStore(bucket, head_ttl_s=60, cache_bytes=CACHE_BYTES)


async def publish(store: MosaicStore, index: Index) -> Version:
    version = await store.write("jezero", manifest_of(index), index)
    await store.publish(MosaicRef("jezero", version.number), expected=None)
    return version


class CountedTable(Table):
    """Notes every call."""

    def __init__(self, table: Table) -> None:
        super().__init__(region=table.region, name=table.name)
        self.calls: list[str] = []

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append(operation)
        return await super().call(operation, parameters)


async def test_a_look_up_takes_one_wave_of_at_most_four_calls(engine: TableEngine) -> None:
    index = random_index(zoom=9, cells=30_000, granules=3000)
    version = await publish(open_on(engine.bucket()), index)
    counted = CountedTable(engine.table)
    store = open_with(engine, counted)
    await store.version(MosaicRef("jezero"))
    five_above = [key[:4] for key in index.cells][:1]
    for prefixes in (five_above, ["0123", "0132", "1", "222"], [""]):
        counted.calls.clear()
        lookup = await store.lookup_prefix(version, prefixes, limit=4096)
        assert len(counted.calls) <= 4, prefixes
        expected = [list(below(index, prefix).items()) for prefix in prefixes]
        assert found(lookup.cells) == {key: names for part in expected for key, names in part[:4096]}
        assert lookup.cut == any(len(part) > 4096 for part in expected)
    cells = list(index.cells)[::4000]
    fresh = open_with(engine, counted)
    await fresh.version(MosaicRef("jezero"))
    counted.calls.clear()
    assert found((await fresh.lookup(version, cells)).cells) == in_cells(index, cells)
    assert counted.calls == ["batch_get_item"]
    counted.calls.clear()
    await fresh.lookup(version, cells)
    assert counted.calls == []


async def test_10_000_granules_in_one_cell(engine: TableEngine) -> None:
    random = Random(1)
    members = tuple(granule(f"g{n}", noise=random.randbytes(40).hex()) for n in range(10_000))
    index = Index(
        grid_id="MarsMercatorSphere", zoom=2, granules=members, cells={"12": tuple(range(10_000)), "13": (7,)}
    )
    version = await publish(open_on(engine.bucket()), index)
    large = [entry.path async for entry in open_bucket(engine.documents).entries("")]
    assert 0 < len(large) < len([path for path in await engine.paths() if "/parts/" in path])
    back = await open_on(engine.bucket()).lookup(version, ["12", "13"])
    assert found(back.cells) == listed(index)
    store = open_on(engine.bucket())
    await store.delete("jezero")
    assert not [entry.path async for entry in open_bucket(engine.documents).entries("")]


class DeadTable(Table):
    """Dies instead of its first write."""

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "put_item":
            raise Killed
        return await super().call(operation, parameters)


async def test_a_writer_killed_between_a_large_record_and_its_item_is_in_nobodys_way(engine: TableEngine) -> None:
    documents, random = open_bucket(engine.documents), Random(3)
    dead = TableBucket(DeadTable(region=engine.table.region, name=engine.table.name), documents=documents)
    stream, first, second = "crawl/jezero/b1", random.randbytes(500_000), random.randbytes(500_000)
    with pytest.raises(Killed):
        await BucketLedger(dead, token=lambda: random.randbytes(16)).append(stream, first, after=0)
    assert len([entry.path async for entry in documents.entries("")]) == 1

    ledger = BucketLedger(engine.bucket(), token=lambda: random.randbytes(16))
    assert await ledger.last(stream) is None
    assert await ledger.append(stream, second, after=0) == 1
    assert await ledger.entry(stream, 1) == second
    with pytest.raises(Conflict):
        await ledger.append(stream, first, after=0)
    assert await engine.bucket().tidy(time() - 60) == 0
    assert await engine.bucket().tidy(time() + 60) == 2
    assert await ledger.entry(stream, 1) == second
    await ledger.remove(stream)
    assert not [entry.path async for entry in documents.entries("")]


async def test_a_large_object_that_an_earlier_release_wrote_is_read_and_removed(engine: TableEngine) -> None:
    path, body = "mosaics/jezero/lives/0000000000/versions/0000000001", b"x" * 400_000
    await open_bucket(engine.documents).create(path, body)
    partition, _, sort = path.rpartition("/")
    item = {"pk": {"S": partition}, "sk": {"S": sort}, "document": {"N": str(len(body))}, "modified": {"N": "0"}}
    await engine.table.call("put_item", {"Item": item})
    assert await engine.bucket().get(path) == body
    assert await engine.bucket().tidy(time() + 60) == 0
    await engine.bucket().remove([path])
    assert await engine.bucket().get(path) is None
    assert not [entry.path async for entry in open_bucket(engine.documents).entries("")]


async def test_headers_of_many_granules_come_in_one_call(engine: TableEngine) -> None:
    index = small_index(*(f"g{n}" for n in range(400)))
    headers = {f"g{n}": {"dtm": header(blocks=700, seed=n)} for n in range(400)}
    index = Index(grid_id=index.grid_id, zoom=index.zoom, granules=index.granules, cells=index.cells, headers=headers)
    version = await publish(open_on(engine.bucket()), index)
    counted = CountedTable(engine.table)
    store = open_with(engine, counted)
    await store.version(MosaicRef("jezero"))
    counted.calls.clear()
    wanted = [f"g{n}" for n in range(0, 400, 20)]
    assert await store.headers(version, wanted, "dtm") == {name: headers[name]["dtm"] for name in wanted}
    assert counted.calls == ["batch_get_item"]


class ReluctantTable(Table):
    """Does half of every batch and leaves the rest to be asked for again."""

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if not operation.startswith("batch_"):
            return await super().call(operation, parameters)
        ((name, asked),) = parameters["RequestItems"].items()
        if operation == "batch_write_item":
            half = (len(asked) + 1) // 2
            await super().call(operation, {"RequestItems": {name: asked[:half]}})
            rest = {name: asked[half:]} if asked[half:] else {}
            return {"UnprocessedItems": rest}
        half = (len(asked["Keys"]) + 1) // 2
        answer = await super().call(operation, {"RequestItems": {name: {**asked, "Keys": asked["Keys"][:half]}}})
        rest = {name: {**asked, "Keys": asked["Keys"][half:]}} if asked["Keys"][half:] else {}
        return {**answer, "UnprocessedKeys": rest}


async def test_what_a_batch_leaves_undone_is_asked_for_again(engine: TableEngine) -> None:
    reluctant = ReluctantTable(region=engine.table.region, name=engine.table.name)
    store = open_with(engine, reluctant)
    index = random_index(zoom=8, cells=6000, granules=900)
    version = await publish(store, index)
    assert listed(await store.index(version)) == listed(index)
    assert listed(await open_on(engine.bucket()).index(version)) == listed(index)


class ThrottledTable(ReluctantTable):
    """Does nothing of any batch."""

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation.startswith("batch_get"):
            return {"Responses": {}, "UnprocessedKeys": parameters["RequestItems"]}
        return await super().call(operation, parameters)


async def test_a_table_that_stays_throttled_is_unavailable_for_a_while(engine: TableEngine) -> None:
    version = await publish(open_on(engine.bucket()), small_index("a"))
    throttled = ThrottledTable(region=engine.table.region, name=engine.table.name)
    with pytest.raises(Unavailable, match="throttled") as refusal:
        await open_with(engine, throttled).lookup(version, ["12"])
    assert refusal.value.retry_after > 0


async def test_a_missing_table_is_named(engine: TableEngine) -> None:
    store = open_with(engine, Table(region=engine.table.region, name="no-such-table"))
    with pytest.raises(Unavailable, match="no-such-table"):
        await store.head("jezero")


async def test_a_service_that_is_down_is_unavailable(engine: TableEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    for url in (f"dynamodb://us-west-2/{engine.table.name}?documents=s3://mosaics/x", "s3://mosaics/x"):
        with pytest.raises(Unavailable) as refusal:
            await open_store(url).head("jezero")
        assert refusal.value.retry_after > 0


@pytest.mark.parametrize(
    "url",
    [
        "dynamodb://us-west-2",
        "dynamodb://us-west-2/table",
        "dynamodb://us-west-2/table?documents=",
        "dynamodb://us-west-2/table?documents=dynamodb://x/y",
        "dynamodb:///table?documents=s3://b/p",
        "dynamodb://us-west-2/table/more?documents=s3://b/p",
        "dynamodb://us-west-2/table?documents=s3://b/p&more=1",
        "s3://",
        "s3:///prefix",
        "s3://bucket/prefix?x=1",
    ],
)
def test_a_url_that_names_no_table_or_bucket_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        open_store(url)
    assert refusal.value.field == "store"
