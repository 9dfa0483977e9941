"""The ground itself: heights and brightness of the country around Jezero, as one pair of arrays."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quadmosaic.demo.craters import Crater, population, stamp
from quadmosaic.demo.fields import bump, fractal, local_mean, step

type Grid2D = npt.NDArray[np.floating]

RADIUS_M = 3_396_190.0
"""Radius of the sphere of IAU_2015:49910."""
KM_PER_DEGREE = RADIUS_M * np.pi / 180_000
WEST, NORTH, EAST, SOUTH = 75.8, 19.9, 78.1, 14.5
JEZERO_LON, JEZERO_LAT, JEZERO_RADIUS_KM = 77.56, 18.4, 23.5
FLOOR_M = -2615.0
TRAP_KM = 2.4
"""Sand gathers where the ground is lower than its mean over this distance."""
APEX_LON, APEX_LAT = 77.235, 18.53
"""Where the western valley breaches the rim and builds its delta."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ground:
    """Heights in metres and albedo in 0..1 on one grid whose left top corner is at WEST, NORTH."""

    pixel_km: float
    height: Grid2D
    albedo: Grid2D


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Place:
    """A band of rows: where its pixels lie in km from the corner, and what the random fields say there."""

    east: Grid2D
    south: Grid2D
    broad: Grid2D
    middle: Grid2D
    fine: Grid2D
    dents: Grid2D


def km(lon: float, lat: float) -> tuple[float, float]:
    """Kilometres east and south of the left top corner."""
    return (lon - WEST) * KM_PER_DEGREE, (NORTH - lat) * KM_PER_DEGREE


def make_ground(seed: int, *, pixel_km: float) -> Ground:
    """All of the region, the same for the same seed and pixel size. At 40 m it takes about 1 GB while it works."""
    rng = np.random.default_rng(seed)
    shape = (round((NORTH - SOUTH) * KM_PER_DEGREE / pixel_km), round((EAST - WEST) * KM_PER_DEGREE / pixel_km))
    broad = fractal(rng, shape, pixel_km=pixel_km, slope=3.0, longest_km=38, shortest_km=1.2)
    middle = fractal(rng, shape, pixel_km=pixel_km, slope=2.7, longest_km=11, shortest_km=0.25)
    fine = fractal(rng, shape, pixel_km=pixel_km, slope=2.0, longest_km=2.5)
    dents = _bombarded(rng, shape, pixel_km=pixel_km)
    east = (np.arange(shape[1], dtype=np.float32) + np.float32(0.5))[None, :] * np.float32(pixel_km)
    south = (np.arange(shape[0], dtype=np.float32) + np.float32(0.5))[:, None] * np.float32(pixel_km)
    height, albedo = np.empty(shape, np.float32), np.empty(shape, np.float32)
    bands = [slice(row, row + 250) for row in range(0, shape[0], 250)]

    def place(rows: slice) -> _Place:
        return _Place(
            east=east, south=south[rows], broad=broad[rows], middle=middle[rows], fine=fine[rows], dents=dents[rows]
        )

    def raise_ground(rows: slice) -> None:
        height[rows] = _height(place(rows))

    def colour_ground(rows: slice) -> None:
        height[rows], albedo[rows] = _with_sand(height[rows], around[rows], place(rows))

    with ThreadPoolExecutor() as pool:
        list(pool.map(raise_ground, bands))
        around = local_mean(height, block=max(round(TRAP_KM / pixel_km), 2))
        list(pool.map(colour_ground, bands))
    return Ground(pixel_km=pixel_km, height=height, albedo=albedo)


