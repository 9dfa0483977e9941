"""A file whose first bytes are held already, as async-tiff reads one: only what lies beyond them is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass

import obstore

from quadmosaic.reading.access import ObjectStore


@dataclass(frozen=True, slots=True, eq=False)
class HeldStart:
    """`size` is the file's, in bytes."""

    store: ObjectStore
    held: bytes
    size: int

    async def get_range_async(
        self, path: str, *, start: int, end: int | None = None, length: int | None = None
    ) -> obstore.Bytes:
        """Bytes from `start`, fewer at the end of the file."""
        asked = end if end is not None else start + (length or 0)
        stop = min(asked, self.size)
        if stop <= len(self.held):
            return obstore.Bytes(self.held[start:stop])
        return await obstore.get_range_async(self.store, path, start=start, end=stop)

    async def get_ranges_async(
        self,
        path: str,
        *,
        starts: Sequence[int],
        ends: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> Sequence[obstore.Bytes]:
        """Several, in one wave where they are not all held."""
        asked = ends or [start + length for start, length in zip(starts, lengths or (), strict=True)]
        stops = [min(stop, self.size) for stop in asked]
        if all(stop <= len(self.held) for stop in stops):
            return [obstore.Bytes(self.held[start:stop]) for start, stop in zip(starts, stops, strict=True)]
        return await obstore.get_ranges_async(self.store, path, starts=starts, ends=stops)
