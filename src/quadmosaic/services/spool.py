"""The spool: granules and header records of one build on disk, read back when needed, so that memory stays small."""

import os
import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, overload

import msgspec
import numpy as np
import shapely

from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.granules import Bounds, Granule, Header

IN_MEMORY = 4 << 20
"""Bytes that wait to be written; what is smaller never touches the disk."""
_KEPT = 4096
"""Granules that stay decoded: neighbouring parts of an index name the same ones."""
_AT_ONCE = 1000
_LEVEL = 1


class PackedGranule(msgspec.Struct, gc=False):
    """A granule with its footprint as WKB."""

    id: str
    hrefs: dict[str, str]
    footprint: bytes
    properties: dict[str, Any]


def packed_granule(granule: Granule) -> PackedGranule:
    """What a file or a ledger can hold."""
    return PackedGranule(granule.id, dict(granule.hrefs), shapely.to_wkb(granule.footprint), dict(granule.properties))


@dataclass(kw_only=True)
class Spool:
    """Records in the order in which they came, in a file that has no name and vanishes with the process.

    Memory holds eight bytes for each record.
    """

    _starts: "array[int]" = field(default_factory=lambda: array("Q", [0]))
    _waiting: bytearray = field(default_factory=bytearray)
    _file: IO[bytes] | None = None

    def add(self, raw: bytes) -> int:
        """The number of the record. Raises Unavailable where the disk takes no more."""
        self._waiting += raw
        self._starts.append(self._starts[-1] + len(raw))
        if len(self._waiting) > IN_MEMORY:
            self._write()
        return len(self._starts) - 2

    def read(self, number: int) -> bytes:
        """One record."""
        start, end = self._starts[number], self._starts[number + 1]
        written = self._starts[-1] - len(self._waiting)
        if start >= written or self._file is None:
            return bytes(self._waiting[start - written : end - written])
        return os.pread(self._file.fileno(), end - start, start)

    def _write(self) -> None:
        start, done = self._starts[-1] - len(self._waiting), 0
        try:
            self._file = self._file or tempfile.TemporaryFile(prefix="quadmosaic-", buffering=0)  # noqa: SIM115
            # A disk that is nearly full takes a part and says so only by the count.
            while done < len(self._waiting):
                done += os.pwrite(self._file.fileno(), self._waiting[done:], start + done)
        except OSError as error:
            raise Unavailable(f"the disk for temporary files takes no more: {error.strerror}") from error
        self._waiting = bytearray()

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()


class Granules(Sequence[Granule]):
    """Granules on a spool; eight bytes of memory each, and whoever looks at one decodes it."""

    def __init__(self, granules: Iterable[Granule] = ()) -> None:
        self._spool = Spool()
        self._numbers = array("Q")
        self._kept: dict[int, Granule] = {}
        self.extend(granules)

    def append(self, granule: Granule) -> None:
        self.append_packed(packed_granule(granule))

    def append_packed(self, packed: PackedGranule) -> None:
        self._numbers.append(self._spool.add(msgspec.msgpack.encode(packed)))

    def extend(self, granules: Iterable[Granule]) -> None:
        for granule in granules:
            self.append(granule)

    def taken(self, positions: Iterable[int]) -> "Granules":
        """Those at these positions, in their order, on the same spool."""
        chosen = Granules()
        chosen._spool, chosen._numbers = self._spool, array("Q", (self._numbers[at] for at in positions))
        return chosen

    def change(self, position: int, granule: Granule) -> None:
        """Put another granule in a place."""
        self._numbers[position] = self._spool.add(msgspec.msgpack.encode(packed_granule(granule)))

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Granule: ...
    @overload
    def __getitem__(self, at: slice) -> list[Granule]: ...
    def __getitem__(self, at: int | slice) -> Granule | list[Granule]:
        if isinstance(at, slice):
            return self._read(self._numbers[at])
        number = self._numbers[at]
        found = self._kept.get(number)
        if found is None:
            if len(self._kept) >= _KEPT:
                self._kept = {}
            (found,) = self._read([number])
            self._kept[number] = found
        return found

    def __iter__(self) -> Iterator[Granule]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]

    def _read(self, numbers: Sequence[int]) -> list[Granule]:
        records = [msgspec.msgpack.decode(self._spool.read(number), type=PackedGranule) for number in numbers]
        shapes = shapely.from_wkb(np.array([record.footprint for record in records], dtype=object))
        return [
            Granule(id=record.id, hrefs=record.hrefs, footprint=shape, properties=record.properties)
            for record, shape in zip(records, shapes, strict=True)
        ]


class Footprints(Sequence[shapely.Geometry]):
    """The footprints of granules, geometries only while they are looked at."""

    def __init__(self, granules: Granules) -> None:
        self._granules = granules

    def __len__(self) -> int:
        return len(self._granules)

    @overload
    def __getitem__(self, at: int) -> shapely.Geometry: ...
    @overload
    def __getitem__(self, at: slice) -> list[shapely.Geometry]: ...
    def __getitem__(self, at: int | slice) -> shapely.Geometry | list[shapely.Geometry]:
        if isinstance(at, slice):
            return [granule.footprint for granule in self._granules[at]]
        return self._granules[at].footprint

    def bounds(self) -> Bounds:
        """minx, miny, maxx, maxy of all together."""
        starts = range(0, len(self), _AT_ONCE)
        boxes = np.array([shapely.total_bounds(np.array(self[start : start + _AT_ONCE])) for start in starts])
        west, south, east, north = (float(edge) for edge in (*boxes.min(axis=0)[:2], *boxes.max(axis=0)[2:]))
        return west, south, east, north


class Headers(MutableMapping[str, Mapping[str, Header]]):
    """Header records by granule id and asset key on a spool; memory holds the ids."""

    def __init__(self, headers: Mapping[str, Mapping[str, Header]] | None = None) -> None:
        self._spool = Spool()
        self._numbers: dict[str, int] = {}
        self.update(headers or {})

    def __getitem__(self, granule_id: str) -> Mapping[str, Header]:
        raw = zlib.decompress(self._spool.read(self._numbers[granule_id]))
        return _Records(msgspec.msgpack.decode(raw, type=dict[str, msgspec.Raw]))

    def __setitem__(self, granule_id: str, records: Mapping[str, Header]) -> None:
        raw = msgspec.msgpack.encode(records.packed if isinstance(records, _Records) else dict(records))
        self._numbers[granule_id] = self._spool.add(zlib.compress(raw, _LEVEL))

    def __delitem__(self, granule_id: str) -> None:
        del self._numbers[granule_id]

    def __contains__(self, granule_id: object) -> bool:
        return granule_id in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, granule_id: str, records: Mapping[str, Header]) -> None:
        """Complete a granule's records; where both have one, the new one counts."""
        known = self.get(granule_id)
        self[granule_id] = {**known, **records} if known else records

    def drop(self, granule_ids: Iterable[str]) -> None:
        """Forget these granules' records, where there are any."""
        for granule_id in granule_ids:
            self._numbers.pop(granule_id, None)


class _Records(Mapping[str, Header]):
    """Header records by asset key, decoded when asked for."""

    def __init__(self, packed: dict[str, msgspec.Raw]) -> None:
        self.packed = packed

    def __getitem__(self, asset: str) -> Header:
        return msgspec.msgpack.decode(self.packed[asset], type=Header)

    def __contains__(self, asset: object) -> bool:
        return asset in self.packed

    def __iter__(self) -> Iterator[str]:
        return iter(self.packed)

    def __len__(self) -> int:
        return len(self.packed)