def _bombarded(rng: np.random.Generator, shape: tuple[int, int], *, pixel_km: float) -> Grid2D:
    """What all impacts but Jezero's did to the heights, metres."""
    dents = np.zeros(shape, np.float32)
    named = [
        (76.60, 17.02, 21.0, 0.5, 0.4),
        (77.50, 16.05, 13.5, 0.08, 2.2),
        (76.20, 19.12, 15.0, 0.62, 1.1),
        (76.40, 15.55, 8.6, 0.03, 5.0),
        (76.93, 19.42, 9.5, 0.35, 3.0),
        (77.60, 17.30, 7.6, 0.25, 0.9),
    ]
    craters = [
        Crater(x=km(lon, lat)[0], y=km(lon, lat)[1], diameter=diameter, age=age, phase=phase)
        for lon, lat, diameter, age, phase in named
    ]
    height, width = (size * pixel_km for size in shape)
    craters += population(rng, width=width, height=height, per_km2=0.16, smallest=0.3, largest=7.0)
    for crater in craters:
        stamp(dents, crater, pixel_km=pixel_km)
    return dents


def _height(place: _Place) -> Grid2D:
    height = _with_graben(_plains(place), place)
    return _with_delta(_with_valleys(_with_jezero(height, place), place), place)


def _plains(place: _Place) -> Grid2D:
    """Highlands with mesas that fall eastwards to Isidis, and lava plains with wrinkle ridges in the south."""
    highland = step((190 + 25 * place.broad + 6 * place.middle - place.south) / 45)
    height = -1800 - 4.6 * place.east - 0.6 * place.south + 120 * place.broad
    height += (8 + 46 * highland) * place.middle + (1.6 + 6.5 * highland) * place.fine
    mesas = step((place.middle + 0.25 * place.broad - 0.95) / 0.22) * highland
    height += (95 + 8 * place.middle) * mesas
    field = place.broad + 0.16 * place.middle + 0.012 * place.south
    crest = np.minimum(np.abs(field - 2.55), np.abs(field - 3.5)) / 0.1
    ridges: Grid2D = np.clip(1 - crest, 0, 1) ** 1.4 * (1 + 0.35 * place.middle) * (1 - highland)
    return height + 75 * ridges + place.dents


def _with_graben(height: Grid2D, place: _Place) -> Grid2D:
    """One of the Nili Fossae: a trough along an arc around Isidis."""
    centre_x, centre_y = km(85.5, 13.5)
    arc = np.hypot(place.east - centre_x, place.south - centre_y) - np.float32(596) + 0.8 * place.middle
    fading = step((75 - place.south) / 60)
    depth: Grid2D = 330 * fading * np.clip(1 + 0.12 * place.middle, 0.4, 1.4)
    return height - depth * bump(arc, 2.3)


def _jezero_radius(place: _Place) -> Grid2D:
    """Distance from Jezero's centre; 1 on its irregular rim."""
    x, y = km(JEZERO_LON, JEZERO_LAT)
    dx, dy = place.east - x, place.south - y
    angle = np.arctan2(dy, dx)
    wobble = 1 + 0.03 * np.sin(3 * angle + 0.7) + 0.018 * np.sin(7 * angle + 1) + 0.02 * place.middle
    radius: Grid2D = np.hypot(dx, dy) / np.float32(JEZERO_RADIUS_KM) * wobble
    return radius


def _with_jezero(height: Grid2D, place: _Place) -> Grid2D:
    """The big old crater: a worn rim of massifs, walls with gullies, and a floor that a lake made flat."""
    radius = _jezero_radius(place)
    if float(radius.min()) > 2.6:
        return height
    worn = np.clip(1 + 0.3 * place.middle + 0.25 * place.broad, 0.35, 1.9)
    crest = 390 * worn * np.where(radius > 1, np.maximum(radius, 1) ** -4.5, 1) * step((2.6 - radius) / 1.2)
    massifs = 22 * place.fine * bump(radius - 1, 0.16)
    outside = height + crest + massifs
    floor = FLOOR_M + 10 * place.middle + 2.5 * place.fine + 0.55 * place.dents
    floor += 34 * step((place.middle - 0.7) / 0.2)
    wall = step((radius - 0.74 + 0.012 * place.fine) / 0.27) ** 1.15
    filled: Grid2D = floor + (outside - floor) * wall
    return filled


