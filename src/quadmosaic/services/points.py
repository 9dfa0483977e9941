"""Values at a point: one per granule, in the mosaic's order."""

from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
import pyproj
from pyproj.exceptions import CRSError, ProjError

from quadmosaic.domain import bodies
from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.mosaic import Version
from quadmosaic.domain.trace import Step, current_trace
from quadmosaic.ports import GranuleReader, Layer, MosaicStore, ReadFailure
from quadmosaic.rendering.merge import Merge
from quadmosaic.services.assets import asset_profile
from quadmosaic.services.lookup import Found, touching_point
from quadmosaic.services.requests import Deadline, ImageRequest, naming_expression, read_options

POINT_SIZE = 2e-7
"""Degrees: far below a pixel, so that exactly the pixel under the point is read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PointValue:
    """`values` per band, a band without data being None, and all of them where none has any.

    `reason` says why the granule could not be read.
    """

    granule_id: str
    bands: tuple[str, ...]
    values: tuple[float | None, ...] | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PointValues:
    """Values best first; `partial` when a granule failed or a limit left some out."""

    values: tuple[PointValue, ...]
    partial: bool


@dataclass(frozen=True, kw_only=True)
class Points:
    """Reads the pixels under a point."""

    store: MosaicStore
    reader: GranuleReader
    max_granules: int
    deadline: Deadline

    async def found(self, version: Version, lon: float, lat: float) -> Found:
        """Granules under a point given in degrees of the body."""
        return await touching_point(self.store, version, lon, lat, limit=self.max_granules)

    async def values(self, version: Version, lon: float, lat: float, request: ImageRequest) -> PointValues:
        """One value per granule whose footprint holds the point. Raises Unavailable with `strict` where one lacks."""
        found = await self.found(version, lon, lat)
        half = POINT_SIZE / 2
        bounds = (lon - half, lat - half, lon + half, lat + half)
        geobox = GeoBox(bodies.geographic_id(version.manifest.body), bounds, 1, 1)
        profile = asset_profile(version, request.asset)
        with naming_expression(request):
            options = read_options(request, profile, timeout_s=self.deadline())
            with current_trace().timing(Step.LOOKUP):
                headers = await self.store.headers(version, [granule.id for granule in found.granules], profile.key)
            async with aclosing(self.reader.read(found.granules, geobox, options, headers=headers)) as answers:
                values = tuple([_value(answer, request.expression) async for answer in answers])
        failed = [value.granule_id for value in values if value.reason]
        if request.strict and (failed or found.cut):
            raise Unavailable(
                f"could not read {', '.join(failed)}" if failed else "more granules lie here than are read"
            )
        return PointValues(values=values, partial=bool(failed) or found.cut)


def _value(answer: Layer | ReadFailure, expression: str | None) -> PointValue:
    if isinstance(answer, ReadFailure):
        return PointValue(granule_id=answer.granule.id, bands=(), values=None, reason=answer.reason)
    merge = Merge(pixel_selection="first", expression=expression)
    merge.add(answer)
    image = merge.result()
    names = tuple(expression.split(";")) if expression else answer.band_names
    if image is None or not image.valid.any():
        return PointValue(granule_id=answer.granule.id, bands=names, values=None)
    valid = np.broadcast_to(image.valid, image.bands.shape)[:, 0, 0].tolist()
    numbers = zip(image.bands[:, 0, 0].tolist(), valid, strict=True)
    values = tuple(_json_number(value) if is_valid else None for value, is_valid in numbers)
    return PointValue(granule_id=answer.granule.id, bands=names, values=values)


def _json_number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def to_degrees(body: str, x: float, y: float, coord_crs: str | None, *, field: str) -> tuple[float, float]:
    """Coordinates in `coord_crs` (None: the body's geographic CRS, lon first) as lon/lat degrees of the body.

    Raises Invalid naming `field`, or `coord_crs` for a CRS that is unknown or of another body.
    """
    lon, lat = x, y
    if coord_crs is not None:
        crs = known_crs(coord_crs, body, field="coord_crs")
        try:
            to_body = pyproj.Transformer.from_crs(crs, bodies.geographic_crs(body), always_xy=True)
            lon, lat = to_body.transform(x, y)
        except ProjError as error:
            raise Invalid(f"{coord_crs} cannot be related to {body}", field="coord_crs") from error
    if not (np.isfinite([lon, lat]).all() and -90 <= lat <= 90 and -360 <= lon <= 360):
        raise Invalid(f"{x},{y} is no place on {body}", field=field)
    return ((lon + 180) % 360 - 180 if abs(lon) > 180 else lon), lat


def known_crs(text: str, body: str, *, field: str) -> pyproj.CRS:
    """A CRS of the body, x or longitude first, from `IAU_2015:49910`, an OGC urn or an http form.

    Raises Invalid naming `field`.
    """
    try:
        crs = pyproj.CRS.from_user_input(text)
    except CRSError:
        raise Invalid(f"{text!r} is not a known CRS", field=field) from None
    if bodies.body_of(crs) != body:
        raise Invalid(f"{text!r} is not a CRS of {body}", field=field)
    return bodies.longitude_first(crs)
