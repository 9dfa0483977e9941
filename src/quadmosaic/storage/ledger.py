"""The ledger on a bucket: numbered objects in a folder per stream, each created once."""

import asyncio
import re
import zlib
from collections.abc import Callable

from quadmosaic.domain.errors import Broken, Conflict, Invalid
from quadmosaic.ports import Entry
from quadmosaic.storage.bucket import Bucket, claim
from quadmosaic.storage.locations import last_number
from quadmosaic.storage.opening import open_bucket

ROOT = "registry"
TOKEN_BYTES = 16
_STREAM = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*")
_LEVEL = 1


class BucketLedger:
    """Implements ports.Ledger; a record is `registry/{stream}/{number}`, and no stream lies below another.

    `token` makes every record one that nobody else writes, so that a writer knows its own after a lost reply.
    """

    def __init__(self, bucket: Bucket, *, token: Callable[[], bytes]) -> None:
        self._bucket = bucket
        self._token = token

    async def last(self, stream: str) -> Entry | None:
        """The latest record."""
        found = await self._bucket.last(_folder(stream))
        if found is None:
            return None
        path, raw = found
        return Entry(last_number(path), await _unpacked(raw, path))

    async def entry(self, stream: str, number: int) -> bytes | None:
        """One record. Raises Broken where it is damaged."""
        path = _path(stream, number)
        raw = await self._bucket.get(path)
        return None if raw is None else await _unpacked(raw, path)

    async def append(self, stream: str, body: bytes, *, after: int) -> int:
        """Add the record that follows `after`. Raises Conflict when someone else did."""
        packed = self._token() + await asyncio.to_thread(zlib.compress, body, _LEVEL)
        if not await claim(self._bucket, _path(stream, after + 1), packed):
            raise Conflict("it was changed by someone else meanwhile: look at it again")
        return after + 1

    def connect(self) -> None:
        """As in ports.Connected."""
        self._bucket.connect()

    def disconnect(self) -> None:
        """As in ports.Connected."""
        self._bucket.disconnect()

    async def remove(self, stream: str) -> None:
        """Remove a stream; one that is gone already is no error."""
        await self._bucket.remove(await self._paths(stream))

    async def trim(self, stream: str, *, below: int) -> None:
        """Remove the records with lower numbers, but never the last one."""
        paths = sorted(await self._paths(stream), key=last_number)
        await self._bucket.remove([path for path in paths[:-1] if last_number(path) < below])

    async def _paths(self, stream: str) -> list[str]:
        return [entry.path async for entry in self._bucket.entries(_folder(stream))]


def open_ledger(url: str, *, token: Callable[[], bytes]) -> BucketLedger:
    """The ledger beside the store of that URL. Raises Invalid for field "store"."""
    return BucketLedger(open_bucket(url), token=token)


async def _unpacked(raw: bytes, path: str) -> bytes:
    try:
        return await asyncio.to_thread(zlib.decompress, raw[TOKEN_BYTES:])
    except zlib.error as error:
        raise Broken(f"{path} in the store is damaged") from error


def _folder(stream: str) -> str:
    if not _STREAM.fullmatch(stream):
        raise Invalid(f"{stream!r} cannot be kept: use a-z, 0-9 and hyphens", field="stream")
    return f"{ROOT}/{stream}"


def _path(stream: str, number: int) -> str:
    return f"{_folder(stream)}/{number:010d}"
