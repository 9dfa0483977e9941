"""The engines that the store's contract runs on: how to open a store anew, and how to let a writer die."""

from dataclasses import dataclass
from typing import Protocol

from obstore.store import MemoryStore, ObjectStore

from quadmosaic.ports import MosaicStore
from quadmosaic.storage.bucket import Bucket, open_bucket
from quadmosaic.storage.objects import ObjectMosaicStore, open_store

CACHE_BYTES = 4_000_000


class Killed(BaseException):
    """What a writer gets instead of its next write."""


class Engine(Protocol):
    """Lasting storage that several processes share."""

    def open(self, *, head_ttl_s: float = 0.0) -> MosaicStore:
        """The store as another process sees it, with caches of its own."""
        ...

    def open_dying(self, *, writes: int) -> MosaicStore:
        """A store in a process that is killed instead of its next write after `writes`."""
        ...

    def open_deaf(self) -> MosaicStore:
        """A store in a process that never hears that a write succeeded, and so tries it a second time."""
        ...

    def bucket(self) -> Bucket:
        """What lies in the engine, for tests of the layout."""
        ...


class DyingBucket(Bucket):
    """Writes so many objects and no more."""

    writes = 0

    async def create(self, path: str, body: bytes) -> bool:
        if self.writes == 0:
            raise Killed
        self.writes -= 1
        return await super().create(path, body)


class DeafBucket(Bucket):
    """Writes everything twice and hears the second answer only."""

    async def create(self, path: str, body: bytes) -> bool:
        await super().create(path, body)
        return await super().create(path, body)


@dataclass(frozen=True)
class MemoryEngine:
    """All processes share one object in memory."""

    objects: MemoryStore

    def open(self, *, head_ttl_s: float = 0.0) -> MosaicStore:
        return ObjectMosaicStore(self.bucket(), head_ttl_s=head_ttl_s, cache_bytes=CACHE_BYTES)

    def open_dying(self, *, writes: int) -> MosaicStore:
        bucket = DyingBucket(self._opened)
        bucket.writes = writes
        return ObjectMosaicStore(bucket, head_ttl_s=0)

    def open_deaf(self) -> MosaicStore:
        return ObjectMosaicStore(DeafBucket(self._opened), head_ttl_s=0)

    def bucket(self) -> Bucket:
        return Bucket(self._opened)

    def _opened(self, create: bool) -> ObjectStore:  # noqa: ARG002
        return self.objects


@dataclass(frozen=True)
class FileEngine:
    """All processes share a local folder, which nobody made yet."""

    url: str

    def open(self, *, head_ttl_s: float = 0.0) -> MosaicStore:
        return open_store(self.url, head_ttl_s=head_ttl_s, cache_bytes=CACHE_BYTES)

    def open_dying(self, *, writes: int) -> MosaicStore:
        bucket = DyingBucket(open_bucket(self.url).opening)
        bucket.writes = writes
        return ObjectMosaicStore(bucket, head_ttl_s=0)

    def open_deaf(self) -> MosaicStore:
        return ObjectMosaicStore(DeafBucket(open_bucket(self.url).opening), head_ttl_s=0)

    def bucket(self) -> Bucket:
        return open_bucket(self.url)
