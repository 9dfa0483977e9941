"""Where a recipe finds its granules: the four source types of a registration, read from JSON and written back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Json, JsonObject
from quadmosaic.domain.json_fields import whole
from quadmosaic.domain.searches import validate_search


@dataclass(frozen=True, kw_only=True, slots=True)
class StacSource:
    """A STAC API item search, or what can be searched like one: a static catalog, a STAC GeoParquet table.

    `search` is the body of an item-search request, without paging.
    """

    href: str
    search: JsonObject = field(default_factory=dict)
    max_items: int | None = None

    @property
    def is_table(self) -> bool:
        """Is it a STAC GeoParquet table, by its name?"""
        return urlsplit(self.href).path.endswith((".parquet", ".geoparquet"))


@dataclass(frozen=True, kw_only=True, slots=True)
class FeaturesSource:
    """A GeoJSON FeatureCollection whose features name their file in `property`, or a STAC ItemCollection."""

    features: JsonObject
    property: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CogsSource:
    """A plain list of COGs; footprints come from their headers."""

    hrefs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MosaicJsonSource:
    """An existing MosaicJSON document, given whole or by href."""

    document: JsonObject | None = None
    href: str | None = None


type Source = StacSource | FeaturesSource | CogsSource | MosaicJsonSource


def parse_source(document: Json) -> Source:
    """A source from a registration. Raises Invalid with a field like "source.href"."""
    if not isinstance(document, dict):
        raise Invalid("must be an object with a type", field="source")
    kind = document.get("type")
    if not isinstance(kind, str) or kind not in _PARSERS:
        said = "is missing" if kind is None else f"is {kind!r}"
        raise Invalid(f"{said}: it must be one of {', '.join(_PARSERS)}", field="source.type")
    parser, keys = _PARSERS[kind]
    _refuse_unknown(document, ("type", *keys))
    return parser(document)


def source_document(source: Source) -> JsonObject:
    """The JSON that `parse_source` reads back into the same source."""
    match source:
        case StacSource():
            search = {"search": source.search} if source.search else {}
            return _present({"type": "stac", "href": source.href, **search, "max_items": source.max_items})
        case FeaturesSource():
            return _present({"type": "features", "features": source.features, "property": source.property})
        case CogsSource():
            return {"type": "cogs", "hrefs": list(source.hrefs)}
        case MosaicJsonSource():
            return _present({"type": "mosaicjson", "document": source.document, "href": source.href})


def _present(document: JsonObject) -> JsonObject:
    return {key: value for key, value in document.items() if value is not None}


def _refuse_unknown(document: JsonObject, known: Iterable[str]) -> None:
    unknown = next((key for key in document if key not in known), None)
    if unknown is not None:
        raise Invalid(f"is not a key of this source: it has {', '.join(known)}", field=f"source.{unknown}")


def _stac(document: JsonObject) -> StacSource:
    search = _optional_object(document, "search") or {}
    validate_search(search, field="source.search")
    max_items = whole(document, "max_items", low=1, within="source.")
    source = StacSource(href=_required_text(document, "href"), search=search, max_items=max_items)
    if not source.href.startswith(("http://", "https://")) and not (
        source.href.startswith("s3://") and source.is_table
    ):
        raise Invalid("must be the http(s) address of STAC, or of a .parquet table in s3://", field="source.href")
    return source


def _features(document: JsonObject) -> FeaturesSource:
    collection = _optional_object(document, "features")
    if collection is None:
        raise Invalid("is missing: a FeatureCollection or an ItemCollection", field="source.features")
    if collection.get("type") != "FeatureCollection":
        raise Invalid("must be FeatureCollection", field="source.features.type")
    if not isinstance(collection.get("features"), list):
        raise Invalid("must be a list of features", field="source.features.features")
    name = None if document.get("property") is None else _required_text(document, "property")
    return FeaturesSource(features=collection, property=name)


def _cogs(document: JsonObject) -> CogsSource:
    hrefs = document.get("hrefs")
    if not isinstance(hrefs, list) or not hrefs:
        raise Invalid("must be a list of hrefs, and not empty", field="source.hrefs")
    for position, href in enumerate(hrefs):
        if not isinstance(href, str) or not href.strip():
            raise Invalid("must be a string, and not empty", field=f"source.hrefs[{position}]")
    return CogsSource(hrefs=tuple(cast("list[str]", hrefs)))


def _mosaicjson(document: JsonObject) -> MosaicJsonSource:
    inline = _optional_object(document, "document")
    href = None if document.get("href") is None else _required_text(document, "href")
    if (inline is None) == (href is None):
        raise Invalid("give either document or href", field="source.document" if inline is None else "source.href")
    return MosaicJsonSource(document=inline, href=href)


def _required_text(document: JsonObject, key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Invalid("must be a string, and not empty", field=f"source.{key}")
    return value.strip()


def _optional_object(document: JsonObject, key: str) -> JsonObject | None:
    value = document.get(key)
    if not isinstance(value, dict | None):
        raise Invalid("must be an object", field=f"source.{key}")
    return value


_PARSERS: dict[str, tuple[Callable[[JsonObject], Source], tuple[str, ...]]] = {
    "mosaicjson": (_mosaicjson, ("document", "href")),
    "stac": (_stac, ("href", "search", "max_items")),
    "features": (_features, ("features", "property")),
    "cogs": (_cogs, ("hrefs",)),
}
