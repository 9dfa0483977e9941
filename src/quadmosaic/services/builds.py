"""Builds: from a recipe to the draft of a mosaic."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import pyproj

from quadmosaic.domain import advisor, bodies, covering, grids, ordering
from quadmosaic.domain.asset_keys import DEFAULT_ASSET
from quadmosaic.domain.errors import Invalid, TooLarge, Unavailable
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaic import AssetProfile, Defaults, Index, Recipe
from quadmosaic.domain.mosaicjson import MosaicJson
from quadmosaic.domain.mosaicjson_index import to_index
from quadmosaic.ports import Catalog, GranuleReader
from quadmosaic.services.crawls import Crawl, require_granules
from quadmosaic.services.drafts import Draft
from quadmosaic.services.manifests import built_manifest, imported_manifest
from quadmosaic.services.profiles import asset_profiles
from quadmosaic.services.scans import scan_files
from quadmosaic.services.spool import Footprints, Granules, Headers

TARGETS = "ssys:targets"
"""The STAC property that names the body, which catalogs fill in where they find it elsewhere."""
TRIED_FOR_BODY = 8

type Progress = Callable[[str, int, int | None], None]
"""Called with the step, how many are done and how many there are, where known."""


def silent(step: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Builds recipes; `scan` of a recipe decides whether the files themselves are opened."""

    catalog: Catalog
    reader: GranuleReader

    async def draft(self, recipe: Recipe, defaults: Defaults, *, progress: Progress = silent) -> Draft:
        """Crawl, order, cover and profile. Raises Invalid where the recipe gives no mosaic."""
        started = time.perf_counter()
        crawl = await self._crawl(recipe, progress)
        body = await self.body_of(recipe, crawl)
        if recipe.scan:
            await self._scan(crawl, body, progress)
        return await self.assemble(recipe, defaults, crawl, body=body, started=started)

    async def assemble(
        self,
        recipe: Recipe,
        defaults: Defaults,
        crawl: Crawl,
        *,
        body: str,
        started: float,
        before: Sequence[AssetProfile] = (),
    ) -> Draft:
        """Order, cover and profile what was crawled and scanned; `started` is of `time.perf_counter`.

        `before` are profiles of the very same files.

        Raises Invalid where it gives no mosaic, or files disagree and the recipe refuses that; TooLarge beyond the
        recipe's limits.
        """
        await asyncio.to_thread(crawl.agree, recipe)
        require_granules(crawl)
        check_limit(len(crawl.granules), recipe.limits.max_granules, what="granules")
        index, grid, advice = await asyncio.to_thread(_covered, recipe, crawl, body)
        keys = (*_asset_keys(recipe, index.granules), *crawl.groups)
        profiles = await asset_profiles(self.reader, index, body=grid.body, keys=keys, before=before)
        report = crawl.report(index.cells, advice, seconds=time.perf_counter() - started)
        manifest = await asyncio.to_thread(built_manifest, recipe, defaults, index, grid, profiles, report)
        return Draft(manifest=manifest, index=index)

    async def imported(
        self,
        document: MosaicJson,
        defaults: Defaults,
        *,
        scan: bool = True,
        progress: Progress = silent,
        known: Mapping[str, Mapping[str, Header]] | None = None,
        includes: Crawl | None = None,
        excludes: Collection[str] = (),
    ) -> Draft:
        """A MosaicJSON document as it is: its cells, its order, its unknown keys.

        `known` are header records by granule id and asset key; without `excludes`, and with `includes` behind.
        """
        started = time.perf_counter()
        key = defaults.asset or DEFAULT_ASSET
        index, manifest = to_index(document, asset_key=key)
        crawl = Crawl(granules=Granules(index.granules), headers=Headers(known))
        if scan:
            await self._scan(crawl, manifest.body, progress)
            if len(crawl.granules) < len(index.granules):
                raise Invalid(f"{crawl.refused[0].granule_id} {crawl.refused[0].reason}", field="tiles")
        index = replace(index, headers=crawl.headers)
        if includes is not None or excludes:
            index = edited(index, document.grid(), includes=includes or Crawl(), excludes=excludes)
        profiles = await asset_profiles(self.reader, index, body=manifest.body, keys=(key,))
        report = crawl.report(index.cells, None, seconds=time.perf_counter() - started)
        return Draft(manifest=imported_manifest(manifest, document, defaults, profiles, report), index=index)

    async def _crawl(self, recipe: Recipe, progress: Progress) -> Crawl:
        crawl = Crawl()
        body = None if recipe.tms is None else grids.named(recipe.tms).body
        async with aclosing(self.catalog.harvest(recipe.source, assets=recipe.assets, body=body)) as harvest:
            async for answer in harvest:
                crawl.add(answer)
                progress("granules", len(crawl.granules), None)
        require_granules(crawl)
        return crawl

    async def _scan(self, crawl: Crawl, body: str, progress: Progress) -> None:
        """Complete the header records, and refuse granules that their files rule out."""
        scan = await scan_files(
            self.reader,
            crawl.granules,
            crawl.headers,
            body=body,
            on_file=lambda done, all_: progress("headers", done, all_),
        )
        refused = {refusal.granule_id for refusal in scan.refused}
        crawl.headers.update(scan.headers)
        crawl.leave_out({at for at, granule in enumerate(crawl.granules) if granule.id in refused})
        crawl.refused += scan.refused
        crawl.unread = scan.unread
        require_granules(crawl)

    async def body_of(self, recipe: Recipe, crawl: Crawl) -> str:
        """The body that the grid, the source or a header names; the crawl refused granules of another one."""
        if recipe.tms is not None:
            return grids.named(recipe.tms).body
        first = crawl.granules[0]
        target = _target(first)
        if target is not None:
            return target
        known = crawl.headers.get(first.id) or {}
        header = next(iter(known.values()), None) or (await self._first_header(crawl) if recipe.scan else None)
        body = None if header is None else bodies.body_of(pyproj.CRS(header.crs))
        if body is None:
            raise Invalid("the source does not say on which body it lies; name a tile matrix set", field="tms")
        return body

    async def _first_header(self, crawl: Crawl) -> Header | None:
        """That of the first file that can be read, one of a few."""
        for granule in crawl.granules[:TRIED_FOR_BODY]:
            for href in granule.hrefs.values():
                try:
                    return await self.reader.scan(href)
                except (Unavailable, Invalid):
                    continue
        return None


