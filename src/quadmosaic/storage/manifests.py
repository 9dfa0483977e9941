"""Manifests as plain values and back, following the domain's dataclasses field by field."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, cast, get_args, get_type_hints

import msgspec

from quadmosaic.domain.errors import Broken
from quadmosaic.domain.granules import Json, JsonObject
from quadmosaic.domain.mosaic import Manifest
from quadmosaic.domain.sources import CogsSource, FeaturesSource, MosaicJsonSource, Source, StacSource
from quadmosaic.storage.codec import content_digest
from quadmosaic.storage.parts import PartRef

_SOURCES: Mapping[str, type] = {
    "stac": StacSource,
    "features": FeaturesSource,
    "cogs": CogsSource,
    "mosaicjson": MosaicJsonSource,
}
_NOT_CONTENT = {"recipe", "report", "software", "created"}


def to_plain(manifest: Manifest) -> dict[str, Any]:
    """Nested mappings and lists; a source carries its type's name."""
    plain: dict[str, Any] = msgspec.to_builtins(manifest)
    if manifest.recipe is not None:
        plain["recipe"]["source"]["type"] = _source_type(manifest.recipe.source)
    return plain


def from_plain(plain: Mapping[str, Any], *, path: str) -> Manifest:
    """Ignores unknown fields, fills missing ones with their defaults. Raises Broken when it is no manifest."""
    try:
        return _built(Manifest, plain)
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise Broken(f"{path} in the store is damaged: it holds no manifest") from error


def version_digest(
    manifest: Manifest,
    *,
    cells: list[PartRef],
    granules: list[PartRef],
    headers: Mapping[str, list[PartRef]],
) -> str:
    """Of all that is served: equal for two builds that differ only in when and by what recipe they were made."""
    content = {f.name: getattr(manifest, f.name) for f in fields(Manifest) if f.name not in _NOT_CONTENT}
    by_asset = {asset: _contents(refs) for asset, refs in headers.items()}
    tables = {"cells": _contents(cells), "granules": _contents(granules), "headers": by_asset}
    return content_digest({"manifest": content, "tables": tables}, field="manifest")


def _contents(refs: list[PartRef]) -> list[tuple[str, bytes, int]]:
    return [(ref.prefix, ref.digest, ref.count) for ref in refs]


def _source_type(source: Source) -> str:
    return next(name for name, kind in _SOURCES.items() if isinstance(source, kind))


def _built[T](kind: type[T], plain: Mapping[str, Any]) -> T:
    hints = get_type_hints(kind)
    known = [f.name for f in fields(cast(Any, kind)) if f.name in plain]
    return kind(**{name: _value(hints[name], plain[name]) for name in known})


def _value(hint: Any, value: Any) -> Any:
    if _is_json(hint) or (value is None and NoneType in get_args(hint)):
        return value
    if hint is Source:
        return _built(_SOURCES[value["type"]], value)
    nested = next((option for option in (hint, *get_args(hint)) if is_dataclass(option)), None)
    if nested is not None and isinstance(value, Mapping):
        return _built(cast(type, nested), value)
    return msgspec.convert(value, hint)


def _is_json(hint: Any) -> bool:
    # msgspec follows no recursive alias, and these values are kept as they came.
    return hint is Json or hint is JsonObject or any(_is_json(option) for option in get_args(hint))
