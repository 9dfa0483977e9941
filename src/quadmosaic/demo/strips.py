"""The strips that an orbiter would have taken of the ground: where they lie, and their pixels."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from quadmosaic.demo.terrain import KM_PER_DEGREE, NORTH, WEST, Ground

type Transform = tuple[float, float, float, float, float, float]

DTM_FACTOR = 2
"""Pixels of the ground along the side of a DTM pixel."""
DTM_NODATA = -32767.0
WIDTH_DEGREES = 0.5
TILT_DEGREES = 7.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """A tilted rectangle in lon/lat degrees, and how its camera and its stereo solution differ from the others'.

    `offset` is in metres; `sun` is (azimuth, elevation) in degrees.
    """

    id: str
    lon: float
    lat: float
    length: float
    offset: float
    gain: float
    haze: float
    sun: tuple[float, float]

    def outline(self, *, per_side: int = 12) -> list[tuple[float, float]]:
        """The closed ring of lon, lat, counter-clockwise, with points along its sides."""
        half_width, half_length = WIDTH_DEGREES / 2, self.length / 2
        corners = [(-1, 1), (-1, -1), (1, -1), (1, 1), (-1, 1)]
        ring = []
        for start, end in pairwise(corners):
            for share in np.arange(per_side) / per_side:
                across = half_width * (start[0] + share * (end[0] - start[0]))
                along = half_length * (start[1] + share * (end[1] - start[1]))
                ring.append(self._degrees(across, along))
        return [*ring, ring[0]]

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        lons, lats = zip(*self.outline(), strict=True)
        return min(lons), min(lats), max(lons), max(lats)

    def _degrees(self, across: float, along: float) -> tuple[float, float]:
        sin, cos = math.sin(math.radians(TILT_DEGREES)), math.cos(math.radians(TILT_DEGREES))
        return float(self.lon + across * cos - along * sin), float(self.lat + across * sin + along * cos)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Raster:
    """One asset's pixels; `transform` is (a, b, c, d, e, f) into metres of IAU_2015:49910."""

    key: str
    pixels: npt.NDArray[np.generic]
    transform: Transform
    nodata: float


def rasters(ground: Ground, strip: Strip) -> tuple[Raster, Raster, Raster]:
    """`dtm`, `image` (its hillshade) and `orthoimage` of a strip."""
    pixel = ground.pixel_km
    rows, cols = _window(strip, ground)
    heights = ground.height[rows, cols] + np.float32(strip.offset)
    inside = _inside(strip, rows, cols, pixel_km=pixel)
    dtm = heights.reshape(heights.shape[0] // DTM_FACTOR, DTM_FACTOR, heights.shape[1] // DTM_FACTOR, DTM_FACTOR)
    dtm = np.round(dtm.mean(axis=(1, 3)) * 16) / np.float32(16)
    dtm[~_inside(strip, rows, cols, pixel_km=pixel, step=DTM_FACTOR)] = DTM_NODATA
    shade = hillshade(heights, pixel_m=pixel * 1000, azimuth=315, elevation=42)
    light = hillshade(heights, pixel_m=pixel * 1000, azimuth=strip.sun[0], elevation=strip.sun[1])
    ortho = strip.gain * ground.albedo[rows, cols] * light + np.float32(strip.haze)
    fine, coarse = (
        _transform(rows, cols, pixel_m=pixel * 1000),
        _transform(rows, cols, pixel_m=pixel * 1000, step=DTM_FACTOR),
    )
    return (
        Raster(key="dtm", pixels=dtm, transform=coarse, nodata=DTM_NODATA),
        Raster(key="image", pixels=_to_bytes(shade, inside), transform=fine, nodata=0),
        Raster(key="orthoimage", pixels=_to_bytes(ortho, inside), transform=fine, nodata=0),
    )


def hillshade(
    heights: npt.NDArray[np.floating], *, pixel_m: float, azimuth: float, elevation: float
) -> npt.NDArray[np.floating]:
    """Light on the ground, 0..1; heights in metres, azimuth in degrees clockwise from north."""
    southward, eastward = np.gradient(heights, np.float32(pixel_m))
    bearing, height = math.radians(azimuth), math.radians(elevation)
    to_east, to_north = math.sin(bearing) * math.cos(height), math.cos(bearing) * math.cos(height)
    lit = math.sin(height) - to_east * eastward + to_north * southward
    light: npt.NDArray[np.floating] = np.clip(lit / np.sqrt(1 + eastward**2 + southward**2), 0, 1)
    return light


def _to_bytes(values: npt.NDArray[np.floating], inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """0..1 as 1..255, with 0 outside of the strip."""
    scaled: npt.NDArray[np.uint8] = (1 + np.clip(values, 0, 1) * 254).astype(np.uint8)
    scaled[~inside] = 0
    return scaled


def _window(strip: Strip, ground: Ground) -> tuple[slice, slice]:
    """Rows and columns of the ground, whole DTM pixels, that hold a strip."""
    west, south, east, north = strip.bounds()
    side = ground.pixel_km * DTM_FACTOR
    height, width = ground.height.shape
    first_row, last_row = ((NORTH - lat) * KM_PER_DEGREE / side for lat in (north, south))
    first_col, last_col = ((lon - WEST) * KM_PER_DEGREE / side for lon in (west, east))
    top, bottom = max(math.floor(first_row), 0), min(math.ceil(last_row), height // DTM_FACTOR)
    left, right = max(math.floor(first_col), 0), min(math.ceil(last_col), width // DTM_FACTOR)
    return slice(top * DTM_FACTOR, bottom * DTM_FACTOR), slice(left * DTM_FACTOR, right * DTM_FACTOR)


def _inside(strip: Strip, rows: slice, cols: slice, *, pixel_km: float, step: int = 1) -> npt.NDArray[np.bool_]:
    """Which pixels, `step` ground pixels wide, have their centre in the strip."""
    degrees = pixel_km / KM_PER_DEGREE
    lats = NORTH - (np.arange(rows.start, rows.stop, step) + step / 2) * degrees - strip.lat
    lons = WEST + (np.arange(cols.start, cols.stop, step) + step / 2) * degrees - strip.lon
    sin, cos = math.sin(math.radians(TILT_DEGREES)), math.cos(math.radians(TILT_DEGREES))
    across = lons[None, :] * cos + lats[:, None] * sin
    along = lats[:, None] * cos - lons[None, :] * sin
    return (np.abs(across) <= WIDTH_DEGREES / 2) & (np.abs(along) <= strip.length / 2)


def _transform(rows: slice, cols: slice, *, pixel_m: float, step: int = 1) -> Transform:
    left, top = WEST * KM_PER_DEGREE * 1000, NORTH * KM_PER_DEGREE * 1000
    return pixel_m * step, 0.0, left + cols.start * pixel_m, 0.0, -pixel_m * step, top - rows.start * pixel_m
