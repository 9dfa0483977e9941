"""The shelf of parts: written once under their digest, read through the cache."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice

from quadmosaic.domain.errors import Broken
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.cache import Cache
from quadmosaic.storage.codec import compress, digest, expand
from quadmosaic.storage.packing import CELLS, GRANULES, Part
from quadmosaic.storage.parts import PartRef
from quadmosaic.storage.waves import in_waves

IN_MEMORY = 3
"""Bytes in memory per byte of msgpack: 2.6 were measured for cells, 1.1 for headers."""
_BATCH = 16
_WIDTH = 8


class PartMissing(Broken):
    """A version lists a part that is not there."""


@dataclass(kw_only=True, slots=True)
class Lists:
    """The parts of a version's tables, in key order; headers by asset key."""

    cells: list[PartRef] = field(default_factory=list)
    granules: list[PartRef] = field(default_factory=list)
    headers: dict[str, list[PartRef]] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        if part.table == CELLS:
            self.cells.append(part.ref)
        elif part.table == GRANULES:
            self.granules.append(part.ref)
        else:
            self.headers.setdefault(part.asset or "", []).append(part.ref)


class Shelf:
    """Parts of all mosaics."""

    def __init__(self, bucket: Bucket, cache: Cache) -> None:
        self._bucket = bucket
        self._cache = cache

    async def add(self, name: str, life: int, parts: Iterator[Part], *, known: Collection[bytes]) -> Lists:
        """Write every part that is not among the digests `known` to be there."""
        lists = Lists()
        while batch := await asyncio.to_thread(_compressed, parts, known):
            bodies: dict[bytes, bytes] = {part.ref.digest: body for part, body in batch if body is not None}
            await in_waves(lambda item: self._create(name, life, *item), bodies.items(), width=_WIDTH)
            for part, _ in batch:
                lists.add(part)
        return lists

    async def read[T](
        self, name: str, life: int, ref: PartRef, kind: type[T], decoded: Callable[..., T], *, keep: bool = True
    ) -> T:
        """The content of one part. Raises Broken when it is missing or damaged."""

        async def load() -> tuple[T, int]:
            path = locations.part(name, life, ref.digest)
            body = await self._bucket.get(path)
            if body is None:
                raise PartMissing(f"{path} is missing from the store")
            raw = expand(body, path=path)
            if digest(raw) != ref.digest:
                raise Broken(f"{path} in the store is damaged: its content is not what its name says")
            return decoded(raw, path=path), len(raw) * IN_MEMORY

        return await self._cache.get((kind, ref.digest), kind, load) if keep else (await load())[0]

    async def _create(self, name: str, life: int, part_digest: bytes, body: bytes) -> None:
        await self._bucket.create(locations.part(name, life, part_digest), body)


def _compressed(parts: Iterator[Part], known: Collection[bytes]) -> list[tuple[Part, bytes | None]]:
    batch = islice(parts, _BATCH)
    return [(part, None if part.ref.digest in known else compress(part.raw)) for part in batch]
