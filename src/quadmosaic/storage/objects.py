"""The store of mosaics on a bucket: a local folder, memory, S3 or a DynamoDB table."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import batched

from quadmosaic.domain.errors import Invalid, NotFound
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import Index, Manifest, MosaicRef, Quadkey, Version
from quadmosaic.domain.names import is_name, validate_name
from quadmosaic.ports import KEEP_VERSIONS, KEEP_YOUNGER, SPARE, Changes, Lookup, Page, SweepReport
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.cache import Cache
from quadmosaic.storage.changes import changes
from quadmosaic.storage.format import FormatMark
from quadmosaic.storage.heads import Head, Heads
from quadmosaic.storage.opening import open_bucket
from quadmosaic.storage.retention import Rule
from quadmosaic.storage.shelf import PartMissing, Shelf
from quadmosaic.storage.sweeping import Sweeper, Swept
from quadmosaic.storage.tables import Tables
from quadmosaic.storage.versions import StoredVersion, Versions
from quadmosaic.storage.waves import in_waves
from quadmosaic.storage.writing import Writer, unknown_mosaic

HEAD_TTL_S = 2.0
CACHE_BYTES = 64 * 1024 * 1024
_WIDTH = 8


def open_store(url: str, *, head_ttl_s: float = HEAD_TTL_S, cache_bytes: int = CACHE_BYTES) -> "ObjectMosaicStore":
    """The store at a folder's path, `file:///path`, `memory://`, `s3://bucket/prefix` or
    `dynamodb://region/table?documents=s3://bucket/prefix`. Raises Invalid for field "store".
    """
    return ObjectMosaicStore(open_bucket(url), head_ttl_s=head_ttl_s, cache_bytes=cache_bytes)


class ObjectMosaicStore:
    """MosaicStore on objects that are only ever created.

    Heads may be `head_ttl_s` seconds old (0: always read); parts and versions are kept in `cache_bytes` of memory.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        head_ttl_s: float = HEAD_TTL_S,
        cache_bytes: int = CACHE_BYTES,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._bucket = bucket
        self._cache = Cache(capacity=cache_bytes)
        self._format = FormatMark(bucket)
        self._heads = Heads(bucket, ttl_s=head_ttl_s, clock=clock, token=token)
        self._versions = Versions(bucket, self._cache, token=token)
        self._shelf = Shelf(bucket, self._cache)
        self._tables = Tables(self._shelf)
        self._sweeper = Sweeper(bucket=bucket, heads=self._heads, versions=self._versions)
        self._writer = Writer(
            format_mark=self._format,
            heads=self._heads,
            versions=self._versions,
            shelf=self._shelf,
            sweeper=self._sweeper,
            latest=self._latest,
        )
        self._now = now

    def connect(self) -> None:
        """As in ports.Connected."""
        self._bucket.connect()

    def disconnect(self) -> None:
        """As in ports.Connected."""
        self._bucket.disconnect()
        self._heads.forget()

    async def mosaics(self, *, after: str | None = None, limit: int = 100) -> Page[str]:
        """Names that have a head, in order."""
        _check_limit(limit)
        found: list[str] = []
        for batch in batched(await self._names(after=after), limit + 1):
            heads = await in_waves(self._heads.current, batch, width=_WIDTH)
            found.extend(head.name for head in heads if head.version is not None)
            if len(found) > limit:
                break
        items = tuple(found[:limit])
        return Page(items=items, next=items[-1] if len(found) > limit else None)

    async def head(self, name: str) -> int:
        """The published version's number."""
        return _published(await self._current(name))

    async def version(self, ref: MosaicRef) -> Version:
        """The head, or the version of that number if it ever was the head."""
        head = await self._current(ref.name)
        number = _published(head) if ref.number is None else ref.number
        if not await self._versions.was_published(head, number):
            head = await self._heads.latest(ref.name)
            if not await self._versions.was_published(head, number):
                raise NotFound(f"no version {number} of mosaic {ref.name!r} was published")
        return (await self._stored(ref.name, number)).version

    async def versions(self, name: str, *, after: str | None = None, limit: int = 100) -> Page[Version]:
        """Versions that are or were the head, newest number first; `after` is a number."""
        _check_limit(limit)
        if after is not None and not (after.isascii() and after.isdecimal()):
            raise Invalid(f"{after!r} is no version number", field="after")
        head = await self._current(name)
        _published(head)
        numbers = [number for number in await self._versions.published(head) if after is None or number < int(after)]
        stored = await in_waves(lambda number: self._listed(name, number), numbers[:limit], width=_WIDTH)
        items = tuple(version for version in stored if version is not None)
        return Page(items=items, next=str(numbers[limit - 1]) if len(numbers) > limit else None)

    async def write(self, name: str, manifest: Manifest, index: Index) -> Version:
        """Write the parts that the head does not have, then the record that makes them a version.

        Writes nothing and answers the head's version where that has the same content already.
        """
        return await self._writer.write(name, manifest, index)

    async def publish(self, ref: MosaicRef, *, expected: int | None) -> None:
        """Move the head to `ref` if it still is `expected` (None: there is no head yet), else Conflict."""
        await self._writer.publish(ref, expected=expected)

    async def delete(self, name: str) -> None:
        """Put an end to the mosaic in one step, then clean up; repeating it goes on with the cleaning."""
        await self._writer.delete(name)

    async def lookup(self, version: Version, cells: Collection[Quadkey]) -> Lookup:
        """The granules of exactly these cells; a cell without granules is left out."""
        async with self._open(version) as stored:
            return await self._tables.cells(stored, cells)

    async def lookup_prefix(self, version: Version, prefixes: Collection[Quadkey], *, limit: int) -> Lookup:
        """The granules of all cells below these ancestors, at most `limit` cells of each, the first in order."""
        _check_limit(limit)
        async with self._open(version) as stored:
            return await self._tables.below(stored, prefixes, limit=limit)

    async def granules(self, version: Version, *, after: str | None = None, limit: int = 100) -> Page[Granule]:
        """Every granule once, in an order of the store's own; `after` is a granule id."""
        _check_limit(limit)
        async with self._open(version) as stored:
            return await self._tables.granules(stored, after=after, limit=limit)

    async def headers(self, version: Version, granule_ids: Collection[str], asset: str) -> Mapping[str, Header]:
        """Header records by granule id, for those that have one."""
        async with self._open(version) as stored:
            return await self._tables.headers(stored, granule_ids, asset)

    async def index(self, version: Version) -> Index:
        """The whole index; its granules are in the order of `granules`."""
        async with self._open(version) as stored:
            return await self._tables.index(stored)

    async def changes(self, old: Version, new: Version) -> Changes:
        """What `new` has that `old` has not, and the other way round, from the parts that they do not share."""
        async with self._open(old) as before, self._open(new) as after:
            return await changes(self._tables, before, after)

    async def sweep(
        self,
        name: str | None = None,
        *,
        keep: int = KEEP_VERSIONS,
        younger_than: timedelta = KEEP_YOUNGER,
        spare: timedelta = SPARE,
    ) -> SweepReport:
        """Remove old versions, what killed writers left, and nothing that a version which stays needs."""
        if keep < 1:
            raise Invalid("must be at least 1", field="keep")
        names = await self._names() if name is None else [name]
        if name is not None:
            await self._check_known(name)
        alive_since = self._now() - spare.total_seconds()
        young_since = self._now() - younger_than.total_seconds()
        rule = Rule(last=keep, young_since=young_since, alive_since=alive_since)
        swept: dict[str, Swept] = {}
        for one in names:
            swept[one] = await self._sweeper.sweep(one, rule)
        tidied = await self._bucket.tidy(alive_since) if name is None and self._format.seen else 0
        return SweepReport(
            published=tuple(f"{one}@{number}" for one, found in swept.items() for number in found.published),
            unpublished=tuple(f"{one}@{number}" for one, found in swept.items() for number in found.unpublished),
            objects=sum(found.objects for found in swept.values()) + tidied,
        )

    async def _names(self, *, after: str | None = None) -> list[str]:
        """Names that something was ever written under."""
        if not await self._format.readable():
            return []
        behind = None if after is None else f"{locations.NAMES}/{after}"
        entries = self._bucket.entries(locations.NAMES, after=behind)
        names = [entry.path.removeprefix(f"{locations.NAMES}/") async for entry in entries]
        return sorted(name for name in names if is_name(name))

    async def _check_known(self, name: str) -> None:
        """Raises NotFound for a name that nothing was ever written under."""
        mark = locations.name_mark(name)
        if not await self._format.readable() or await self._bucket.get(mark) is None:
            raise unknown_mosaic(name)

    async def _listed(self, name: str, number: int) -> Version | None:
        try:
            return (await self._stored(name, number)).version
        except NotFound:
            # Swept since it was listed.
            return None

    async def _current(self, name: str) -> Head:
        return await self._readable(name, self._heads.current)

    async def _latest(self, name: str) -> Head:
        return await self._readable(name, self._heads.latest)

    async def _readable(self, name: str, look: Callable[[str], Coroutine[None, None, Head]]) -> Head:
        validate_name(name)
        if self._format.seen:
            return await look(name)
        # Side by side: a fresh process is one round trip nearer to its first tile.
        readable, head = await asyncio.gather(self._format.readable(), look(name))
        return head if readable else Head(name=name)

    async def _stored(self, name: str, number: int) -> StoredVersion:
        # A number is never given out twice, so it says which life the version lies in.
        return await self._cache.get((name, number), StoredVersion, lambda: self._find(name, number))

    async def _find(self, name: str, number: int) -> tuple[StoredVersion, int]:
        for look in (self._current, self._latest):
            stored = await self._versions.read(name, (await look(name)).life, number)
            if stored is not None:
                return stored, stored.weight
        raise NotFound(f"version {number} of mosaic {name!r} is not stored any more")

    @asynccontextmanager
    async def _open(self, version: Version) -> AsyncGenerator[StoredVersion]:
        stored = await self._stored(version.name, version.number)
        try:
            yield stored
        except PartMissing:
            head = await self._heads.latest(version.name)
            if head.life != stored.life:
                raise NotFound(f"mosaic {version.name!r} was deleted") from None
            if head.swept(version.number):
                raise NotFound(f"version {version.number} of mosaic {version.name!r} was swept") from None
            raise


def _published(head: Head) -> int:
    if head.version is None:
        raise unknown_mosaic(head.name)
    return head.version


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise Invalid("must be at least 1", field="limit")
