"""The shelf of parts: written once by the version that needs them first, read through the cache."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from quadmosaic.domain.errors import Broken
from quadmosaic.domain.mosaic import Manifest
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.cache import Cache
from quadmosaic.storage.codec import compress, digest, expand
from quadmosaic.storage.loader import Loader
from quadmosaic.storage.manifests import version_digest
from quadmosaic.storage.packing import CELLS, GRANULES, Part
from quadmosaic.storage.parts import PartRef

IN_MEMORY = 3
"""Bytes in memory per byte of msgpack: 2.6 were measured for cells, 1.1 for headers."""
_BATCH = 100


class PartMissing(Broken):
    """A version lists a part that is not there."""


@dataclass(kw_only=True, slots=True)
class Lists:
    """The parts of a version's tables, in key order; headers by asset key."""

    cells: list[PartRef] = field(default_factory=list)
    granules: list[PartRef] = field(default_factory=list)
    headers: dict[str, list[PartRef]] = field(default_factory=dict)

    def add(self, part: Part, owner: int) -> None:
        ref = msgspec.structs.replace(part.ref, owner=owner)
        if part.table == CELLS:
            self.cells.append(ref)
        elif part.table == GRANULES:
            self.granules.append(ref)
        else:
            self.headers.setdefault(part.asset or "", []).append(ref)

    def version_digest(self, manifest: Manifest) -> str:
        """The digest of a version that consists of these."""
        return version_digest(manifest, cells=self.cells, granules=self.granules, headers=self.headers)


class Shelf:
    """Parts of all mosaics."""

    def __init__(self, bucket: Bucket, cache: Cache) -> None:
        self._bucket = bucket
        self._cache = cache
        self._loader = Loader(bucket)

    @property
    def per_call(self) -> int:
        """How many parts one call reads."""
        return self._bucket.per_call

    async def add(
        self,
        name: str,
        life: int,
        parts: Iterator[Part],
        *,
        owners: Mapping[bytes, int],
        own: Callable[[], Awaitable[int]],
    ) -> Lists:
        """Write every part whose digest has no owner yet; `own` gives the number to write it under."""
        lists = Lists()
        known = dict(owners)
        while batch := await asyncio.to_thread(_compressed, parts, known):
            bodies: dict[str, bytes] = {}
            for part, body in batch:
                if body is not None and part.ref.digest not in known:
                    known[part.ref.digest] = await own()
                    ref = msgspec.structs.replace(part.ref, owner=known[part.ref.digest])
                    bodies[locations.part(name, life, part.table, ref)] = body
                lists.add(part, known[part.ref.digest])
            await self._bucket.put_all(bodies)
        return lists

    async def read[T](
        self,
        name: str,
        life: int,
        table: str,
        ref: PartRef,
        kind: type[T],
        decoded: Callable[..., T],
        *,
        keep: bool = True,
    ) -> T:
        """The content of one part. Raises Broken when it is missing or damaged."""

        async def load() -> tuple[T, int]:
            path = locations.part(name, life, table, ref)
            body = await self._loader.get(path)
            if body is None:
                raise PartMissing(f"{path} is missing from the store")
            raw = expand(body, path=path)
            if digest(raw) != ref.digest:
                raise Broken(f"{path} in the store is damaged: its content is not what its name says")
            return decoded(raw, path=path), len(raw) * IN_MEMORY

        return await self._cache.get((kind, ref.digest), kind, load) if keep else (await load())[0]


def _compressed(parts: Iterator[Part], known: Mapping[bytes, int]) -> list[tuple[Part, bytes | None]]:
    batch = islice(parts, _BATCH)
    return [(part, None if part.ref.digest in known else compress(part.raw)) for part in batch]
