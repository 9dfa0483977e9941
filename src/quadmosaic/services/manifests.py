"""Manifests: what a build writes beside its index, composed from the recipe, the index and what was read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from itertools import batched

import numpy as np
import numpy.typing as npt
import shapely

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule, Refusal
from quadmosaic.domain.grids import Grid
from quadmosaic.domain.mosaic import AssetProfile, Defaults, Index, Manifest, Quadkey, Recipe, Report
from quadmosaic.domain.mosaicjson import MosaicJson
from quadmosaic.services.requests import ImageRequest, band_indexes

MAP_ZOOMS_ABOVE_INDEX = 3
_AT_ONCE = 4096


def version_report(
    cells: Mapping[Quadkey, tuple[int, ...]],
    *,
    found: int,
    refused: Sequence[Refusal],
    normalised: Mapping[str, int],
    unread: int,
    advice: str | None,
    seconds: float,
) -> Report:
    """What a build did; `cells` are those of its index, at least one."""
    counts = np.array([len(members) for members in cells.values()])
    median, p95, most = (int(np.ceil(q)) for q in (np.median(counts), np.percentile(counts, 95), counts.max()))
    return Report(
        found=found,
        used=len({member for members in cells.values() for member in members}),
        refused=tuple(refused),
        normalised=dict(normalised),
        unread=unread,
        cells=len(cells),
        granules_per_cell=(median, p95, most),
        advice=advice,
        seconds=round(seconds, 3),
    )


def built_manifest(
    recipe: Recipe, defaults: Defaults, index: Index, grid: Grid, profiles: tuple[AssetProfile, ...], report: Report
) -> Manifest:
    """The manifest of a recipe's build.

    Raises Invalid for zooms that are not in order, and as `check_default`.
    """
    check_default(defaults, profiles)
    extents = [_extents(list(some)) for some in batched(index.granules, _AT_ONCE, strict=False)]
    parts = np.concatenate(extents)
    west, south, east, north = (float(edge) for edge in (*parts.min(axis=0)[:2], *parts.max(axis=0)[2:]))
    minzoom = max(0, index.zoom - MAP_ZOOMS_ABOVE_INDEX) if recipe.minzoom is None else recipe.minzoom
    maxzoom = _maxzoom(grid, profiles, index) if recipe.maxzoom is None else recipe.maxzoom
    if not 0 <= minzoom <= maxzoom <= grid.maxzoom:
        at = "maxzoom" if maxzoom > grid.maxzoom or recipe.minzoom is None else "minzoom"
        raise Invalid(f"zooms {minzoom} to {maxzoom} are not in order within 0 to {grid.maxzoom}", field=at)
    return Manifest(
        body=grid.body,
        grid_id=grid.id,
        tms=recipe.tms if isinstance(recipe.tms, dict) else None,
        quadkey_zoom=index.zoom,
        minzoom=minzoom,
        maxzoom=maxzoom,
        bounds=(west, south, east, north),
        center=(middle_longitude(parts), (south + north) / 2, max(minzoom, min(index.zoom, maxzoom))),
        assets=profiles,
        defaults=defaults,
        recipe=recipe,
        report=report,
        software=_software(),
        created=_now(),
    )


def check_default(defaults: Defaults, profiles: Sequence[AssetProfile]) -> None:
    """Raise Invalid, naming the field, for an asset that no granule has and bands that it is known to lack."""
    style, known = defaults.style, {profile.key: profile for profile in profiles}
    for field, key in (("defaults.asset", defaults.asset), ("defaults.assets", style.get("assets"))):
        if key is not None and key not in known:
            raise Invalid(f"{key!r} is none of {', '.join(sorted(known))}", field=field)
    drawn = known[style.get("assets") or defaults.asset or profiles[0].key]
    bidx = tuple(int(band) for band in style["bidx"].split(",")) if "bidx" in style else None
    try:
        band_indexes(drawn, ImageRequest(bidx=bidx, expression=style.get("expression")))
    except Invalid as error:
        raise Invalid(error.message, field=f"defaults.{error.field}") from error


def _extents(granules: Sequence[Granule]) -> npt.NDArray[np.float64]:
    """minx, miny, maxx, maxy of every part of the footprints, in lon/lat degrees."""
    footprints = np.array([granule.footprint for granule in granules], dtype=object)
    boxes: npt.NDArray[np.float64] = shapely.bounds(shapely.get_parts(footprints))
    return boxes


def middle_longitude(extents: npt.NDArray[np.float64]) -> float:
    """The middle of all longitudes but the widest empty stretch, so that it is right across 180 degrees too.

    `extents` are minx, miny, maxx, maxy of areas that do not cross it.
    """
    west, _, east, _ = extents.T
    order = np.argsort(west)
    west, reach = west[order], np.maximum.accumulate(east[order])
    starts = np.append(west[1:], west[0] + 360)
    gaps = starts - reach
    widest = int(np.argmax(gaps))
    middle = float(starts[widest] + (360 - gaps[widest]) / 2)
    return (middle + 180) % 360 - 180


def imported_manifest(
    manifest: Manifest,
    document: MosaicJson,
    defaults: Defaults,
    profiles: tuple[AssetProfile, ...],
    report: Report,
) -> Manifest:
    """The manifest of an imported document: its words where `defaults` has none, its profile where no file was read.

    Raises Invalid as `check_default`.
    """
    check_default(defaults, profiles)
    named = replace(
        defaults,
        title=defaults.title or document.name,
        description=defaults.description or document.description,
        attribution=defaults.attribution or document.attribution,
    )
    was_read = any(profile.dtype is not None for profile in profiles)
    return replace(
        manifest,
        assets=profiles if was_read else manifest.assets,
        defaults=named,
        report=report,
        software=_software(),
        created=_now(),
    )


def _maxzoom(grid: Grid, profiles: Sequence[AssetProfile], index: Index) -> int:
    """The zoom of the finest pixels, from the files or else from the items' `gsd`."""
    finest = [profile.resolution for profile in profiles if profile.resolution]
    finest += [gsd for granule in index.granules if (gsd := _gsd(granule)) is not None]
    return max(grid.zoom_for(min(finest)) if finest else 0, index.zoom)


def _gsd(granule: Granule) -> float | None:
    gsd = granule.properties.get("gsd")
    return gsd if isinstance(gsd, int | float) and not isinstance(gsd, bool) and 0 < gsd < math.inf else None


def _software() -> str:
    return f"quadmosaic {package_version('quadmosaic')}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
