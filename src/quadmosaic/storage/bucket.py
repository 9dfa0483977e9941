"""A bucket of create-only objects: the few verbs that the store needs from whatever keeps its bytes."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a listing; `modified` is in seconds since the epoch."""

    path: str
    modified: float


class Bucket(Protocol):
    """Objects that are written once, never replaced, and removed only when nobody needs them.

    A read sees every write that was answered before it. Raises Unavailable when the engine is down.
    """

    @property
    def per_call(self) -> int:
        """How many objects `get_many` reads in one call."""
        ...

    async def get(self, path: str) -> bytes | None:
        """The object's content, None where there is none."""
        ...

    async def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        """The contents of at most `per_call` objects."""
        ...

    async def create(self, path: str, body: bytes) -> bool:
        """Write the object whole, or leave the one that is there already and answer False."""
        ...

    async def put_all(self, bodies: Mapping[str, bytes]) -> None:
        """Write these objects, whose paths are the caller's own."""
        ...

    async def missing(self, paths: Collection[str]) -> set[str]:
        """Those of the paths where nothing lies."""
        ...

    def entries(self, folder: str, *, after: str | None = None) -> AsyncIterator[Entry]:
        """Every object below the folder, in no particular order, or only those that sort behind the path `after`."""
        ...

    async def last(self, folder: str, *, after: str | None = None) -> tuple[str, bytes] | None:
        """The object with the highest number for its name, and that behind `after`; None where there is none."""
        ...

    async def remove(self, paths: Sequence[str]) -> None:
        """Remove these objects; one that is gone already is no error."""
        ...

    async def tidy(self, before: float) -> int:
        """Remove what killed writers of before that moment left beside the objects; answers how much it was."""
        ...

    def connect(self) -> None:
        """As in ports.Connected."""
        ...

    def disconnect(self) -> None:
        """As in ports.Connected."""
        ...


async def claim(bucket: Bucket, path: str, body: bytes) -> bool:
    """Create the object, or find that it is our own: `body` must be one that nobody else writes.

    After a lost reply the engine's own second attempt finds what the first one wrote.
    """
    return await bucket.create(path, body) or await bucket.get(path) == body
