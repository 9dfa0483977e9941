"""Asset profiles: what the files under one asset key have in common, from headers and a sample of pixels."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
import pyproj

from quadmosaic.domain import bodies
from quadmosaic.domain.errors import QuadmosaicError
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import AssetProfile, Index
from quadmosaic.ports import GranuleReader, ReadOptions
from quadmosaic.services.stretch import SAMPLE_DEADLINE_S, sample_ranges

SAMPLE_HEADERS = 8


async def asset_profiles(
    reader: GranuleReader, index: Index, *, body: str, keys: Sequence[str], read: bool
) -> tuple[AssetProfile, ...]:
    """One profile per asset key; with `read` false, or when nothing can be read, it holds the key alone."""
    return tuple([await _profile(reader, index, body, key, read=read) for key in keys])


async def _profile(reader: GranuleReader, index: Index, body: str, key: str, *, read: bool) -> AssetProfile:
    granules = [granule for granule in index.granules if key in granule.hrefs]
    headers = await _headers(reader, granules, index.headers, key) if read else ()
    if not headers:
        return AssetProfile(key=key)
    options = ReadOptions(asset=key, timeout_s=SAMPLE_DEADLINE_S)
    stretch = await sample_ranges(reader, granules, body=body, options=options)
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


async def _headers(
    reader: GranuleReader, granules: Sequence[Granule], known: Mapping[str, Mapping[str, Header]], key: str
) -> tuple[Header, ...]:
    """The headers already read, else those of a few evenly spaced granules that answer."""
    given = tuple(known[granule.id][key] for granule in granules if key in known.get(granule.id, {}))
    if given:
        return given
    sample = granules[:: max(1, len(granules) // SAMPLE_HEADERS)][:SAMPLE_HEADERS]
    answers = await asyncio.gather(*(reader.scan(granule.hrefs[key]) for granule in sample), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, QuadmosaicError):
            raise answer
    return tuple(answer for answer in answers if isinstance(answer, Header))


def _metres(header: Header, body: str) -> float:
    """Pixel size on the ground."""
    a, b, _, d, e, _ = header.transform
    size = float(np.sqrt(abs(a * e - b * d)))
    is_geographic = pyproj.CRS(header.crs).is_geographic
    return size * bodies.mean_radius(body) * np.pi / 180 if is_geographic else size
