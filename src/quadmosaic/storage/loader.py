"""Reads of many objects gathered into few calls: those asked for at the same moment travel together."""

import asyncio
from dataclasses import dataclass, field

from quadmosaic.storage.bucket import Bucket


@dataclass(kw_only=True, slots=True)
class _Batch:
    paths: list[str] = field(default_factory=list)
    bodies: asyncio.Task[dict[str, bytes | None]] | None = None


class Loader:
    """Reads of one bucket, which may be used from one event loop after another."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._boarding: tuple[asyncio.AbstractEventLoop, _Batch] | None = None

    async def get(self, path: str) -> bytes | None:
        """The object's content, None where there is none."""
        if self._bucket.per_call == 1:
            return await self._bucket.get(path)
        batch = self._open()
        batch.paths.append(path)
        if batch.bodies is None:
            batch.bodies = asyncio.create_task(self._read(batch))
        return (await asyncio.shield(batch.bodies))[path]

    def _open(self) -> _Batch:
        loop = asyncio.get_running_loop()
        if self._boarding is not None:
            on, batch = self._boarding
            if on is loop and len(batch.paths) < self._bucket.per_call:
                return batch
        batch = _Batch()
        self._boarding = loop, batch
        return batch

    async def _read(self, batch: _Batch) -> dict[str, bytes | None]:
        if self._boarding is not None and self._boarding[1] is batch:
            self._boarding = None
        return dict(zip(batch.paths, await self._bucket.get_many(batch.paths), strict=True))
