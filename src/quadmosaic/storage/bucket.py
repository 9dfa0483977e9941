"""A bucket of create-only objects: the few verbs the store needs from an object store, with its errors translated."""

import logging
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import batched
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore

from quadmosaic.domain.errors import Invalid, Unavailable

type Opening = Callable[[bool], ObjectStore | None]
"""Gives the object store; None where nothing was ever written, unless the argument asks to create it."""

_LIST_CHUNK = 1000
_log = logging.getLogger(__name__)


class Bucket:
    """Objects that are written once, never replaced, and removed only when nobody needs them.

    Listings come in no particular order. Raises Unavailable when the engine is down.
    """

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self._store: ObjectStore | None = None

    async def get(self, path: str) -> bytes | None:
        """The object's content, None where there is none."""
        with _translated():
            store = self._opened()
            if store is None:
                return None
            try:
                result = await obstore.get_async(store, path)
                return bytes(await result.bytes_async())
            except FileNotFoundError:
                return None

    async def create(self, path: str, body: bytes) -> bool:
        """Write the object whole, or leave the one that is there already and answer False."""
        with _translated():
            try:
                await obstore.put_async(self._created(), path, body, mode="create")
            except AlreadyExistsError:
                return False
            return True

    async def claim(self, path: str, body: bytes) -> bool:
        """Create the object, or find that it is our own: `body` must be one that nobody else writes.

        After a lost reply the engine's own second attempt finds what the first one wrote.
        """
        return await self.create(path, body) or await self.get(path) == body

    async def paths(self, prefix: str, *, after: str | None = None) -> AsyncIterator[str]:
        """Every path below the folder `prefix`, or only those that sort behind `after`."""
        with _translated():
            store = self._opened()
            if store is None:
                return
            async for chunk in obstore.list(store, prefix, offset=after, chunk_size=_LIST_CHUNK):
                for entry in chunk:
                    yield entry["path"]

    async def folders(self, prefix: str) -> list[str]:
        """Names of the folders directly below `prefix`, sorted."""
        with _translated():
            store = self._opened()
            if store is None:
                return []
            listing = await obstore.list_with_delimiter_async(store, prefix)
            return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in listing["common_prefixes"])

    async def remove(self, paths: Sequence[str]) -> None:
        """Remove these objects; one that is gone already is no error."""
        with _translated():
            store = self._opened()
            if store is None:
                return
            for chunk in batched(paths, _LIST_CHUNK):
                await _remove(store, chunk)

    def _opened(self) -> ObjectStore | None:
        if self._store is None:
            self._store = self.opening(False)
        return self._store

    def _created(self) -> ObjectStore:
        store = self._opened() or self.opening(True)
        if store is None:
            raise Unavailable("the store cannot be created")
        self._store = store
        return store


def open_bucket(url: str) -> Bucket:
    """The bucket at a path, `file:///path` or `memory://`. Raises Invalid for field "store"."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Bucket(_folder(url, url))
    if scheme == "memory" and not rest:
        return in_memory()
    if scheme == "file":
        parts = urlsplit(url)
        if parts.netloc or parts.query or parts.fragment:
            raise Invalid(
                f"{url!r} is no folder; write file:///path/to/folder, with %23 for # and %3F for ?", field="store"
            )
        return Bucket(_folder(unquote(parts.path), url))
    raise Invalid(f"cannot open {url!r}; use a folder, file:///path/to/folder or memory://", field="store")


def in_memory() -> Bucket:
    """An empty bucket that lives as long as this process."""
    store = MemoryStore()
    return Bucket(lambda _: store)


def _folder(text: str, url: str) -> Opening:
    if not text:
        raise Invalid(f"{url!r} names no folder", field="store")
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise Invalid(f"{url!r} is a file; the store needs a folder", field="store")

    def opening(create: bool) -> ObjectStore | None:
        return LocalStore(path, mkdir=True) if create or path.is_dir() else None

    return opening


async def _remove(store: ObjectStore, paths: Sequence[str]) -> None:
    try:
        await obstore.delete_async(store, list(paths))
    except FileNotFoundError:
        # Someone else removes the same objects: a local folder then stops in the middle of the batch.
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
        raise Unavailable("the store is out of reach; try again") from error
