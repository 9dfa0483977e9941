"""Stretch: the value ranges of 8-bit views, from a sample of the data, once per asset."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quadmosaic.domain import bodies
from quadmosaic.domain.flights import Flights
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import AssetProfile, Version
from quadmosaic.ports import NO_HEADERS, GranuleReader, Layer, MosaicStore, ReadOptions
from quadmosaic.rendering.merge import Merge, expression_bands

SAMPLE_GRANULES = 16
SAMPLE_SIZE = 128
PERCENTILES = (2.0, 98.0)
SAMPLE_DEADLINE_S = 20.0

type Ranges = tuple[tuple[float, float], ...]


async def sample_ranges(
    reader: GranuleReader,
    granules: Sequence[Granule],
    *,
    body: str,
    options: ReadOptions,
    expression: str | None = None,
    headers: Mapping[str, Header] = NO_HEADERS,
) -> Ranges:
    """(low, high) per band: the 2nd and 98th percentile of decimated reads of evenly spaced granules.

    `headers` are those of the asset by granule id. Empty when nothing could be read.
    """
    samples = await asyncio.gather(
        *(_sample(reader, granule, body, options, expression, headers) for granule in evenly(granules))
    )
    pools = [sample for sample in samples if sample is not None and sample.size]
    count = min((len(pool) for pool in pools), default=0)
    return value_ranges([np.concatenate([pool[band] for pool in pools]) for band in range(count)])


def evenly[T](members: Sequence[T]) -> Sequence[T]:
    """At most SAMPLE_GRANULES of them, evenly spaced."""
    step = max(1, len(members) // SAMPLE_GRANULES)
    return members[::step][:SAMPLE_GRANULES]


def value_ranges(bands: Sequence[npt.NDArray[np.generic]]) -> Ranges:
    """The 2nd and 98th percentile of each band's finite values, of which there must be some."""
    return tuple(_range(band) for band in bands)


def merged_ranges(ranges: Ranges, pixel_selection: str, *, most: int) -> Ranges:
    """The ranges of granules' values as those of what a selection makes of at most `most` granules."""
    match pixel_selection:
        case "count":
            return ((0.0, float(max(most, 1))),)
        case "stdev":
            return tuple((0.0, (high - low) / 2) for low, high in ranges)
        case "lastbandlow" | "lastbandhigh":
            return ranges[:-1]
        case _:
            return ranges


async def _sample(
    reader: GranuleReader,
    granule: Granule,
    body: str,
    options: ReadOptions,
    expression: str | None,
    headers: Mapping[str, Header],
) -> npt.NDArray[np.float64] | None:
    """Valid values (band, n) of one granule over its own bounds."""
    geobox = GeoBox(bodies.geographic_id(body), granule.footprint.bounds, SAMPLE_SIZE, SAMPLE_SIZE)
    async with aclosing(reader.read([granule], geobox, options, headers=headers)) as answers:
        async for answer in answers:
            if isinstance(answer, Layer) and answer.valid.any():
                merge = Merge(pixel_selection="first", expression=expression)
                merge.add(answer)
                image = merge.result()
                return None if image is None else _finite(image.bands[:, image.valid.all(axis=0)])
    return None


def _finite(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    numbers = values.astype(np.float64)
    return numbers[:, np.isfinite(numbers).all(axis=0)]


def _range(values: npt.NDArray[np.generic]) -> tuple[float, float]:
    low, high = (float(edge) for edge in np.percentile(values.astype(np.float64), PERCENTILES))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


@dataclass(kw_only=True)
class Stretches:
    """Ranges by version, asset and bands: those frozen into the version, else sampled once and remembered."""

    store: MosaicStore
    reader: GranuleReader
    size: int = 1024
    _sampled: dict[tuple[object, ...], Ranges] = field(default_factory=dict)
    _flights: Flights[Ranges] = field(default_factory=lambda: Flights[Ranges]())

    async def ranges(
        self,
        version: Version,
        profile: AssetProfile,
        *,
        bidx: tuple[int, ...] | None,
        expression: str | None,
        unscale: bool,
        nodata: float | None,
    ) -> Ranges:
        """(low, high) per band that will be drawn; empty, and asked anew, when the data are out of reach."""
        if profile.stretch and expression is None and not unscale and nodata is None:
            indexes = bidx or tuple(range(1, len(profile.stretch) + 1))
            return tuple(profile.stretch[index - 1] for index in indexes if index <= len(profile.stretch))
        key = (version.digest, profile.key, bidx, expression, unscale, nodata)
        if key not in self._sampled:
            options = ReadOptions(
                asset=profile.key,
                bidx=expression_bands(expression) if expression else bidx,
                unscale=unscale,
                nodata=nodata,
                timeout_s=SAMPLE_DEADLINE_S,
            )
            found = await self._flights.join(key, lambda: self._sample(version, options, expression))
            if found:
                self._remember(key, found)
            return found
        return self._sampled[key]

    def _remember(self, key: tuple[object, ...], ranges: Ranges) -> None:
        """What was out of reach is not remembered, and asked for again."""
        while len(self._sampled) >= self.size:
            self._sampled.pop(next(iter(self._sampled)))
        self._sampled[key] = ranges

    async def _sample(self, version: Version, options: ReadOptions, expression: str | None) -> Ranges:
        page = await self.store.granules(version, limit=SAMPLE_GRANULES)
        headers = await self.store.headers(version, [granule.id for granule in page.items], options.asset)
        return await sample_ranges(
            self.reader,
            page.items,
            body=version.manifest.body,
            options=options,
            expression=expression,
            headers=headers,
        )
