"""Vetting: what is wrong with a registration before anything is built, and files that must not be fetched."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from quadmosaic.domain import grids
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.plain_json import check_plain
from quadmosaic.domain.registrations import Registration, registration_document
from quadmosaic.domain.sources import CogsSource, FeaturesSource, MosaicJsonSource, StacSource
from quadmosaic.services.access import Access

type CheckStyle = Callable[[Mapping[str, str]], None]
"""Raises Invalid for image parameters that nothing can be drawn with."""


def unchecked(_: Mapping[str, str]) -> None:
    """Any style will do."""


@dataclass(frozen=True, kw_only=True)
class Vetting:
    """Judges registrations."""

    access: Access
    check_style: CheckStyle = unchecked

    async def vet(self, registration: Registration) -> None:
        """Raise Invalid for a grid or style nobody knows, and for a source or file that must not be fetched."""
        for key, value in registration_document(registration).items():
            check_plain(value, field=key)
        recipe = registration.recipe
        self.check_style(registration.defaults.style)
        if recipe.tms is not None:
            grids.named(recipe.tms)
        match recipe.source:
            case StacSource(href=href):
                await self.access.check(href, field="source.href")
            case CogsSource(hrefs=hrefs):
                for position, href in enumerate(hrefs):
                    await self.access.check(href, field=f"source.hrefs[{position}]")
            case MosaicJsonSource(href=str(href)):
                await self.access.check(href, field="source.href")
            case FeaturesSource(features=features, property=name):
                await check_features(
                    self.access,
                    features,
                    field="source.features.features",
                    assets=recipe.assets,
                    file_property=name or "path",
                )
            case MosaicJsonSource():
                # The files of a document are checked when it is read, before any of them is opened.
                pass
        if recipe.includes is not None:
            await check_features(self.access, recipe.includes, field="includes.features", assets=recipe.assets)


async def check_features(
    access: Access, features: JsonObject, *, field: str, assets: Sequence[str], file_property: str = "path"
) -> None:
    """Raise Invalid for the first feature whose file, under an asset key or in a property, must not be fetched.

    Where no asset is named the crawl finds out which one counts, and refuses what must not be fetched.
    """
    for position, feature in enumerate(features_of(features)):
        for href in _hrefs(feature, assets, file_property):
            await access.check(href, field=f"{field}[{position}]")


def features_of(collection: JsonObject | None) -> Sequence[JsonObject]:
    """The members of a FeatureCollection."""
    features = (collection or {}).get("features")
    return [each for each in features if isinstance(each, dict)] if isinstance(features, list) else []


def _hrefs(feature: JsonObject, keys: Sequence[str], file_property: str) -> Iterable[str]:
    """What a feature would have fetched; relative hrefs of items become absolute only when they are harvested.

    An asset with alternate hrefs may have one that is allowed, which the harvest finds.
    """
    assets, properties = feature.get("assets"), feature.get("properties")
    if isinstance(assets, dict):
        chosen = [assets.get(key) for key in keys]
        found = [each.get("href") for each in chosen if isinstance(each, dict) and "alternate" not in each]
    else:
        found = [properties.get(file_property)] if isinstance(properties, dict) else []
    return [href for href in found if isinstance(href, str) and (":" in href or href.startswith("/"))]
