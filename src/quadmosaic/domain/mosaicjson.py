"""The MosaicJSON document, versions 0.0.1 to 0.0.3: read with all its keys, written as 0.0.3."""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import cast

import msgspec

from quadmosaic.domain import grids
from quadmosaic.domain.errors import Invalid, TooLarge
from quadmosaic.domain.granules import Bounds, Json, JsonObject
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaicjson_faults import VERSIONS, Fault, faults, index_zoom, whole

__all__ = ["Fault", "MosaicJson", "faults", "parse", "read_json", "write"]

type Rgba = tuple[int, int, int, int]

MAX_BYTES = 512 * 1024 * 1024
_WORLD: Bounds = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class MosaicJson:
    """A sound document. `tiles` holds assets as written, without `asset_prefix`; `extra` holds keys of other makers.

    `bounds` and `center` are lon/lat degrees of the grid's body. `tilematrixset` None means WebMercatorQuad.
    """

    mosaicjson: str = VERSIONS[-1]
    name: str | None = None
    description: str | None = None
    version: str = "1.0.0"
    attribution: str | None = None
    minzoom: int
    maxzoom: int
    quadkey_zoom: int
    bounds: Bounds | None = None
    center: tuple[float, float, int] | None = None
    asset_type: str | None = None
    asset_prefix: str | None = None
    data_type: str | None = None
    colormap: Mapping[int, Rgba] | None = None
    layers: JsonObject | None = None
    tilematrixset: JsonObject | None = None
    tiles: Mapping[str, tuple[str, ...]]
    extra: Mapping[str, Json] = field(default_factory=dict)

    def grid(self) -> Grid:
        """The grid of the quadkeys."""
        return grids.load("WebMercatorQuad") if self.tilematrixset is None else grids.parse(self.tilematrixset)


KEYS = tuple(field.name for field in fields(MosaicJson) if field.name != "extra")
"""The specification's keys, in the order they are written."""


def parse(raw: bytes | str | JsonObject, *, max_bytes: int = MAX_BYTES) -> MosaicJson:
    """A sound document out of JSON, plain or gzipped.

    Raises Invalid with the first fault's field ("document" where it is no JSON), TooLarge beyond `max_bytes`.
    """
    document = raw if isinstance(raw, dict) else read_json(raw, max_bytes=max_bytes)
    found = faults(document)
    if found:
        more = f" (and {len(found) - 1} more faults)" if len(found) > 1 else ""
        raise Invalid(found[0].message + more, field=found[0].field)
    return _from_sound(cast("JsonObject", document))


def read_json(raw: bytes | str, *, max_bytes: int = MAX_BYTES) -> Json:
    """Any JSON, plain or gzipped. Raises Invalid (field "document"), TooLarge beyond `max_bytes`."""
    try:
        content = raw.encode() if isinstance(raw, str) else raw
        content = _unzipped(content, max_bytes) if content.startswith(b"\x1f\x8b") else content
        if len(content) > max_bytes:
            raise TooLarge(f"the document is larger than {max_bytes} bytes")
        return cast("Json", msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf")))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid(f"is not JSON: {error}", field="document") from error


def write(mosaic: MosaicJson, *, indent: bool = False, compress: bool = False) -> bytes:
    """The document as MosaicJSON 0.0.3: the same bytes for the same mosaic, `tiles` last, extra keys before it."""
    content = msgspec.json.encode(_to_document(mosaic))
    content = msgspec.json.format(content, indent=2) if indent else content
    return gzip.compress(content, mtime=0) if compress else content


def _unzipped(content: bytes, max_bytes: int) -> bytes:
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = stream.decompress(content, max_bytes + 1)
    except zlib.error as error:
        raise Invalid(f"is damaged gzip: {error}", field="document") from error
    if len(plain) <= max_bytes and not stream.eof:
        raise Invalid("is gzip that ends too early", field="document")
    return plain


def _from_sound(document: JsonObject) -> MosaicJson:
    """The values were checked by `faults`; this only gives them their types."""

    def text(key: str) -> str | None:
        return cast("str | None", document.get(key))

    def number(key: str) -> int:
        return whole(document[key]) or 0

    tiles = cast("dict[str, list[str]]", document["tiles"])
    bounds = cast("list[float] | None", document.get("bounds"))
    center = cast("list[float] | None", document.get("center"))
    colormap = cast("dict[str, list[float]] | None", document.get("colormap"))
    return MosaicJson(
        tiles={quadkey: tuple(assets) for quadkey, assets in tiles.items()},
        minzoom=number("minzoom"),
        maxzoom=number("maxzoom"),
        quadkey_zoom=index_zoom(document) or 0,
        mosaicjson=text("mosaicjson") or VERSIONS[-1],
        name=text("name"),
        description=text("description"),
        version=text("version") or "1.0.0",
        attribution=text("attribution"),
        bounds=None if bounds is None else cast("Bounds", tuple(map(float, bounds))),
        center=None if center is None else (float(center[0]), float(center[1]), int(center[2])),
        asset_type=text("asset_type"),
        asset_prefix=text("asset_prefix"),
        data_type=text("data_type"),
        colormap=None if colormap is None else {int(value): _rgba(color) for value, color in colormap.items()},
        layers=cast("JsonObject | None", document.get("layers")),
        tilematrixset=cast("JsonObject | None", document.get("tilematrixset")),
        extra={key: value for key, value in document.items() if key not in KEYS},
    )


def _rgba(color: list[float]) -> Rgba:
    red, green, blue, alpha = map(int, color)
    return red, green, blue, alpha


def _to_document(mosaic: MosaicJson) -> dict[str, object]:
    known: dict[str, object] = {key: getattr(mosaic, key) for key in KEYS if key != "tiles"}
    known |= {"mosaicjson": VERSIONS[-1], "bounds": mosaic.bounds or _WORLD}
    present = {key: value for key, value in known.items() if value is not None}
    return present | {key: mosaic.extra[key] for key in sorted(mosaic.extra)} | {"tiles": mosaic.tiles}
