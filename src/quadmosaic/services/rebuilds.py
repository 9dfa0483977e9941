"""Rebuilds: builds started, watched and confirmed, and granules added and removed by hand."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from quadmosaic.domain.asset_keys import only_asset
from quadmosaic.domain.builds import Build, Fault, Status, Step
from quadmosaic.domain.errors import (
    Broken,
    Conflict,
    Invalid,
    NotFound,
    QuadmosaicError,
    TooLarge,
    Unavailable,
)
from quadmosaic.domain.granule_ids import granule_ids
from quadmosaic.domain.granules import Json, JsonObject
from quadmosaic.domain.mosaic import MosaicRef, Recipe
from quadmosaic.domain.plain_json import check_plain
from quadmosaic.ports import Queue
from quadmosaic.services.access import Access
from quadmosaic.services.jobs import Jobs, Registered
from quadmosaic.services.publishing import Publishing, Superseded
from quadmosaic.services.vetting import check_features, features_of

POLL_S = 0.03
_SLOWEST_POLL_S = 0.5
_MOST_INCLUDES = 10_000
_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Rebuilds:
    """Starts builds; `wait_s` is how long a request waits for one before it is told to come back."""

    jobs: Jobs
    publishing: Publishing
    queue: Queue
    access: Access
    wait_s: float = 0.0
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def new_id(self) -> str:
        """Sorts by time."""
        return f"{self.now():%Y%m%dt%H%M%S}-{secrets.token_hex(4)}"

    async def start(
        self,
        registered: Registered,
        *,
        trigger: str,
        build_id: str | None = None,
        rescan: bool = False,
        wait_s: float | None = None,
    ) -> Build:
        """Queue a build, and wait a while for it; one of that id that exists already is gone on with."""
        name = registered.registration.name
        build = Build(
            name=name,
            id=build_id or self.new_id(),
            revision=registered.revision,
            trigger=trigger,
            created=self.now().isoformat(timespec="seconds"),
            rescan=rescan,
        )
        return await self.gone_on((await self.jobs.begin(build)).build, wait_s=wait_s)

    async def gone_on(self, build: Build, *, wait_s: float | None = None) -> Build:
        """Queue a build again if it waits, for the queue may never have had it, and wait a while for it."""
        if build.status is Status.QUEUED:
            await self.queue.send(mosaic=build.name, build=build.id)
        return await self._watched(build, wait_s=self.wait_s if wait_s is None else wait_s)

    async def _watched(self, build: Build, *, wait_s: float) -> Build:
        """The build once it is over, or as it is after `wait_s` seconds."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + wait_s, POLL_S
        while True:
            build = (await self.jobs.build(build.name, build.id)).build
            if build.status.is_over or loop.time() >= end:
                return build
            await asyncio.sleep(min(pause, max(0.0, end - loop.time())))
            pause = min(pause * 1.5, _SLOWEST_POLL_S)

    async def confirm(self, name: str, build_id: str) -> Build:
        """Let a held build through; one with the defaults of yesterday is built again. Raises Conflict, NotFound."""
        saved = await self.jobs.build(name, build_id)
        if saved.build.confirmed and not saved.build.status.is_over:
            return await self.gone_on(saved.build)
        if saved.build.status is not Status.HELD:
            raise Conflict(f"build {build_id} is {saved.build.status}, and only a held one can be confirmed")
        try:
            is_published = await self.publishing.confirm(saved.build)
        except Superseded as error:
            raise Conflict(str(error)) from error
        report = None if saved.build.report is None else replace(saved.build.report, held=None)
        confirmed = replace(saved.build, confirmed=True, report=report)
        if is_published:
            build = replace(confirmed, status=Status.SUCCEEDED, step=Step.DONE)
            return (await self.jobs.save(saved, build)).build
        again = replace(confirmed, status=Status.QUEUED, step=Step.CRAWL, finished=None, leased_until=None)
        await self.jobs.save(saved, again)
        return await self.gone_on(again)

    async def include(self, registered: Registered, granules: JsonObject, *, wait_s: float | None = None) -> Build:
        """Add granules to the recipe, whose ids are no longer excluded then, and build it.

        Raises Conflict for one that the mosaic has from its source, and where the build is waited for Invalid for one
        that it could not use.
        """
        name, recipe = registered.registration.name, registered.registration.recipe
        assets = await self._assets(registered)
        added = included_features(granules, assets=assets)
        found: JsonObject = {"features": cast("list[Json]", added)}
        check_plain(found["features"], field="features")
        await check_features(self.access, found, field="features", assets=assets)
        ids = {str(feature["id"]) for feature in added}
        own = {str(feature.get("id")) for feature in features_of(recipe.includes)}
        for there in sorted(await self.published(name, ids - own)):
            raise Conflict(f"the mosaic has a granule {there!r} already, from its source")
        kept = [feature for feature in features_of(recipe.includes) if str(feature.get("id")) not in ids]
        if len(kept) + len(added) > _MOST_INCLUDES:
            raise TooLarge(f"more than {_MOST_INCLUDES} granules added by hand: make them a source")
        excludes = tuple(each for each in recipe.excludes if each not in ids)
        build = await self._rebuilt(
            registered, replace(recipe, includes=_collection([*kept, *added]), excludes=excludes), wait_s
        )
        if build.status in (Status.SUCCEEDED, Status.UNCHANGED):
            await self._check_added(build, ids, field="features" if granules.get("hrefs") is None else "hrefs")
        return build

    async def published(self, name: str, granule_ids: Collection[str]) -> frozenset[str]:
        """Those of the granules that the published version has."""
        try:
            version = await self.publishing.store.version(MosaicRef(name))
        except NotFound:
            return frozenset()
        found: set[str] = set()
        after: str | None = None
        while len(found) < len(granule_ids):
            page = await self.publishing.store.granules(version, after=after, limit=_PAGE)
            found |= {granule.id for granule in page.items} & set(granule_ids)
            after = page.next
            if after is None:
                break
        return frozenset(found)

    async def _check_added(self, build: Build, ids: Collection[str], *, field: str) -> None:
        """Raise Invalid for granules that the build could not use, which the recipe does not keep then."""
        missing = set(ids) - await self.published(build.name, ids)
        latest = await self.jobs.registered(build.name)
        if not missing or latest is None:
            return
        recipe = latest.registration.recipe
        kept = [feature for feature in features_of(recipe.includes) if str(feature.get("id")) not in missing]
        changed = replace(latest.registration, recipe=replace(recipe, includes=_collection(kept)))
        await self.jobs.register(changed, after=latest.revision)
        skipped = () if build.report is None else build.report.skipped
        reasons = {each.granule: each.reason for each in skipped}
        first = min(missing)
        raise Invalid(f"{first} was not added: {reasons.get(first, 'it cannot be used')}", field=field)

    async def exclude(self, registered: Registered, granule_id: str, *, wait_s: float | None = None) -> Build:
        """Remove a granule from the recipe, and build it."""
        recipe = registered.registration.recipe
        kept = [feature for feature in features_of(recipe.includes) if str(feature.get("id")) != granule_id]
        excludes = tuple(dict.fromkeys([*recipe.excludes, granule_id]))
        return await self._rebuilt(registered, replace(recipe, includes=_collection(kept), excludes=excludes), wait_s)

    async def _assets(self, registered: Registered) -> tuple[str, ...]:
        """The keys that the recipe names, or that its first build found."""
        try:
            version = await self.publishing.store.version(MosaicRef(registered.registration.name))
        except NotFound:
            return registered.registration.recipe.assets
        return registered.registration.recipe.assets or tuple(profile.key for profile in version.manifest.assets)

    async def _rebuilt(self, registered: Registered, recipe: Recipe, wait_s: float | None) -> Build:
        changed = replace(registered.registration, recipe=recipe)
        after = registered.revision or await self.jobs.revision(changed.name)
        current = await self.jobs.register(changed, after=after)
        build = await self.start(current, trigger="granules", wait_s=wait_s)
        if build.status is Status.FAILED and build.fault is not None:
            await self.jobs.register(registered.registration, after=current.revision)
            raise error_of(build.fault)
        return build


