"""What parts hold once decoded: cells with their granules, granules, and headers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from quadmosaic.domain.errors import Broken
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import Quadkey
from quadmosaic.storage.codec import decode
from quadmosaic.storage.records import CellsRecord, GranuleRecord, GranulesRecord, HeadersRecord


@dataclass(frozen=True, slots=True)
class CellsContent:
    """Quadkey -> positions in `granules`, best first."""

    granules: tuple[Granule, ...]
    cells: Mapping[Quadkey, tuple[int, ...]]

    def of(self, cell: Quadkey) -> tuple[Granule, ...]:
        return tuple(self.granules[place] for place in self.cells[cell])


@dataclass(frozen=True, slots=True)
class GranulesContent:
    """Granules in the order of their keys."""

    granules: tuple[Granule, ...]


@dataclass(frozen=True, slots=True)
class HeadersContent:
    """Headers of one asset by granule id."""

    headers: Mapping[str, Header]


def cells_content(raw: bytes, *, path: str) -> CellsContent:
    record = decode(raw, CellsRecord, path=path)
    return CellsContent(_granules(record.granules, record.prefixes, path=path), record.cells)


def granules_content(raw: bytes, *, path: str) -> GranulesContent:
    record = decode(raw, GranulesRecord, path=path)
    return GranulesContent(_granules(record.granules, record.prefixes, path=path))


def headers_content(raw: bytes, *, path: str) -> HeadersContent:
    return HeadersContent(decode(raw, HeadersRecord, path=path).headers)


def _granules(records: Sequence[GranuleRecord], prefixes: Mapping[str, str], *, path: str) -> tuple[Granule, ...]:
    outlines = np.array([record.footprint for record in records], dtype=object)
    try:
        shapes = shapely.from_wkb(outlines)
    except shapely.errors.GEOSException as error:
        raise Broken(f"{path} in the store is damaged: a footprint is no geometry") from error
    return tuple(
        Granule(
            id=record.id,
            hrefs={asset: prefixes.get(asset, "") + rest for asset, rest in record.hrefs.items()},
            footprint=shape,
            properties=record.properties,
        )
        for record, shape in zip(records, shapes, strict=True)
    )
