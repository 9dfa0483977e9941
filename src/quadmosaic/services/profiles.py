"""Asset profiles: what the files under one asset key have in common, from headers and a sample of pixels."""

from collections.abc import Sequence

import numpy as np
import pyproj

from quadmosaic.domain import bodies
from quadmosaic.domain.granules import Header
from quadmosaic.domain.mosaic import AssetProfile, Index
from quadmosaic.ports import GranuleReader, ReadOptions
from quadmosaic.services.stretch import SAMPLE_DEADLINE_S, sample_ranges


async def asset_profiles(
    reader: GranuleReader, index: Index, *, body: str, keys: Sequence[str]
) -> tuple[AssetProfile, ...]:
    """One profile per asset key; where no header was read it holds the key alone."""
    return tuple([await _profile(reader, index, body, key) for key in keys])


async def _profile(reader: GranuleReader, index: Index, body: str, key: str) -> AssetProfile:
    granules = [granule for granule in index.granules if key in granule.hrefs]
    known = {
        granule.id: index.headers[granule.id][key] for granule in granules if key in index.headers.get(granule.id, {})
    }
    if not known:
        return AssetProfile(key=key)
    options = ReadOptions(asset=key, timeout_s=SAMPLE_DEADLINE_S)
    stretch = await sample_ranges(reader, granules, body=body, options=options, headers=known)
    headers = list(known.values())
    first = headers[0]
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
        resolution=min(_metres(header, body) for header in headers),
    )


def _metres(header: Header, body: str) -> float:
    """Pixel size on the ground."""
    a, b, _, d, e, _ = header.transform
    size = float(np.sqrt(abs(a * e - b * d)))
    is_geographic = pyproj.CRS(header.crs).is_geographic
    return size * bodies.mean_radius(body) * np.pi / 180 if is_geographic else size
