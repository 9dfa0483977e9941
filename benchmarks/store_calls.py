"""Calls of our store for tiles: how many, and in how many waves, each of which waits for the one before it."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sides import Mosaic
from sides import settings as own_settings

from quadmosaic import bootstrap
from quadmosaic.bootstrap import Adapters
from quadmosaic.domain.grids import Tile
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.dynamodb import TableBucket
from quadmosaic.storage.objects import ObjectMosaicStore
from quadmosaic.storage.opening import open_bucket


class Counted:
    """A bucket whose reads are counted; it takes as much in one call as DynamoDB does."""

    def __init__(self, inner: Bucket) -> None:
        self.inner = inner
        self.per_call = TableBucket.per_call
        self.calls = self.waves = self.under_way = 0

    @contextmanager
    def _counting(self) -> Iterator[None]:
        self.calls += 1
        self.waves += not self.under_way
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    async def get(self, path: str) -> bytes | None:
        with self._counting():
            return await self.inner.get(path)

    async def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        with self._counting():
            size = self.inner.per_call
            parts = [await self.inner.get_many(paths[at : at + size]) for at in range(0, len(paths), size)]
            return [body for part in parts for body in part]

    async def last(self, folder: str, *, after: str | None = None) -> tuple[str, bytes] | None:
        with self._counting():
            return await self.inner.last(folder, after=after)

    def __getattr__(self, verb: str) -> object:
        return getattr(self.inner, verb)


@dataclass(frozen=True, kw_only=True)
class StoreCalls:
    """Per tile, (calls, waves): the first of a process, the next of the same mosaic, and one that was asked before."""

    first: tuple[float, float]
    next: tuple[float, float]
    again: tuple[float, float]

    def by_state(self) -> dict[str, tuple[float, float]]:
        return {"first": self.first, "next": self.next, "again": self.again}


async def store_calls(mosaic: Mosaic, tiles: Sequence[Tile], work: Path) -> StoreCalls:
    """Count them in this process; heads are remembered for as long as it takes."""
    settings = own_settings(work).model_copy(update={"head_ttl_s": 3600})
    bucket = Counted(open_bucket(settings.store))
    outside = Adapters(store=ObjectMosaicStore(bucket, head_ttl_s=3600), reader=bootstrap.adapters(settings).reader)
    app = bootstrap.http_app(settings, metrics=False, outside=outside)
    taken = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tiles", timeout=60) as client:
        for tile in (*tiles, *tiles):
            before = bucket.calls, bucket.waves
            (await client.get("?".join(mosaic.path("ours", work, tile)))).raise_for_status()
            taken.append((bucket.calls - before[0], bucket.waves - before[1]))
    first, following, again = taken[:1], taken[1 : len(tiles)], taken[len(tiles) :]
    return StoreCalls(first=_mean(first), next=_mean(following), again=_mean(again))


def _mean(taken: Sequence[tuple[int, int]]) -> tuple[float, float]:
    calls, waves = zip(*taken, strict=True)
    return statistics.mean(calls), statistics.mean(waves)