def _with_valleys(height: Grid2D, place: _Place) -> Grid2D:
    """Three rivers: two that fed the lake, from west and north, and one that drained it eastwards."""
    east, south = place.east, place.south
    mouth_x, mouth_y = km(APEX_LON, APEX_LAT)
    north_x, north_y = km(77.46, 18.68)
    exit_x, exit_y = km(77.9, 18.5)
    west_path = mouth_y + 2.4 * np.sin((east - mouth_x) / 5.2) + 1.1 * np.sin((east - mouth_x) / 1.7)
    north_path = north_x + 2.1 * np.sin((south - north_y) / 6.1) + 0.9 * np.sin((south - north_y) / 2.1)
    east_path = exit_y + 1.4 * np.sin((east - exit_x) / 2.9)
    wiggle = 0.12 * place.middle
    courses = (
        (south - west_path + wiggle, mouth_x + 2 - east, 0.62, -2455 + 4.2 * np.clip(mouth_x - east, 0, None)),
        (east - north_path + wiggle, north_y - south, 0.5, -2500 + 9.0 * np.clip(north_y - south, 0, None)),
        (south - east_path + wiggle, east - exit_x, 0.75, -2420 - 2.0 * np.clip(east - exit_x, 0, None)),
    )
    for distance, upstream, width, bed in courses:
        cut = bump(distance, width) * step(upstream / 1.5 + 0.5)
        cut = cut + (1 - cut) * 0.16 * bump(distance, 2.6 * width) * step(upstream / 1.5 + 0.5)
        height = height - np.maximum(height - bed - 3 * place.fine, 0) * cut
    return height


def _with_delta(height: Grid2D, place: _Place) -> Grid2D:
    """A fan with lobes, raised channels and a scarp, and buttes left standing before its front."""
    apex_x, apex_y = km(APEX_LON, APEX_LAT)
    dx, dy = place.east - apex_x, place.south - apex_y
    reach, bearing = np.hypot(dx, dy), np.arctan2(dy, dx) - np.float32(0.12)
    if float(reach.min()) > 20:
        return height
    lobes = 11.2 + 1.3 * np.sin(5 * bearing + 0.5) + 0.9 * np.sin(13 * bearing + 2) + 0.75 * place.middle
    inside = step((lobes * step((1.15 - np.abs(bearing)) / 0.5) - reach + 0.08 * place.fine) / 0.6)
    top = -2458 - 6.0 * reach + 3 * place.middle + 1.2 * place.fine + 0.4 * place.dents
    swing = 0.16 * np.sin(reach / 1.5) + 0.08 * np.sin(reach / 0.55 + 4 * bearing) + 0.03 * place.middle
    braid = np.abs(np.sin(7 * (bearing + swing) + 0.4))
    top = top + 15 * np.clip(1 - braid * 3.4, 0, 1) * step(reach / 4)
    height = height + (np.maximum(height, top) - height) * inside
    front = step((reach - lobes) / 0.8) * step((19 - reach) / 3) * step((0.75 - np.abs(bearing)) / 0.3)
    buttes = step((place.middle + 0.35 * place.fine - 1.25) / 0.25) * front
    return height + 52 * buttes


def _with_sand(height: Grid2D, around: Grid2D, place: _Place) -> tuple[Grid2D, Grid2D]:
    """Dunes where the ground is lower than the country around it; and the albedo of it all."""
    trap = step((around - height - 30) / 90)
    warp = 2.6 * place.middle + 1.5 * place.broad
    ripples = np.sin((0.86 * place.east + 0.5 * place.south) * np.float32(2 * np.pi / 0.29) + warp) * trap
    height = height + 2.4 * ripples
    slope = np.clip(np.abs(place.dents) / 260, 0, 1)
    albedo = 0.47 + 0.06 * place.broad + 0.03 * place.middle + 0.014 * place.fine - 0.09 * trap - 0.03 * ripples
    albedo = albedo + 0.07 * slope + 0.1 * np.exp(-(((height + 2340) / 150) ** 2))
    lakebed = step((0.8 - _jezero_radius(place)) / 0.06)
    albedo = albedo - lakebed * (0.06 - 0.13 * step((height + 2580) / 50))
    return height, np.clip(albedo, 0.05, 0.95)
