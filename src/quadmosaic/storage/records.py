"""What is written: the records of the store's format, field by field.

A field may be added with a default and is never renamed; readers ignore fields they do not know.
"""

from typing import Any

import msgspec

from quadmosaic.domain.granules import Header
from quadmosaic.storage.parts import PartRef


class FormatRecord(msgspec.Struct):
    """The layout's number, at the store's root."""

    format: int


class HeadRecord(msgspec.Struct):
    """A publication of `version`, or a deletion (None); `life` is the deletion before it, itself included, or 0.

    `token` is the writer's own, so that it knows its record again.
    """

    version: int | None
    life: int
    token: str = ""


class GranuleRecord(msgspec.Struct):
    """A granule with its footprint as little-endian WKB."""

    id: str
    hrefs: dict[str, str]
    footprint: bytes
    properties: dict[str, Any]


class CellsRecord(msgspec.Struct):
    """Part of the table of cells: quadkey -> positions in `granules`, which has each granule once."""

    granules: list[GranuleRecord]
    cells: dict[str, tuple[int, ...]]


class GranulesRecord(msgspec.Struct):
    """Part of the table of granules, in the order of their keys."""

    granules: list[GranuleRecord]


class HeadersRecord(msgspec.Struct):
    """Part of one asset's table of headers, by granule id."""

    headers: dict[str, Header]


class VersionRecord(msgspec.Struct):
    """A version: the manifest as plain values, and the parts of its tables; `headers` are by asset key."""

    number: int
    digest: str
    manifest: dict[str, Any]
    cells: list[PartRef]
    granules: list[PartRef]
    headers: dict[str, list[PartRef]]
