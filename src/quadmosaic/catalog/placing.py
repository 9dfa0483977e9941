"""Items without an outline: the footprint of their raster instead."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quadmosaic.domain import footprints
from quadmosaic.domain.errors import Invalid, QuadmosaicError
from quadmosaic.domain.granules import Bounds, Granule, Harvest, Header, Json, Refusal
from quadmosaic.ports import Scan

FROM_RASTER = "outline of the raster"
_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Unplaced:
    """A granule whose source does not say where it lies."""

    granule_id: str
    hrefs: Mapping[str, str]
    properties: Mapping[str, Json]


async def placed(answers: Sequence[Harvest | Refusal | Unplaced], scan: Scan) -> list[Harvest | Refusal]:
    """The same answers in the same order, with footprints; what cannot be read is refused."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(answer: Harvest | Refusal | Unplaced) -> Harvest | Refusal:
        if not isinstance(answer, Unplaced):
            return answer
        async with places:
            return await _place(answer, scan)

    return list(await asyncio.gather(*(one(answer) for answer in answers)))


async def _place(granule: Unplaced, scan: Scan) -> Harvest | Refusal:
    key, href = next(iter(granule.hrefs.items()))
    try:
        header = await scan(href)
    except QuadmosaicError as error:
        return Refusal(granule.granule_id, f"geometry is missing, and its file gives none: {error.message}")
    if not header.crs:
        return Refusal(granule.granule_id, "geometry is missing, and its file has no coordinate system")
    try:
        footprint = footprints.outline(header.crs, header_bounds(header))
    except Invalid as error:
        return Refusal(granule.granule_id, str(error))
    found = Granule(id=granule.granule_id, hrefs=granule.hrefs, footprint=footprint, properties=granule.properties)
    return Harvest(found, (FROM_RASTER,), headers={key: header})


def header_bounds(header: Header) -> Bounds:
    """Bounds of all four corners, so that turned rasters are inside, too."""
    a, b, c, d, e, f = header.transform
    corners = [(0, 0), (header.width, 0), (0, header.height), (header.width, header.height)]
    xs = [a * column + b * row + c for column, row in corners]
    ys = [d * column + e * row + f for column, row in corners]
    return min(xs), min(ys), max(xs), max(ys)
