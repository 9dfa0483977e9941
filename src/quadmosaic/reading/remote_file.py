"""A remote file as GDAL sees it: its bytes come with the requests that blocks come with, or from its header record."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from rasterio.abc import MultiByteRangeResourceContainer

from quadmosaic.domain.granules import Header
from quadmosaic.domain.trace import Tally
from quadmosaic.reading.access import Place
from quadmosaic.reading.faults import Replaced, Unfit, Unreadable
from quadmosaic.reading.fetch import Found, Gates, begin, fetch, requests_for
from quadmosaic.reading.gates import HostGates
from quadmosaic.reading.line import Line

NAME = "raster"
OPENING = 64 * 1024
"""Bytes of the first request where nothing is known: the header of nearly every COG."""

_CHUNK = 16 * 1024
_KEPT = 256
"""Chunks kept of one file, for formats that are read in small steps."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes from `start` to `stop`."""

    start: int
    stop: int


class RemoteFile(MultiByteRangeResourceContainer):  # type: ignore[misc]
    """A folder with one file in it, as rasterio's openers have it; for one thread.

    `fault` is why bytes did not come. GDAL cannot be told, so that what it makes of them then must not be used.
    """

    def __init__(self, place: Place, line: Line, header: Header | None, *, hosts: HostGates, total: Tally) -> None:
        """With a header record only the file of its ETag is read, and its first bytes are not fetched again."""
        self._place, self._line, self._hosts, self._total = place, line, hosts, total
        self.prefix = b"" if header is None else header.prefix
        self.etag = None if header is None else header.etag
        self._size = None if header is None else header.size
        self._chunks: dict[int, bytes] = {}
        if self.prefix:
            line.note(self._count_opened)
        self.fault: Unreadable | Replaced | Unfit | None = None

    def _count_opened(self) -> None:
        for tally in (self._total, self._line.trace.tally):
            tally.opened += 1

    @property
    def href(self) -> str:
        return self._place.href

    @property
    def gdal(self) -> dict[str, str]:
        """Settings for GDAL: there is nothing beside the file to look for."""
        return {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}

    def open(self, path: str, mode: str = "r", **_: object) -> "RemoteHandle":
        """A handle of the file, which is the only one there is."""
        if not self.isfile(path) or "w" in mode or "+" in mode:
            raise FileNotFoundError(path)
        return RemoteHandle(self)

    def isfile(self, path: str) -> bool:
        return path.rpartition("/")[2] == NAME

    def isdir(self, path: str) -> bool:  # noqa: ARG002 - rasterio's signature
        return False

    def ls(self, path: str) -> list[str]:  # noqa: ARG002 - rasterio's signature
        return []

    def mtime(self, path: str) -> int:  # noqa: ARG002 - rasterio's signature
        return 0

    def rm(self, path: str) -> None:
        raise FileNotFoundError(path)

    def size(self, path: str) -> int:
        """Bytes of the file."""
        if not self.isfile(path):
            raise FileNotFoundError(path)
        return self.length()

    def length(self) -> int:
        """Bytes of the file, 0 where it is out of reach."""
        if self._size is None and self.fault is None:
            self._begin()
        return self._size or 0

    def bytes_at(self, start: int, stop: int) -> bytes:
        """Bytes of the file, fewer at its end, none after a fault."""
        stop = min(stop, self.length())
        if stop <= len(self.prefix):
            return self.prefix[start:stop]
        if start < len(self.prefix):
            return self.prefix[start:] + self.bytes_at(len(self.prefix), stop)
        if stop - start >= OPENING:
            return next(iter(self.ranges([Extent(start, stop)])), b"")
        first, last = start // _CHUNK, -(-stop // _CHUNK)
        wanted = [
            Extent(max(number * _CHUNK, len(self.prefix)), min((number + 1) * _CHUNK, self.length()))
            for number in range(first, last)
            if number not in self._chunks
        ]
        for extent, chunk in zip(wanted, self.ranges(wanted), strict=False):
            number = extent.start // _CHUNK
            self._chunks[number] = self.prefix[number * _CHUNK : extent.start] + chunk
        held = b"".join(self._chunks.get(number, b"") for number in range(first, last))
        while len(self._chunks) > _KEPT:
            del self._chunks[next(iter(self._chunks))]
        return held[start - first * _CHUNK : stop - first * _CHUNK]

    def ranges(self, extents: Sequence[Extent]) -> list[bytes]:
        """The bytes of extents that lie in the file, in their order; none after a fault."""
        if self.fault is not None or not extents:
            return []
        try:
            return self._line.call(partial(self.fetched, extents))
        except (Replaced, Unfit, Unreadable) as fault:
            self.fault = fault
            return []

    async def fetched(self, extents: Sequence[Extent]) -> list[bytes]:
        """As `ranges`, for the event loop. Raises Replaced, Unfit or Unreadable."""
        held = {extent for extent in extents if extent.stop <= len(self.prefix)}
        requests, gates = requests_for(extent for extent in extents if extent not in held), self._gates
        raws = await asyncio.gather(
            *(
                fetch(self._place, self.etag, request.start, request.stop, gates=gates, total=self._total)
                for request in requests
            )
        )
        found = {
            span: bytes(request.part(raw, span))
            for request, raw in zip(requests, raws, strict=True)
            for span in request.spans
        }
        found |= {extent: self.prefix[extent.start : extent.stop] for extent in held}
        return [found.get(extent, b"") for extent in extents]

    @property
    def _gates(self) -> Gates:
        return self._line.gate, self._hosts.enter(self._place)

    def _begin(self) -> None:
        try:
            start = self._line.call(self._begun)
        except (Replaced, Unfit, Unreadable) as fault:
            self.fault = fault
            return
        self.prefix, self.etag, self._size = bytes(start.raw), start.etag, start.size

    async def _begun(self) -> Found:
        return await begin(self._place, OPENING, gates=self._gates, total=self._total)


def checked[T](file: RemoteFile, read: Callable[[RemoteFile], T]) -> T:
    """What `read` makes of the file, if all bytes came. Raises Unreadable, Replaced or Unfit."""
    try:
        result = read(file)
    except Unreadable:
        if file.fault is not None:
            raise file.fault from None
        raise
    if file.fault is not None:
        raise file.fault
    return result


class RemoteHandle:
    """A place in a remote file, with the methods that rasterio's openers ask for."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def read(self, size: int = -1) -> bytes:
        stop = self._file.length() if size < 0 else self._at + size
        found = self._file.bytes_at(self._at, stop)
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._file.length() if whence == 2 else 0)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Nothing is held open."""

    def get_byte_ranges(self, offsets: list[int], sizes: list[int]) -> list[bytes]:
        """As many bytes as asked for in any case: GDAL has no way to hear of fewer here."""
        extents = [Extent(offset, offset + size) for offset, size in zip(offsets, sizes, strict=True)]
        inside = [extent for extent in extents if extent.stop <= self._file.length()]
        found = dict(zip(inside, self._file.ranges(inside), strict=False))
        return [found.get(extent) or bytes(extent.stop - extent.start) for extent in extents]
