"""The store of mosaics on an object store: a local folder or memory, and whatever else puts objects create-only."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from itertools import batched

from quadmosaic.domain.errors import Conflict, Invalid, NotFound
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import Index, Manifest, MosaicRef, Quadkey, Version
from quadmosaic.domain.names import is_name, validate_name
from quadmosaic.ports import Lookup, Page
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket, open_bucket
from quadmosaic.storage.cache import Cache
from quadmosaic.storage.format import FormatMark
from quadmosaic.storage.heads import Head, Heads
from quadmosaic.storage.packing import check, pack
from quadmosaic.storage.shelf import PartMissing, Shelf
from quadmosaic.storage.tables import Tables
from quadmosaic.storage.versions import StoredVersion, Versions
from quadmosaic.storage.waves import in_waves

HEAD_TTL_S = 2.0
CACHE_BYTES = 64 * 1024 * 1024
_WIDTH = 8
_DELETE_ATTEMPTS = 20


def open_store(url: str, *, head_ttl_s: float = HEAD_TTL_S, cache_bytes: int = CACHE_BYTES) -> "ObjectMosaicStore":
    """The store at a folder's path, `file:///path` or `memory://`. Raises Invalid for field "store"."""
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
        token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._bucket = bucket
        self._cache = Cache(capacity=cache_bytes)
        self._format = FormatMark(bucket)
        self._heads = Heads(bucket, ttl_s=head_ttl_s, clock=clock, token=token)
        self._versions = Versions(bucket, self._cache, token=token)
        self._shelf = Shelf(bucket, self._cache)
        self._tables = Tables(self._shelf)

    async def mosaics(self, *, after: str | None = None, limit: int = 100) -> Page[str]:
        """Names that have a head, in order."""
        _check_limit(limit)
        names = await self._bucket.folders(locations.MOSAICS) if await self._format.readable() else []
        found: list[str] = []
        later = (name for name in names if is_name(name) and (after is None or name > after))
        for batch in batched(later, limit + 1):
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
        stored = await in_waves(lambda number: self._stored(name, number), numbers[:limit], width=_WIDTH)
        items = tuple(found.version for found in stored)
        return Page(items=items, next=str(items[-1].number) if len(numbers) > limit else None)

    async def write(self, name: str, manifest: Manifest, index: Index) -> Version:
        """Write the parts that the head does not have, then the record that makes them a version."""
        validate_name(name)
        if (index.grid_id, index.zoom) != (manifest.grid_id, manifest.quadkey_zoom):
            raise Invalid("the index has another grid or zoom than its manifest", field="grid_id")
        await asyncio.to_thread(check, index)
        await self._format.ensure()
        head = await self._heads.latest(name)
        base = None if head.version is None else await self._versions.read(name, head.life, head.version)
        known = base.digests() if base is not None else frozenset[bytes]()
        lists = await self._shelf.add(name, head.life, pack(index), known=known)
        return await self._versions.add(name, head.life, manifest, lists, above=head.version or 0)

    async def publish(self, ref: MosaicRef, *, expected: int | None) -> None:
        """Move the head to `ref` if it still is `expected` (None: there is no head yet), else Conflict."""
        if ref.number is None:
            raise Invalid(f"say which version to publish: {ref.name}@1, ...", field="version")
        head = await self._latest(ref.name)
        if head.version != expected:
            raise Conflict(
                f"the head of {ref.name!r} is {_said(head.version)}, not {_said(expected)}: look at it again"
            )
        if await self._versions.read(ref.name, head.life, ref.number) is None:
            raise NotFound(f"no version {ref.number} of mosaic {ref.name!r} is written")
        if head.version != ref.number:
            await self._versions.mark_published(head)
            await self._heads.advance(head, ref.number)

    async def delete(self, name: str) -> None:
        """Put an end to the mosaic in one step, then clean up; repeating it goes on with the cleaning."""
        for _ in range(_DELETE_ATTEMPTS):
            head = await self._latest(name)
            if head.version is None:
                await self._clean(head)
                raise _unknown(name)
            try:
                return await self._clean(await self._heads.advance(head, None))
            except Conflict:
                continue
        raise Conflict(f"{name!r} is being published over and over: try again")

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
            if (await self._heads.latest(version.name)).life != stored.life:
                raise NotFound(f"mosaic {version.name!r} was deleted") from None
            raise

    async def _clean(self, head: Head) -> None:
        paths = self._bucket.paths(locations.lives(head.name))
        lives = [(path, locations.life_of(path, head.name)) async for path in paths]
        await self._bucket.remove([path for path, life in lives if life is not None and life < head.life])


def _published(head: Head) -> int:
    if head.version is None:
        raise _unknown(head.name)
    return head.version


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no mosaic named {name!r}")


def _said(number: int | None) -> str:
    return "none" if number is None else f"version {number}"


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise Invalid("must be at least 1", field="limit")
