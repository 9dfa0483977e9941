"""Asset profiles: what the files under one asset key have in common, from headers and a sample of pixels."""

import asyncio
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyproj

from quadmosaic.domain import bodies
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import AssetProfile, Index
from quadmosaic.ports import GranuleReader, ReadOptions
from quadmosaic.services.stretch import SAMPLE_DEADLINE_S, Ranges, evenly, sample_ranges


async def asset_profiles(
    reader: GranuleReader, index: Index, *, body: str, keys: Sequence[str], before: Sequence[AssetProfile] = ()
) -> tuple[AssetProfile, ...]:
    """One profile per asset key; where no header was read it holds the key alone.

    `before` are profiles of the very same files, whose pixels need not be sampled again.
    """
    stretches = {profile.key: profile.stretch for profile in before}
    return tuple([await _profile(reader, index, body, key, stretches.get(key, ())) for key in keys])


async def _profile(reader: GranuleReader, index: Index, body: str, key: str, stretch: Ranges) -> AssetProfile:
    survey = await asyncio.to_thread(_surveyed, index, body, key) if index.headers else _Survey()
    first = survey.first
    if first is None:
        return AssetProfile(key=key)
    if not stretch:
        stretch = await _sampled(reader, index, [index.granules[at] for at in evenly(survey.having)], body, key)
    return AssetProfile(
        key=key,
        count=first.bands,
        dtype=first.dtype,
        nodata=first.nodata,
        scales=first.scales,
        offsets=first.offsets,
        descriptions=first.descriptions,
        palette=first.palette,
        stretch=stretch,
        resolution=survey.resolution,
    )


async def _sampled(reader: GranuleReader, index: Index, granules: Sequence[Granule], body: str, key: str) -> Ranges:
    known = {each.id: index.headers[each.id][key] for each in granules if key in index.headers.get(each.id, {})}
    options = ReadOptions(asset=key, timeout_s=SAMPLE_DEADLINE_S)
    return await sample_ranges(reader, granules, body=body, options=options, headers=known)


@dataclass(kw_only=True, slots=True)
class _Survey:
    """Positions of the granules that have an asset, the first of their headers, and their finest pixel in metres."""

    having: "array[int]" = field(default_factory=lambda: array("Q"))
    first: Header | None = None
    resolution: float = math.inf


def _surveyed(index: Index, body: str, key: str) -> _Survey:
    survey = _Survey()
    for at, granule in enumerate(index.granules):
        if key not in granule.hrefs:
            continue
        survey.having.append(at)
        records = index.headers.get(granule.id, {})
        if key in records:
            header = records[key]
            survey.first = survey.first or header
            survey.resolution = min(survey.resolution, _metres(header.transform, header.crs, body))
    return survey


def _metres(transform: tuple[float, ...], crs: str, body: str) -> float:
    """Pixel size on the ground."""
    a, b, _, d, e, _ = transform
    return float(np.sqrt(abs(a * e - b * d))) * _metres_per_unit(crs, body)


@lru_cache(maxsize=256)
def _metres_per_unit(crs: str, body: str) -> float:
    return float(bodies.mean_radius(body) * np.pi / 180) if pyproj.CRS(crs).is_geographic else 1.0
