"""What every ledger owes: records that are appended once, in order, whoever writes and whatever gets lost."""

import asyncio
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from quadmosaic.domain.errors import Broken, Conflict, Invalid
from quadmosaic.ports import Entry, Ledger
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.ledger import BucketLedger, open_ledger
from quadmosaic.storage.opening import in_memory, open_bucket

type Open = Callable[[], Ledger]


def token() -> bytes:
    return os.urandom(16)


@pytest.fixture(params=["memory", "folder"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    return in_memory() if request.param == "memory" else open_bucket(str(tmp_path / "store"))


@pytest.fixture
def ledger(bucket: Bucket) -> Ledger:
    return BucketLedger(bucket, token=token)


async def test_a_stream_that_nobody_began_is_empty(ledger: Ledger) -> None:
    assert await ledger.last("builds/jezero") is None
    assert await ledger.entry("builds/jezero", 1) is None


async def test_the_last_record_is_the_one_appended_last(ledger: Ledger) -> None:
    for number in range(12):
        assert await ledger.append("registrations/jezero", b"%d" % number, after=number) == number + 1
    assert await ledger.last("registrations/jezero") == Entry(12, b"11")
    assert await ledger.entry("registrations/jezero", 3) == b"2"


async def test_only_one_of_many_writers_adds_a_record(bucket: Bucket) -> None:
    ledgers = [BucketLedger(bucket, token=token) for _ in range(8)]
    answers = await asyncio.gather(
        *(ledger.append("names", b"same", after=0) for ledger in ledgers), return_exceptions=True
    )
    assert sum(answer == 1 for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7


async def test_a_writer_knows_its_record_again_after_a_lost_reply(bucket: Bucket) -> None:
    fixed = itertools.repeat(b"0123456789abcdef")
    ledger = BucketLedger(bucket, token=lambda: next(fixed))
    assert await ledger.append("names", b"mine", after=0) == 1
    assert await ledger.append("names", b"mine", after=0) == 1


async def test_removing_a_stream_leaves_the_others(ledger: Ledger) -> None:
    await ledger.append("crawl/jezero/b1", b"x", after=0)
    await ledger.append("crawl/jezero/b2", b"y", after=0)
    await ledger.remove("crawl/jezero/b1")
    await ledger.remove("crawl/jezero/b1")
    assert await ledger.last("crawl/jezero/b1") is None
    assert await ledger.last("crawl/jezero/b2") == Entry(1, b"y")


async def test_old_records_are_taken_away_and_the_last_one_stays(ledger: Ledger) -> None:
    for number in range(12):
        await ledger.append("builds/jezero", b"%d" % number, after=number)
    await ledger.trim("builds/jezero", below=10)
    assert [await ledger.entry("builds/jezero", number) for number in (1, 9, 10, 12)] == [None, None, b"9", b"11"]
    await ledger.trim("builds/jezero", below=99)
    assert await ledger.last("builds/jezero") == Entry(12, b"11")
    assert await ledger.append("builds/jezero", b"12", after=12) == 13
    await ledger.trim("builds/nobody", below=5)


async def test_a_damaged_record_is_said_to_be_broken(bucket: Bucket, ledger: Ledger) -> None:
    await bucket.create("registry/names/0000000001", b"0123456789abcdefnot zlib")
    with pytest.raises(Broken, match="damaged"):
        await ledger.last("names")


@pytest.mark.parametrize("stream", ["", "../mosaics", "a//b", "A", "a/", "/a"])
async def test_a_stream_cannot_leave_its_folder(ledger: Ledger, stream: str) -> None:
    with pytest.raises(Invalid):
        await ledger.append(stream, b"", after=0)


def test_a_store_that_cannot_be_opened_has_no_ledger() -> None:
    with pytest.raises(Invalid, match="cannot open"):
        open_ledger("ftp://somewhere", token=token)