def _collection(features: Sequence[JsonObject]) -> JsonObject | None:
    return {"type": "FeatureCollection", "features": [*features]} if features else None


def included_features(granules: JsonObject, *, assets: Sequence[str]) -> list[JsonObject]:
    """Items to include, out of a Feature, a FeatureCollection or `{"hrefs": [...]}`. Raises Invalid.

    A file that comes without a key is the mosaic's only asset.
    """
    hrefs = granules.get("hrefs")
    if hrefs is not None:
        if not isinstance(hrefs, list) or not hrefs or not all(isinstance(href, str) and href for href in hrefs):
            raise Invalid("must be a list of hrefs, and not empty", field="hrefs")
        texts = cast("list[str]", hrefs)
        ids = granule_ids(texts)
        return [_item(ids[href], None, {_key_of_files(assets): href}, {}) for href in dict.fromkeys(texts)]
    features = [granules] if granules.get("type") == "Feature" else granules.get("features")
    if not isinstance(features, list) or not features:
        raise Invalid("must be a Feature, a FeatureCollection or an object with hrefs", field="features")
    return [_as_item(feature, position, assets) for position, feature in enumerate(features)]


def error_of(fault: Fault) -> QuadmosaicError:
    """The error that a build failed with."""
    if fault.status == Invalid.status:
        return Invalid(fault.detail, field=fault.field or "source")
    kinds: Mapping[int, Callable[[str], QuadmosaicError]] = {
        NotFound.status: NotFound,
        Conflict.status: Conflict,
        TooLarge.status: TooLarge,
        Unavailable.status: Unavailable,
    }
    return kinds.get(fault.status, Broken)(fault.detail)


def _as_item(feature: Json, position: int, assets: Sequence[str]) -> JsonObject:
    at = f"features[{position}]"
    if not isinstance(feature, dict):
        raise Invalid("must be an object", field=at)
    feature_id = feature.get("id")
    if isinstance(feature.get("assets"), dict):
        if not isinstance(feature_id, str | int) or feature_id == "":
            raise Invalid("is missing", field=f"{at}.id")
        return {**feature, "id": str(feature_id)}
    properties = feature.get("properties")
    href = properties.get("path") if isinstance(properties, dict) else None
    if not isinstance(href, str) or not href:
        raise Invalid("has neither assets nor a property path that names its file", field=at)
    name = str(feature_id) if feature_id not in (None, "") else granule_ids([href])[href]
    kept = {key: value for key, value in (properties or {}).items() if key != "path"}  # type: ignore[union-attr]
    return _item(name, feature.get("geometry"), {_key_of_files(assets): href}, kept)


def _item(granule_id: str, geometry: Json, hrefs: Mapping[str, str], properties: JsonObject) -> JsonObject:
    assets: JsonObject = {
        key: {"href": href, "type": "image/tiff; application=geotiff; profile=cloud-optimized"}
        for key, href in hrefs.items()
    }
    return {"type": "Feature", "id": granule_id, "geometry": geometry, "properties": properties, "assets": assets}


def _key_of_files(assets: Sequence[str]) -> str:
    fault = f"the mosaic has the assets {', '.join(assets)}: add STAC items that have them"
    return only_asset(assets, fault=fault, field="hrefs")
