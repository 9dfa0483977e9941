"""Where a recipe finds its granules: the four source types of a registration."""

from dataclasses import dataclass, field

from quadmosaic.domain.granules import JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class StacSource:
    """A STAC API item search. `search` is the body of an item-search request, without paging."""

    href: str
    search: JsonObject = field(default_factory=dict)
    max_items: int | None = None


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
