"""Version records: numbers that are given out once, manifests with their part lists, and which were ever published."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from quadmosaic.domain.errors import Conflict
from quadmosaic.domain.mosaic import Manifest, Version
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.cache import Cache
from quadmosaic.storage.codec import compress, decode, encode_as_is, expand
from quadmosaic.storage.heads import Head
from quadmosaic.storage.manifests import from_plain, to_plain, version_digest
from quadmosaic.storage.parts import PartTable
from quadmosaic.storage.records import VersionRecord
from quadmosaic.storage.shelf import IN_MEMORY, Lists

_ATTEMPTS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredVersion:
    """A version with its tables; `life` is where it lies, `weight` what it takes in memory, in bytes."""

    version: Version
    life: int
    weight: int
    cells: PartTable
    granules: PartTable
    headers: dict[str, PartTable]

    def digests(self) -> set[bytes]:
        """Every part it consists of."""
        tables = (self.cells, self.granules, *self.headers.values())
        return {ref.digest for table in tables for ref in table.refs}


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
        )

    async def add(self, name: str, life: int, manifest: Manifest, lists: Lists, *, above: int) -> Version:
        """Record a version whose parts are written, under a new number greater than `above`."""
        digest = version_digest(manifest, cells=lists.cells, granules=lists.granules, headers=lists.headers)
        number = await self._take_number(name, above)
        record = VersionRecord(
            number=number,
            digest=digest,
            manifest=to_plain(manifest),
            cells=lists.cells,
            granules=lists.granules,
            headers=lists.headers,
        )
        body = compress(encode_as_is(record, field="manifest"))
        await self._bucket.create(locations.version(name, life, number), body)
        return Version(name=name, number=number, digest=digest, manifest=manifest)

    async def was_published(self, head: Head, number: int) -> bool:
        """Is it the head, or was it once?"""
        if number == head.version:
            return True
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
        """Numbers of the versions that are or were the head, newest first."""
        paths = self._bucket.paths(locations.published(head.name, head.life))
        numbers = {locations.last_number(path) async for path in paths}
        return sorted((numbers | {head.version or 0}) - {0}, reverse=True)

    async def _take_number(self, name: str, above: int) -> int:
        paths = self._bucket.paths(locations.numbers(name), after=locations.number(name, above))
        number = max([locations.last_number(path) async for path in paths], default=above)
        for _ in range(_ATTEMPTS):
            number += 1
            if await self._bucket.claim(locations.number(name, number), self._token().encode()):
                return number
        raise Conflict(f"too many versions of {name!r} are being written at once: try again")

    async def _load_mark(self, path: str) -> tuple[Literal[True], int]:
        if await self._bucket.get(path) is None:
            raise _Absent
        return True, len(path)


class _Absent(Exception):
    """Says that there is no mark, so that the cache does not keep the answer."""
