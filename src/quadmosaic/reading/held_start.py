"""A remote file whose first bytes are held already, as async-tiff reads one: only what lies beyond is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass

import obstore

from quadmosaic.reading.remote_file import Extent, RemoteFile


@dataclass(frozen=True, slots=True, eq=False)
class HeldStart:
    """The only file there is, whatever path it is asked for by."""

    file: RemoteFile

    async def get_range_async(
        self, path: str, *, start: int, end: int | None = None, length: int | None = None
    ) -> obstore.Bytes:
        """Bytes from `start`, fewer at the end of the file."""
        stop = end if end is not None else start + (length or 0)
        (found,) = await self.get_ranges_async(path, starts=[start], ends=[stop])
        return found

    async def get_ranges_async(
        self,
        path: str,  # noqa: ARG002 - obstore's signature
        *,
        starts: Sequence[int],
        ends: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> Sequence[obstore.Bytes]:
        """Several, in one wave where they are not all held."""
        stops = ends or [start + length for start, length in zip(starts, lengths or (), strict=True)]
        size = self.file.length()
        extents = [Extent(start, min(stop, size)) for start, stop in zip(starts, stops, strict=True)]
        return [obstore.Bytes(found) for found in await self.file.fetched(extents)]
