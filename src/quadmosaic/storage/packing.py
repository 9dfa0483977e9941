"""An index cut into parts, as a stream so that a large one never is in memory twice."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import takewhile

import numpy as np
import shapely

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import Index, Quadkey
from quadmosaic.storage.codec import digest, encode, encode_as_is
from quadmosaic.storage.parts import PartRef, split
from quadmosaic.storage.records import CellsRecord, GranuleRecord, GranulesRecord, HeadersRecord

CELLS = "cells"
GRANULES = "granules"
HEADERS = "headers"

_CELLS_LIMIT = 2048
"""Cells plus granules in their lists: tens of kB compressed, about a millisecond to decode."""
_GRANULES_LIMIT = 256
_HEADERS_LIMIT = 128 * 1024
"""Bytes before compression."""
_KEY_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the table `table`; `asset` says which one for headers."""

    table: str
    asset: str | None
    ref: PartRef
    raw: bytes


def granule_key(granule_id: str) -> str:
    """Where a granule sorts in the tables of granules and headers: a hash in base 4, which splits evenly."""
    hashed = blake2b(granule_id.encode("utf-8", "surrogatepass"), digest_size=_KEY_DIGITS // 4).digest()
    return "".join(_BASE_4[byte] for byte in hashed)


_BASE_4 = tuple("".join(str(byte >> shift & 3) for shift in (6, 4, 2, 0)) for byte in range(256))


def check(index: Index) -> None:
    """Raises Invalid for an index that no reader could make sense of."""
    counts = Counter(granule.id for granule in index.granules)
    twice = [granule_id for granule_id, count in counts.items() if count > 1]
    if twice:
        raise Invalid(f"granule ids must be unique; {len(twice)} are not, first {twice[0]!r}", field="granules")
    last = len(index.granules) - 1
    for cell, positions in index.cells.items():
        if positions and (min(positions) < 0 or max(positions) > last):
            raise Invalid(f"cell {cell!r} points at a granule that is not there", field="cells")


def pack(index: Index) -> Iterator[Part]:
    """Every part of the three tables, table by table, in key order."""
    yield from _pack_granules(index.granules)
    yield from _pack_cells(index.granules, index.cells)
    yield from _pack_headers(index.headers)


def _granule_records(granules: Sequence[Granule], positions: Sequence[int]) -> list[GranuleRecord]:
    members = [granules[position] for position in positions]
    outlines = shapely.to_wkb(np.array([granule.footprint for granule in members], dtype=object), byte_order=1)
    return [
        GranuleRecord(granule.id, dict(granule.hrefs), outline, dict(granule.properties))
        for granule, outline in zip(members, outlines, strict=True)
    ]


def _pack_granules(granules: Sequence[Granule]) -> Iterator[Part]:
    keyed = sorted((granule_key(granule.id), position) for position, granule in enumerate(granules))
    for prefix, run in split([key for key, _ in keyed], [1] * len(keyed), limit=_GRANULES_LIMIT):
        prefixes, short = _factored(_granule_records(granules, [position for _, position in keyed[run]]))
        raw = encode(GranulesRecord(short, prefixes), field="granules")
        yield _part(GRANULES, prefix, len(short), raw)


def _pack_cells(granules: Sequence[Granule], cells: Mapping[Quadkey, Sequence[int]]) -> Iterator[Part]:
    weights = {cell: 1 + len(positions) for cell, positions in cells.items() if positions}
    keys = sorted(weights)
    for prefix, run in split(keys, [weights[key] for key in keys], limit=_CELLS_LIMIT):
        members = {key: cells[key] for key in keys[run]}
        met = list({position for positions in members.values() for position in positions})
        records = sorted(zip(_granule_records(granules, met), met, strict=True), key=lambda pair: pair[0].id)
        local = {position: place for place, (_, position) in enumerate(records)}
        prefixes, short = _factored([record for record, _ in records])
        lists = {key: tuple(local[position] for position in positions) for key, positions in members.items()}
        record = CellsRecord(granules=short, cells=lists, prefixes=prefixes)
        yield _part(CELLS, prefix, len(members), encode(record, field="granules"))


def _factored(records: Sequence[GranuleRecord]) -> tuple[dict[str, str], list[GranuleRecord]]:
    """How the hrefs begin by asset key, and the records without that."""
    hrefs: dict[str, list[str]] = {}
    for record in records:
        for asset, href in record.hrefs.items():
            hrefs.setdefault(asset, []).append(href)
    prefixes = {asset: _common_prefix(min(found), max(found)) for asset, found in hrefs.items()}
    return prefixes, [
        GranuleRecord(
            record.id,
            {asset: href[len(prefixes[asset]) :] for asset, href in record.hrefs.items()},
            record.footprint,
            record.properties,
        )
        for record in records
    ]


def _common_prefix(first: str, last: str) -> str:
    shared = takewhile(lambda letters: letters[0] == letters[1], zip(first, last, strict=False))
    return first[: sum(1 for _ in shared)]


def _pack_headers(headers: Mapping[str, Mapping[str, Header]]) -> Iterator[Part]:
    having: dict[str, list[tuple[str, str, int]]] = {}
    for granule_id, records in headers.items():
        key = granule_key(granule_id)
        for asset, header in records.items():
            having.setdefault(asset, []).append((key, granule_id, _bytes_of(header)))
    for asset, keyed in sorted(having.items()):
        keyed.sort()
        weights = [weight for _, _, weight in keyed]
        for prefix, run in split([key for key, _, _ in keyed], weights, limit=_HEADERS_LIMIT):
            members = {granule_id: _in_order(headers[granule_id][asset]) for _, granule_id, _ in keyed[run]}
            raw = encode_as_is(HeadersRecord(members), field="headers")
            yield _part(HEADERS, prefix, len(members), raw, asset=asset)


def _part(table: str, prefix: str, count: int, raw: bytes, *, asset: str | None = None) -> Part:
    return Part(table, asset, PartRef(prefix, digest(raw), count), raw)


def _bytes_of(header: Header) -> int:
    levels = header.blocks.levels if header.blocks else ()
    tables = sum(len(level.offsets) + len(level.byte_counts) + len(level.jpeg_tables) for level in levels)
    return 256 + len(header.crs) + tables


def _in_order(header: Header) -> Header:
    return header if header.palette is None else replace(header, palette=dict(sorted(header.palette.items())))
