"""Features as a catalog: a FeatureCollection whose features name their file in a property, or STAC items."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import batched

from quadmosaic.catalog import assets as item_assets
from quadmosaic.catalog.assets import Allowed
from quadmosaic.catalog.items import (
    ItemHarvest,
    body_of_item,
    feature_id,
    granule_at,
    kept_properties,
    other_body,
)
from quadmosaic.catalog.placing import Unplaced, placed
from quadmosaic.domain.asset_keys import only_asset
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granule_ids import granule_ids
from quadmosaic.domain.granules import Harvest, Json, JsonObject, Refusal
from quadmosaic.domain.sources import FeaturesSource
from quadmosaic.ports import HarvestPage, Scan

DEFAULT_PROPERTY = "path"
_AT_ONCE = 200


async def feature_pages(
    source: FeaturesSource,
    *,
    assets: Sequence[str],
    body: str | None,
    scan: Scan,
    allowed: Allowed | None,
    after: JsonObject | None,
) -> AsyncGenerator[HarvestPage]:
    """Granules in the order of the features: STAC items where they have assets and the source names no property."""
    features = source.features.get("features")
    if not isinstance(features, list):
        raise Invalid("must be a list of features", field="source.features.features")
    is_items = source.property is None and any(isinstance(item, dict) and "assets" in item for item in features)
    harvest: ItemHarvest | FileHarvest
    if is_items:
        harvest = ItemHarvest(assets=assets, body=body, allowed=allowed)
    else:
        harvest = FileHarvest(features, key=source.property or DEFAULT_PROPERTY, asset=key_of_files(assets), body=body)
    start = offset_of(after)
    for batch in batched(enumerate(features[start:], start=start), _AT_ONCE, strict=False):
        start += len(batch)
        answers = await placed(await asyncio.to_thread(_take_all, harvest, batch), scan)
        yield HarvestPage(answers=tuple(answers), next={"offset": start} if start < len(features) else None)


def offset_of(after: JsonObject | None) -> int:
    """Where a list goes on."""
    offset = 0 if after is None else after.get("offset")
    return offset if isinstance(offset, int) else 0


def key_of_files(assets: Sequence[str]) -> str:
    """The one key that was asked for, if any. Raises Invalid (field "assets") when asked for several."""
    fault = "name one at most: each granule of this source is a single file"
    return only_asset(assets, fault=fault, field="assets")


class FileHarvest:
    """Features with one file each become granules; ids come from the features, else from the names of the files."""

    def __init__(self, features: Sequence[Json], *, key: str, asset: str, body: str | None) -> None:
        self._key = key
        self._asset = asset
        self._body = body
        self._seen: set[str] = set()
        nameless = [feature for feature in features if isinstance(feature, dict) and feature_id(feature) is None]
        self._ids = granule_ids(href for feature in nameless if (href := self._href(feature)) is not None)

    def take(self, feature: Json, *, place: str) -> Harvest | Refusal | Unplaced:
        """`place` names a feature that has neither an id nor a file."""
        if not isinstance(feature, dict):
            return Refusal(place, "is not an object")
        href = self._href(feature)
        granule_id = feature_id(feature) or (self._ids[href] if href else place)
        if href is None:
            return Refusal(granule_id, f"has no property {self._key!r} that names its file")
        body = body_of_item(feature)
        reason = self._refusal(granule_id, href, body)
        if reason is not None:
            return Refusal(granule_id, reason)
        properties = {name: value for name, value in kept_properties(feature, body).items() if name != self._key}
        harvest = granule_at(granule_id, {self._asset: href}, feature.get("geometry"), properties)
        if not isinstance(harvest, Refusal):
            self._seen.add(granule_id)
            self._body = self._body or body
        return harvest

    def _href(self, feature: JsonObject) -> str | None:
        properties = feature.get("properties")
        value = properties.get(self._key) if isinstance(properties, dict) else None
        return value.strip() or None if isinstance(value, str) else None

    def _refusal(self, granule_id: str, href: str, body: str | None) -> str | None:
        if granule_id in self._seen:
            return "duplicate id: an earlier granule has it"
        kind = item_assets.not_raster({"href": href})
        return f"is {kind}" if kind is not None else other_body(self._body, (body,) if body else ())


def _take_all(
    harvest: ItemHarvest | FileHarvest, batch: Sequence[tuple[int, Json]]
) -> list[Harvest | Refusal | Unplaced]:
    return [harvest.take(feature, place=f"features[{number}]") for number, feature in batch]
