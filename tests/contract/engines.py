"""The engines that the store's contract runs on: how to open a store anew, and how to let a writer die."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Protocol

from obstore.store import MemoryStore

from quadmosaic.ports import MosaicStore
from quadmosaic.storage.bucket import Bucket, Entry
from quadmosaic.storage.dynamodb import TableBucket
from quadmosaic.storage.dynamodb_client import PARTITION, SORT, Table
from quadmosaic.storage.dynamodb_keys import Key, path_of
from quadmosaic.storage.object_bucket import ObjectBucket
from quadmosaic.storage.objects import ObjectMosaicStore
from quadmosaic.storage.opening import open_bucket

CACHE_BYTES = 4_000_000


class Killed(BaseException):
    """What a writer gets instead of its next write."""


class Engine(Protocol):
    """Lasting storage that several processes share."""

    def bucket(self) -> Bucket:
        """What lies in the engine, as another process sees it."""
        ...

    async def paths(self) -> set[str]:
        """All that lies in the engine."""
        ...


class PassedOn:
    """A bucket that is another one, but for what a subclass changes."""

    def __init__(self, inner: Bucket) -> None:
        self.inner = inner
        self.per_call = inner.per_call

    async def get(self, path: str) -> bytes | None:
        return await self.inner.get(path)

    async def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        return await self.inner.get_many(paths)

    async def create(self, path: str, body: bytes) -> bool:
        return await self.inner.create(path, body)

    async def put_all(self, bodies: Mapping[str, bytes]) -> None:
        await self.inner.put_all(bodies)

    async def missing(self, paths: Collection[str]) -> set[str]:
        return await self.inner.missing(paths)

    async def entries(self, folder: str, *, after: str | None = None) -> AsyncIterator[Entry]:
        async for entry in self.inner.entries(folder, after=after):
            yield entry

    async def last(self, folder: str, *, after: str | None = None) -> tuple[str, bytes] | None:
        return await self.inner.last(folder, after=after)

    async def remove(self, paths: Sequence[str]) -> None:
        await self.inner.remove(paths)

    async def tidy(self, before: float) -> int:
        return await self.inner.tidy(before)


class DyingBucket(PassedOn):
    """Writes so many objects and no more."""

    def __init__(self, inner: Bucket, *, writes: int) -> None:
        super().__init__(inner)
        self.writes = writes

    async def create(self, path: str, body: bytes) -> bool:
        if self.writes == 0:
            raise Killed
        self.writes -= 1
        return await super().create(path, body)

    async def put_all(self, bodies: Mapping[str, bytes]) -> None:
        for path, body in bodies.items():
            await self.create(path, body)


class DeafBucket(PassedOn):
    """Writes everything twice and hears the second answer only."""

    async def create(self, path: str, body: bytes) -> bool:
        await super().create(path, body)
        return await super().create(path, body)

    async def put_all(self, bodies: Mapping[str, bytes]) -> None:
        await super().put_all(bodies)
        await super().put_all(bodies)


@dataclass(frozen=True)
class MemoryEngine:
    """All processes share one object in memory."""

    objects: MemoryStore

    def bucket(self) -> Bucket:
        return ObjectBucket(lambda _: self.objects)

    async def paths(self) -> set[str]:
        return {entry.path async for entry in self.bucket().entries("")}


@dataclass(frozen=True)
class UrlEngine:
    """A folder that nobody made yet, or a bucket with nothing in it."""

    url: str

    def bucket(self) -> Bucket:
        return open_bucket(self.url)

    async def paths(self) -> set[str]:
        return {entry.path async for entry in self.bucket().entries("")}


@dataclass(frozen=True)
class TableEngine:
    """A DynamoDB table with nothing in it; all processes share one client, which knows nothing of what was read."""

    table: Table
    documents: str

    @property
    def url(self) -> str:
        return f"dynamodb://{self.table.region}/{self.table.name}?documents={self.documents.replace('%', '%25')}"

    def bucket(self) -> Bucket:
        return TableBucket(self.table, documents=open_bucket(self.documents))

    async def paths(self) -> set[str]:
        found: set[str] = set()
        start: dict[str, object] = {}
        while True:
            answer = await self.table.call("scan", start)
            found |= {path_of(Key(item[PARTITION]["S"], item[SORT]["S"])) for item in answer["Items"]}
            if "LastEvaluatedKey" not in answer:
                return found
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def open_on(bucket: Bucket, *, head_ttl_s: float = 0.0, now: Callable[[], float] = time) -> MosaicStore:
    """A store as a process of its own, with its own caches."""
    return ObjectMosaicStore(bucket, head_ttl_s=head_ttl_s, cache_bytes=CACHE_BYTES, now=now)


def open_dying(engine: Engine, *, writes: int) -> MosaicStore:
    """A store in a process that is killed instead of its next write after `writes`."""
    return open_on(DyingBucket(engine.bucket(), writes=writes))


def open_deaf(engine: Engine) -> MosaicStore:
    """A store in a process that never hears that a write succeeded, and so tries it a second time."""
    return open_on(DeafBucket(engine.bucket()))


def open_later(engine: Engine, seconds: float) -> MosaicStore:
    """A store whose clock is ahead, so that all that lies in the engine is so much older."""
    return open_on(engine.bucket(), now=lambda: time() + seconds)
