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
    """The state of a name after a publication of `version`, a deletion (None) or a sweep.

    `life` is the deletion before it, itself included, or 0. `token` is the writer's own, so that it knows its record
    again. Versions below `floor` are swept, but for those in `kept`.
    """

    version: int | None
    life: int
    token: str = ""
    floor: int = 0
    kept: list[int] = []


class GranuleRecord(msgspec.Struct):
    """A granule with its footprint as little-endian WKB; its hrefs lack their part's prefix."""

    id: str
    hrefs: dict[str, str]
    footprint: bytes
    properties: dict[str, Any]


class CellsRecord(msgspec.Struct):
    """Part of the table of cells: quadkey -> positions in `granules`, which has each granule once.

    `prefixes` says by asset key how all hrefs under it begin.
    """

    granules: list[GranuleRecord]
    cells: dict[str, tuple[int, ...]]
    prefixes: dict[str, str] = {}


class GranulesRecord(msgspec.Struct):
    """Part of the table of granules, in the order of their keys."""

    granules: list[GranuleRecord]
    prefixes: dict[str, str] = {}


class HeadersRecord(msgspec.Struct):
    """Part of one asset's table of headers, by granule id."""

    headers: dict[str, Header]


class VersionRecord(msgspec.Struct):
    """A version: the manifest as plain values, and the parts of its tables; `headers` are by asset key.

    `base` is the version whose parts it shares, the head when it was begun.
    """

    number: int
    digest: str
    manifest: dict[str, Any]
    cells: list[PartRef]
    granules: list[PartRef]
    headers: dict[str, list[PartRef]]
    base: int | None = None


class WritingRecord(msgspec.Struct):
    """A version that is being written, and the version whose parts it will share."""

    base: int | None = None
