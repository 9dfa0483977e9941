"""Version records: numbers that are given out once, manifests with their part lists, and which were ever published."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from quadmosaic.domain.errors import Conflict
from quadmosaic.domain.mosaic import Manifest, Version
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket, claim
from quadmosaic.storage.cache import Cache
from quadmosaic.storage.codec import compress, decode, encode, encode_as_is, expand
from quadmosaic.storage.heads import Head
from quadmosaic.storage.manifests import from_plain, to_plain
from quadmosaic.storage.packing import CELLS, GRANULES, HEADERS
from quadmosaic.storage.parts import PartRef, PartTable
from quadmosaic.storage.records import VersionRecord, WritingRecord
from quadmosaic.storage.shelf import IN_MEMORY, Lists

_ATTEMPTS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredVersion:
    """A version with its tables; `life` is where it lies, `weight` what it takes in memory, in bytes.

    `base` is the version whose parts it shares, None where it shares none.
    """

    version: Version
    life: int
    weight: int
    cells: PartTable
    granules: PartTable
    headers: dict[str, PartTable]
    base: int | None = None

    def refs(self) -> Iterator[tuple[str, PartRef]]:
        """Every part it consists of, with its table."""
        tables = (
            (CELLS, self.cells),
            (GRANULES, self.granules),
            *((HEADERS, table) for table in self.headers.values()),
        )
        return ((name, ref) for name, table in tables for ref in table.refs)

    def owners(self) -> dict[bytes, int]:
        """Who wrote its parts, by digest."""
        return {ref.digest: ref.owner for _, ref in self.refs()}

    def paths(self) -> set[str]:
        """Where its parts lie."""
        return {locations.part(self.version.name, self.life, table, ref) for table, ref in self.refs()}


class Versions:
    """Version records of all mosaics."""

    def __init__(self, bucket: Bucket, cache: Cache, *, token: Callable[[], str]) -> None:
        self._bucket = bucket
        self._token = token
        self._cache = cache

    async def read(self, name: str, life: int, number: int) -> StoredVersion | None:
        """The version of that number in that life, published or not; None where there is none."""
        path = locations.version(name, life, number)
        body = await self._bucket.get(path)
        if body is None:
            return None
        raw = expand(body, path=path)
        record = decode(raw, VersionRecord, path=path)
        manifest = from_plain(record.manifest, path=path)
        return StoredVersion(
            version=Version(name=name, number=number, digest=record.digest, manifest=manifest),
            life=life,
            weight=len(raw) * IN_MEMORY,
            cells=PartTable(record.cells),
            granules=PartTable(record.granules),
            headers={asset: PartTable(refs) for asset, refs in record.headers.items()},
            base=record.base,
        )

    async def begin(self, head: Head) -> int:
        """A new number above the head's, under which to write what the head does not have."""
        if head.version is None:
            await self._bucket.create(locations.name_mark(head.name), b"")
            await self._bucket.create(locations.begun_mark(head.name, head.life), b"")
        number = await self._take_number(head.name, head.version or 0)
        mark = encode(WritingRecord(base=head.version), field="version")
        await self._bucket.create(locations.writing_mark(head.name, head.life, number), mark)
        return number

    async def has_begun(self, head: Head) -> bool:
        """Was anything written in the head's life?"""
        return await self._bucket.get(locations.begun_mark(head.name, head.life)) is not None

    async def finish(self, head: Head, number: int, digest: str, manifest: Manifest, lists: Lists) -> Version:
        """Record a version whose parts are written."""
        record = VersionRecord(
            number=number,
            digest=digest,
            manifest=to_plain(manifest),
            cells=lists.cells,
            granules=lists.granules,
            headers=lists.headers,
            base=head.version,
        )
        body = compress(encode_as_is(record, field="manifest"))
        await self._bucket.create(locations.version(head.name, head.life, number), body)
        await self._bucket.remove([locations.writing_mark(head.name, head.life, number)])
        return Version(name=head.name, number=number, digest=digest, manifest=manifest)

    async def is_whole(self, stored: StoredVersion) -> bool:
        """Are all parts there that were written for it, each under the digest of its content?"""
        own = locations.parts_of(stored.version.name, stored.life, stored.version.number)
        needed = [path for path in stored.paths() if path.startswith(f"{own}/")]
        return not await self._bucket.missing(needed)

    async def was_published(self, head: Head, number: int) -> bool:
        """Is it the head, or was it once and is not swept?"""
        if number == head.version:
            return True
        if head.swept(number):
            return False
        path = locations.was_published(head.name, head.life, number)
        try:
            return await self._cache.get(path, bool, lambda: self._load_mark(path))
        except _Absent:
            return False

    async def mark_published(self, head: Head) -> None:
        """Remember the head's version before another one takes its place."""
        if head.version is not None:
            await self._bucket.create(locations.was_published(head.name, head.life, head.version), b"")

    async def published(self, head: Head) -> list[int]:
        """Numbers of the versions that are or were the head and are not swept, newest first."""
        entries = self._bucket.entries(locations.published(head.name, head.life))
        numbers = {locations.last_number(entry.path) async for entry in entries} | {head.version or 0}
        return sorted((number for number in numbers - {0} if not head.swept(number)), reverse=True)

    async def _take_number(self, name: str, above: int) -> int:
        last = await self._bucket.last(locations.numbers(name), after=locations.number(name, above))
        number = above if last is None else locations.last_number(last[0])
        for _ in range(_ATTEMPTS):
            number += 1
            if await claim(self._bucket, locations.number(name, number), self._token().encode()):
                return number
        raise Conflict(f"too many versions of {name!r} are being written at once: try again")

    async def _load_mark(self, path: str) -> tuple[Literal[True], int]:
        if await self._bucket.get(path) is None:
            raise _Absent
        return True, len(path)


class _Absent(Exception):
    """Says that there is no mark, so that the cache does not keep the answer."""
