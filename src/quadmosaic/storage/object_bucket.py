"""A bucket on an object store: S3, a local folder or memory, through obstore, with its errors translated."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from itertools import batched
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from quadmosaic.domain.errors import Unavailable
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Entry
from quadmosaic.storage.staging import clear_staging
from quadmosaic.storage.waves import in_waves

type Opening = Callable[[bool], ObjectStore | None]
"""Gives the object store; None where nothing was ever written, unless the argument asks to create it."""

_LIST_CHUNK = 1000
_WIDTH = 8
_RETRY_AFTER_S = 5
_log = logging.getLogger(__name__)


class ObjectBucket:
    """Implements `bucket.Bucket`; `folder` is where the objects lie, if they lie on this machine."""

    per_call = 1

    def __init__(self, opening: Opening, *, folder: Path | None = None) -> None:
        self._opening = opening
        self._folder = folder
        self._store: ObjectStore | None = None

    async def get(self, path: str) -> bytes | None:
        with _translated():
            store = self._opened()
            if store is None:
                return None
            try:
                result = await obstore.get_async(store, path)
                return bytes(await result.bytes_async())
            except FileNotFoundError:
                return None

    async def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        return await in_waves(self.get, paths, width=_WIDTH)

    async def create(self, path: str, body: bytes) -> bool:
        with _translated():
            try:
                await obstore.put_async(self._created(), path, body, mode="create")
            except AlreadyExistsError:
                return False
            return True

    async def put_all(self, bodies: Mapping[str, bytes]) -> None:
        await in_waves(lambda item: self.create(*item), bodies.items(), width=_WIDTH)

    async def missing(self, paths: Collection[str]) -> set[str]:
        folders = {path.rpartition("/")[0] for path in paths}
        there = {entry.path for folder in folders async for entry in self.entries(folder)}
        return set(paths) - there

    async def entries(self, folder: str, *, after: str | None = None) -> AsyncIterator[Entry]:
        with _translated():
            store = self._opened()
            if store is None:
                return
            async for chunk in obstore.list(store, folder, offset=after, chunk_size=_LIST_CHUNK):
                for meta in chunk:
                    yield Entry(meta["path"], meta["last_modified"].timestamp())

    async def last(self, folder: str, *, after: str | None = None) -> tuple[str, bytes] | None:
        paths = [entry.path async for entry in self.entries(folder, after=after)]
        path = max(paths, key=locations.last_number, default=None)
        if path is None or not locations.last_number(path):
            return None
        body = await self.get(path)
        return None if body is None else (path, body)

    async def remove(self, paths: Sequence[str]) -> None:
        with _translated():
            store = self._opened()
            if store is None:
                return
            for chunk in batched(paths, _LIST_CHUNK):
                await _remove(store, chunk)

    async def tidy(self, before: float) -> int:
        if self._folder is None:
            return 0
        with _translated():
            return await asyncio.to_thread(clear_staging, self._folder, before)

    def connect(self) -> None:
        self._opened()

    def disconnect(self) -> None:
        self._store = None

    def _opened(self) -> ObjectStore | None:
        if self._store is None:
            self._store = self._opening(False)
        return self._store

    def _created(self) -> ObjectStore:
        store = self._opened() or self._opening(True)
        if store is None:
            raise Unavailable("the store cannot be created")
        self._store = store
        return store


async def _remove(store: ObjectStore, paths: Sequence[str]) -> None:
    try:
        await obstore.delete_async(store, list(paths))
    except FileNotFoundError:
        # A local folder stops in the middle of the batch where someone else removes the same objects.
        for path in paths:
            try:
                await obstore.delete_async(store, path)
            except FileNotFoundError:
                continue


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        _log.warning("object store: %s", error)
        raise Unavailable("the store is out of reach; try again", retry_after=_RETRY_AFTER_S) from error
