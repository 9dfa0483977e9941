"""STAC items as granules: the hrefs asked for, a normalised footprint, the properties worth keeping, and the body."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import cast

import pyproj
from pyproj.exceptions import CRSError

from quadmosaic.catalog import assets as item_assets
from quadmosaic.catalog.assets import Allowed
from quadmosaic.catalog.placing import Unplaced
from quadmosaic.domain import bodies, footprints
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule, Harvest, Json, JsonObject, Refusal

TARGETS = "ssys:targets"
_LONGEST_TEXT = 256
_LONGEST_LIST = 32
_LEAST_INTEGER, _LARGEST_INTEGER = -(1 << 63), (1 << 63) - 1
_UNTRUE = frozenset(["description", "proj:bbox", "proj:transform", "proj:centroid", "proj:geometry"])
"""Left out: prose, and what real items state in degrees or in another order than they say."""


class ItemHarvest:
    """Items of one source become granules one by one: the first settles what later ones must agree with.

    That is the body, where none is given, and the asset key, where none is asked for. An id that came before is
    refused.
    """

    def __init__(self, *, assets: Sequence[str], body: str | None, allowed: Allowed | None = None) -> None:
        """`allowed` chooses among an asset's alternate hrefs: the first that may be fetched."""
        self._allowed = allowed
        self._assets = tuple(dict.fromkeys(assets))
        self._body = body
        self._seen: set[str] = set()

    def take(self, item: Json, *, place: str) -> Harvest | Refusal | Unplaced:
        """`place` names an item that has no id. Raises Invalid (field "assets") where the asset must be chosen."""
        if not isinstance(item, dict):
            return Refusal(place, "is not an object")
        item_id = feature_id(item) or place
        body = body_of_item(item)
        foreign = other_body(self._body, targets_of(item) or ((body,) if body else ()))
        if item_id in self._seen:
            return Refusal(item_id, "duplicate id: an earlier granule has it")
        if foreign is not None:
            return Refusal(item_id, foreign)
        if not self._assets:
            self._assets = item_assets.only_raster(item)
            if not self._assets:
                return Refusal(item_id, item_assets.why_no_raster(item))
        hrefs = item_assets.hrefs(item, self._assets, allowed=self._allowed)
        if isinstance(hrefs, str):
            return Refusal(item_id, hrefs)
        harvest = granule_at(item_id, hrefs, item.get("geometry"), kept_properties(item, body))
        if not isinstance(harvest, Refusal):
            self._seen.add(item_id)
            self._body = self._body or body
        return harvest


def granule_at(
    granule_id: str, hrefs: Mapping[str, str], geometry: Json, properties: Mapping[str, Json]
) -> Harvest | Refusal | Unplaced:
    """A granule with its footprint normalised, unplaced where the source has no geometry, or why it has none."""
    if geometry is None:
        return Unplaced(granule_id=granule_id, hrefs=hrefs, properties=properties)
    if not isinstance(geometry, dict):
        return Refusal(granule_id, "geometry: must be a GeoJSON object")
    try:
        footprint, changes = footprints.normalise(geometry)
    except Invalid as error:
        return Refusal(granule_id, str(error))
    return Harvest(Granule(id=granule_id, hrefs=hrefs, footprint=footprint, properties=properties), changes)


def feature_id(feature: JsonObject) -> str | None:
    """GeoJSON ids may be numbers."""
    value = feature.get("id")
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def other_body(body: str | None, found: Sequence[str]) -> str | None:
    """Why something that says it lies on `found` cannot join a mosaic of `body`; None where it can."""
    if body is None or not found or body in found:
        return None
    return f"lies on {' and '.join(found)}, and the mosaic on {body}"


def targets_of(item: JsonObject) -> tuple[str, ...]:
    """The bodies in `ssys:targets`, spelled as in the IAU's list where it has them."""
    targets = _properties(item).get(TARGETS)
    texts = targets if isinstance(targets, list) else [targets]
    return tuple(bodies.body_named(text) or text for text in texts if isinstance(text, str) and text)


def body_of_item(item: JsonObject) -> str | None:
    """The body an item says it lies on: by `ssys:targets`, else by its CRS; None where it says nothing."""
    targets = targets_of(item)
    return targets[0] if targets else _body_of_crs(item)


def kept_properties(item: JsonObject, body: str | None) -> dict[str, Json]:
    """Scalars that records can hold and short lists of them.

    `ssys:targets` and `collection` are among them where the item says these elsewhere.
    """
    kept = {key: value for key, value in _properties(item).items() if key not in _UNTRUE and _is_small(value)}
    collection = item.get("collection")
    if isinstance(collection, str):
        kept.setdefault("collection", collection)
    if body is not None:
        kept.setdefault(TARGETS, [body])
    return kept


def _properties(item: JsonObject) -> JsonObject:
    properties = item.get("properties")
    return properties if isinstance(properties, dict) else {}


def _is_small(value: Json) -> bool:
    if isinstance(value, list):
        return len(value) <= _LONGEST_LIST and all(not isinstance(part, list) and _is_small(part) for part in value)
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and _LEAST_INTEGER <= value <= _LARGEST_INTEGER


def _body_of_crs(item: JsonObject) -> str | None:
    properties = _properties(item)
    code = properties.get("proj:code") or properties.get("proj:epsg")
    texts = (properties.get("proj:wkt2"), json.dumps(properties.get("proj:projjson")), code)
    found = (_body_of_text(str(text)) for text in texts if text not in (None, "null"))
    return next((body for body in found if body is not None), None)


@lru_cache(maxsize=256)
def _body_of_text(text: str) -> str | None:
    """The body of WKT (in 2021 items quoted twice), PROJJSON or a code; a bare number is an EPSG one."""
    try:
        plain = cast("str", json.loads(text)) if text.startswith('"') else text
        return bodies.body_of(pyproj.CRS.from_user_input(int(plain) if plain.isdecimal() else plain))
    except (CRSError, ValueError, OverflowError):
        return None
