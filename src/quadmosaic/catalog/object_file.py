"""An object of a bucket as a file: its bytes come by ranges, when they are read."""

import io
from typing import TYPE_CHECKING

from quadmosaic.domain.errors import Unavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

_AHEAD = 1 << 18
"""Bytes of the smallest request."""


class ObjectFile(io.RawIOBase):
    """For one thread at a time, which waits; `name` is for messages. Reading raises Unavailable."""

    def __init__(self, store: "S3Store", key: str, size: int, *, name: str) -> None:
        self._store, self._key, self._size, self._name = store, key, size, name
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        import obstore
        from obstore.exceptions import BaseError

        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        try:
            buffer[:length] = bytes(obstore.get_range(self._store, self._key, start=self._at, length=length))
        except (BaseError, OSError) as error:
            raise Unavailable(f"{self._name} is out of reach") from error
        self._at += length
        return length

    def buffered(self) -> io.BufferedReader:
        """The file with bytes read ahead."""
        return io.BufferedReader(self, _AHEAD)