def _covered(recipe: Recipe, crawl: Crawl, body: str) -> tuple[Index, Grid, str | None]:
    """The index, its grid, and why it has the zoom it has."""
    order = ordering.ordered(crawl.granules, recipe.order, crawl.headers)
    granules = crawl.granules if recipe.order == "source" else crawl.granules.taken(order)
    footprints = Footprints(granules)
    grid = _grid(recipe, body, footprints)
    advice, zoom = _quadkey_zoom(recipe, footprints, grid)
    cells = covering.cover(footprints, grid, zoom)
    if not cells:
        raise Invalid(f"no granule lies on {grid.id}", field="tms")
    check_limit(len(cells), recipe.limits.max_cells, what="cells")
    index = Index(grid_id=grid.id, zoom=zoom, granules=granules, cells=cells, headers=crawl.headers)
    return index, grid, advice


def _target(granule: Granule) -> str | None:
    """The body that a granule says it lies on, if it is one of the IAU's list."""
    targets = granule.properties.get(TARGETS)
    texts = targets if isinstance(targets, list) else [targets]
    return next((body for text in texts if isinstance(text, str) and (body := bodies.body_named(text))), None)


def _grid(recipe: Recipe, body: str, footprints: Footprints) -> Grid:
    if recipe.tms is None:
        return grids.load(grids.default_index_grid(body, footprints.bounds()))
    grid = grids.named(recipe.tms)
    if grid.body != body:
        raise Invalid(f"{grid.id} is a grid of {grid.body}, the granules lie on {body}", field="tms")
    return grid


def _quadkey_zoom(recipe: Recipe, footprints: Footprints, grid: Grid) -> tuple[str | None, int]:
    if recipe.quadkey_zoom == "auto":
        advice = advisor.advise(footprints, grid)
        return advice.reason, advice.zoom
    if not 0 <= recipe.quadkey_zoom <= grid.maxzoom:
        raise Invalid(f"{recipe.quadkey_zoom} is not a zoom of {grid.id} (0 to {grid.maxzoom})", field="quadkey_zoom")
    return None, recipe.quadkey_zoom


def _asset_keys(recipe: Recipe, granules: Sequence[Granule]) -> tuple[str, ...]:
    return recipe.assets or tuple(granules[0].hrefs)


def edited(index: Index, grid: Grid, *, includes: Crawl, excludes: Collection[str]) -> Index:
    """An index without some granules, and with others behind those it has."""
    kept = [at for at, granule in enumerate(index.granules) if granule.id not in excludes]
    granules = [index.granules[at] for at in kept]
    places = {old: new for new, old in enumerate(kept)}
    cells = {key: tuple(places[at] for at in members if at in places) for key, members in index.cells.items()}
    known = {granule.id for granule in granules}
    added = [granule for granule in includes.granules if granule.id not in known and granule.id not in excludes]
    for key, members in covering.cover([granule.footprint for granule in added], grid, index.zoom).items():
        cells[key] = (*cells.get(key, ()), *(len(granules) + at for at in members))
    headers = {**index.headers, **includes.headers}
    granules += added
    ids = {granule.id for granule in granules}
    return replace(
        index,
        granules=tuple(granules),
        cells={key: members for key, members in cells.items() if members},
        headers={granule_id: records for granule_id, records in headers.items() if granule_id in ids},
    )


def check_limit(count: int, limit: int | None, *, what: str) -> None:
    """Raise TooLarge beyond the limit."""
    if limit is not None and count > limit:
        raise TooLarge(
            f"{count} {what} are more than the limit of {limit}: narrow the source, or raise limits.max_{what}"
        )
