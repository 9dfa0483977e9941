"""Registrations: what a mosaic is registered as, read from JSON and written back."""

from dataclasses import dataclass, field, replace
from typing import cast, get_args

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.json_fields import storable, text, texts, whole
from quadmosaic.domain.mosaic import Compatibility, Defaults, Limits, Recipe
from quadmosaic.domain.names import validate_name
from quadmosaic.domain.plain_json import check_plain
from quadmosaic.domain.schedules import Schedule, parse_schedule, schedule_document
from quadmosaic.domain.sources import MosaicJsonSource, parse_source, source_document

_POLICIES: tuple[str, ...] = get_args(Compatibility.__value__)
_DEFAULTS = ("title", "description", "attribution", "defaults")


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """A name with its recipe, how it is served and when it is built anew. Times are ISO 8601."""

    name: str
    recipe: Recipe
    defaults: Defaults = field(default_factory=Defaults)
    schedule: Schedule | None = None
    scheduled_since: str = ""
    created: str = ""


def parse_registration(document: JsonObject) -> Registration:
    """The body of a POST, or what `registration_document` wrote. Raises Invalid with the field."""
    name = document.get("name")
    if not isinstance(name, str):
        raise Invalid("is missing: 1 to 64 lower-case letters, digits and hyphens", field="name")
    schedule = document.get("schedule")
    return Registration(
        name=validate_name(name),
        recipe=_recipe(document),
        defaults=parse_defaults(document),
        schedule=None if schedule is None else parse_schedule(schedule),
        scheduled_since=text(document, "scheduled_since") or "",
        created=text(document, "created") or "",
    )


def registration_document(registration: Registration) -> JsonObject:
    """The JSON that `parse_registration` reads back into the same registration."""
    recipe, defaults = registration.recipe, registration.defaults
    own: JsonObject = {"asset": defaults.asset} if defaults.asset else {}
    document: JsonObject = {
        "name": registration.name,
        **recipe_document(recipe),
        "title": defaults.title,
        "description": defaults.description,
        "attribution": defaults.attribution,
        "defaults": {**own, **defaults.style} or None,
        "schedule": None if registration.schedule is None else schedule_document(registration.schedule),
        "scheduled_since": registration.scheduled_since or None,
        "created": registration.created or None,
    }
    return {key: value for key, value in document.items() if value is not None}


def recipe_document(recipe: Recipe) -> JsonObject:
    """A recipe under the keys of a registration."""
    limits: JsonObject = {
        "max_granules": recipe.limits.max_granules,
        "max_cells": recipe.limits.max_cells,
        "max_shrink": recipe.limits.max_shrink,
    }
    document: JsonObject = {
        "source": source_document(recipe.source),
        "assets": list(recipe.assets),
        "tms": recipe.tms,
        "quadkey_zoom": recipe.quadkey_zoom,
        "minzoom": recipe.minzoom,
        "maxzoom": recipe.maxzoom,
        "order": recipe.order,
        "scan": recipe.scan,
        "compatibility": recipe.compatibility,
        "limits": {key: value for key, value in limits.items() if value is not None},
        "includes": recipe.includes,
        "excludes": list(recipe.excludes) or None,
    }
    return {key: value for key, value in document.items() if value is not None}


def as_posted(recipe: Recipe) -> Recipe:
    """The recipe without what was added and removed by hand: two are the same registration when these are equal."""
    return replace(recipe, includes=None, excludes=())


def parse_defaults(document: JsonObject) -> Defaults:
    """`title`, `description`, `attribution` and `defaults`, which holds an asset and query parameters."""
    given = document.get("defaults")
    if not isinstance(given, dict | None):
        raise Invalid("must be an object of query parameters", field="defaults")
    style: dict[str, str] = {}
    for key, value in (given or {}).items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Invalid("must be a text or a number", field=f"defaults.{key}")
        style[key] = storable(str(value), f"defaults.{key}")
    return Defaults(
        title=text(document, "title"),
        description=text(document, "description"),
        attribution=text(document, "attribution"),
        asset=style.pop("asset", None),
        style=style,
    )


def changed(registration: Registration, changes: JsonObject) -> Registration:
    """The registration after a PATCH of title, description, attribution, defaults or schedule; null takes one away."""
    unknown = changes.keys() - {*_DEFAULTS, "schedule"}
    if unknown:
        raise Invalid("cannot be changed so: PUT a whole registration", field=min(unknown))
    for key, value in changes.items():
        check_plain(value, field=key)
    document = registration_document(registration)
    told = parse_defaults({key: changes.get(key, document.get(key)) for key in _DEFAULTS})
    schedule = registration.schedule
    if "schedule" in changes:
        schedule = None if changes["schedule"] is None else parse_schedule(changes["schedule"])
    return replace(registration, defaults=told, schedule=schedule)


def _recipe(document: JsonObject) -> Recipe:
    source = parse_source(document.get("source"))
    assets = texts(document, "assets")
    if isinstance(source, MosaicJsonSource) and len(assets) > 1:
        raise Invalid("a MosaicJSON document has one asset: give its files one key", field="assets")
    policy = document.get("compatibility") or "skip"
    if policy not in _POLICIES:
        raise Invalid(f"must be one of {', '.join(_POLICIES)}", field="compatibility")
    tms = document.get("tms")
    if not isinstance(tms, str | dict | None):
        raise Invalid("must be the id of a tile matrix set or its document", field="tms")
    zoom = document.get("quadkey_zoom")
    return Recipe(
        source=source,
        assets=assets,
        tms=tms,
        quadkey_zoom="auto" if zoom in (None, "auto") else cast("int", whole(document, "quadkey_zoom")),
        minzoom=whole(document, "minzoom"),
        maxzoom=whole(document, "maxzoom"),
        order=text(document, "order") or "source",
        scan=_scan(document),
        compatibility=cast("Compatibility", policy),
        limits=_limits(document),
        includes=_includes(document),
        excludes=texts(document, "excludes"),
    )


def _limits(document: JsonObject) -> Limits:
    limits = document.get("limits")
    if not isinstance(limits, dict | None):
        raise Invalid("must be an object", field="limits")
    given = limits or {}
    unknown = given.keys() - {"max_granules", "max_cells", "max_shrink"}
    if unknown:
        raise Invalid("is no limit: max_granules, max_cells and max_shrink are", field=f"limits.{min(unknown)}")
    shrink = given.get("max_shrink", 0.2)
    if isinstance(shrink, bool) or not isinstance(shrink, int | float) or not 0 <= shrink <= 1:
        raise Invalid("must be a share from 0 to 1", field="limits.max_shrink")
    return Limits(
        max_granules=whole(given, "max_granules", low=1, within="limits."),
        max_cells=whole(given, "max_cells", low=1, within="limits."),
        max_shrink=float(shrink),
    )


def _includes(document: JsonObject) -> JsonObject | None:
    includes = document.get("includes")
    if includes is None:
        return None
    if not isinstance(includes, dict) or not isinstance(includes.get("features"), list):
        raise Invalid("must be a FeatureCollection", field="includes")
    return includes


def _scan(document: JsonObject) -> bool:
    scan = document.get("scan")
    if not isinstance(scan, bool | None):
        raise Invalid("must be true or false", field="scan")
    return scan is not False
