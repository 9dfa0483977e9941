"""Planning the reads of many granules into one GeoBox: what can be read fast, and what better ones will cover."""

from collections.abc import Callable, Sequence

import numpy as np
import shapely
from pyproj.exceptions import ProjError

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.byte_cache import ByteCache
from quadmosaic.reading.coordinates import Coordinates, coordinates
from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.plan import Plan, plan_read
from quadmosaic.reading.positions import centres, geographic_of, require_same_body, transformer
from quadmosaic.reading.support import obstacle

type Planned = Plan | str | Unreadable | Invalid
"""A plan, why the fast path does not cover the raster, or why no reader can give what was asked for."""

_LATTICE = 12
"""Points along each side of a GeoBox at which footprints are asked whether they cover it."""


type CoordinateShelf = ByteCache[tuple[GeoBox, str], Coordinates]
"""Coordinates by GeoBox and CRS of the raster."""

_ENTRY_BYTES = 1024
"""What coordinates cost beside their arrays."""


def plan_all(
    headers: Sequence[Header],
    geobox: GeoBox,
    options: ReadOptions,
    *,
    kept: CoordinateShelf,
    wanted: Callable[[], bool],
) -> list[Planned]:
    """What is planned for each header; coordinates are computed once per CRS.

    `wanted` is asked before each; once it says False the rest is left out.
    """
    known: dict[str, Coordinates] = {}
    return [_planned(header, geobox, options, known, kept) for header in headers if wanted()]


def _planned(
    header: Header, geobox: GeoBox, options: ReadOptions, known: dict[str, Coordinates], kept: CoordinateShelf
) -> Planned:
    reason = obstacle(header)
    if reason is not None:
        return reason
    try:
        require_same_body(header.crs, geobox)
        if header.crs not in known:
            known[header.crs] = _coordinates(geobox, header.crs, kept)
        return plan_read(header, known[header.crs], geobox, options)
    except (Unreadable, Invalid) as fault:
        return fault
    except ProjError:
        return "projection"


def _coordinates(geobox: GeoBox, crs: str, kept: CoordinateShelf) -> Coordinates:
    found = kept.get((geobox, crs))
    if found is None:
        found = coordinates(geobox, crs)
        kept.put((geobox, crs), found, weight=found.nbytes + _ENTRY_BYTES)
    return found


def covered_by_better(granules: Sequence[Granule], geobox: GeoBox) -> set[int]:
    """Positions of granules that should add nothing to better ones, going by footprints at a lattice of points.

    It is a guess, which the pixels of the better ones confirm or not.
    """
    rows, columns = (np.linspace(0, size - 1, _LATTICE).astype(np.intp) for size in (geobox.height, geobox.width))
    gx, gy = centres(geobox)
    x, y = np.meshgrid(gx[columns], gy[rows])
    lon, lat = transformer(geobox.crs, geographic_of(geobox.crs)).transform(x, y, errcheck=False)
    covered = ~(np.isfinite(lon) & np.isfinite(lat))
    lon, lat = (np.where(covered, 0.0, lon) + 180) % 360 - 180, np.where(covered, 0.0, lat)
    waiting = set()
    for at, granule in enumerate(granules):
        here = shapely.contains_xy(granule.footprint, lon, lat) & ~covered
        if here.any():
            covered |= here
        else:
            waiting.add(at)
    return waiting
