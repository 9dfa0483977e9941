"""Impact craters: their shape by size and age, and fields of them by power law."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

type Grid2D = npt.NDArray[np.floating]

SIMPLE_LIMIT_KM = 7.0
"""Diameter at which Martian craters turn from bowls into flat floors with a central peak."""
REACH = 3.0
"""How far a crater changes the ground, in radii."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crater:
    """`x` and `y` are kilometres from the left top corner, `age` runs from 0 (fresh) to 1 (almost gone)."""

    x: float
    y: float
    diameter: float
    age: float
    phase: float


def population(
    rng: np.random.Generator, *, width: float, height: float, per_km2: float, smallest: float, largest: float
) -> list[Crater]:
    """Craters of a region in km, large ones first: their cumulative number falls with the square of the diameter.

    `per_km2` counts all craters above `smallest`.
    """
    count = rng.poisson(per_km2 * width * height)
    diameters = smallest / np.sqrt(rng.uniform((smallest / largest) ** 2, 1.0, count))
    xs, ys = rng.uniform(0, width, count), rng.uniform(0, height, count)
    ages, phases = rng.beta(1.5, 1.0, count), rng.uniform(0, 2 * np.pi, count)
    rows = sorted(zip(diameters, xs, ys, ages, phases, strict=True), reverse=True)
    return [Crater(x=x, y=y, diameter=d, age=age, phase=phase) for d, x, y, age, phase in rows]


def stamp(ground: Grid2D, crater: Crater, *, pixel_km: float) -> None:
    """Add a crater's height change in metres to the ground, in place."""
    reach = crater.diameter * REACH / 2
    rows = _window(crater.y, reach, pixel_km, ground.shape[0])
    cols = _window(crater.x, reach, pixel_km, ground.shape[1])
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return
    dy = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5)[:, None] * pixel_km - crater.y
    dx = (np.arange(cols.start, cols.stop, dtype=np.float32) + 0.5)[None, :] * pixel_km - crater.x
    radius = (2 * np.hypot(dx, dy) / crater.diameter).astype(np.float32)
    window = ground[rows, cols]
    if crater.diameter < 1:
        window += profile(radius, diameter=crater.diameter, age=crater.age)
        return
    angle = np.arctan2(dy, dx).astype(np.float32)
    radius *= 1 + 0.03 * np.sin(3 * angle + crater.phase) + 0.02 * np.sin(7 * angle + 2 * crater.phase)
    window += profile(radius, diameter=crater.diameter, age=crater.age)
    window += ejecta(radius, angle + crater.phase, diameter=crater.diameter, age=crater.age)


def profile(radius: Grid2D, *, diameter: float, age: float) -> Grid2D:
    """Height change in metres at `radius` (1 is the rim) of a crater of `diameter` km, without its ejecta sheet."""
    fresh_depth = 1000 * (0.2 * diameter if diameter < SIMPLE_LIMIT_KM else 0.36 * diameter**0.49)
    depth = fresh_depth * (1 - 0.84 * age)
    rim = depth * 0.2 * (1 - 0.5 * age)
    wall = np.minimum(radius, 1) ** (2.3 - 0.6 * age)
    inside = rim - (depth + rim) * (1 - wall)
    if diameter >= SIMPLE_LIMIT_KM:
        wall = np.clip((radius - 0.58) / 0.42, 0, 1)
        wall += 0.022 * np.sin(wall * 5 * np.pi) * (1 - age)
        inside = -depth + (depth + rim) * wall
        inside += 0.3 * depth * max(1 - 2 * age, 0) * np.exp(-((radius / 0.13) ** 2))
    else:
        inside = np.maximum(inside, -depth * (1 - 0.4 * age))
    outside = rim * np.maximum(radius, 1) ** -3.6 * np.clip(REACH - radius, 0, 1)
    return np.where(radius < 1, inside, outside).astype(np.float32)


def ejecta(radius: Grid2D, angle: Grid2D, *, diameter: float, age: float) -> Grid2D:
    """The lobate sheet that Mars's ground ice makes of ejecta: streaks, and a rampart where the sheet ends, metres."""
    edge = 1.95 + 0.16 * np.sin(5 * angle) + 0.1 * np.sin(11 * angle)
    thickness = 9.0 * diameter**0.7 * max(1 - 1.6 * age, 0)
    streaks = 1 + 0.35 * np.sin(23 * angle + 2 * np.sin(3 * angle))
    sheet = np.clip((edge - radius) / 0.12, 0, 1) * np.clip((radius - 1) / 0.25, 0, 1)
    rampart = 1.3 * np.exp(-(((radius - edge + 0.12) / 0.07) ** 2))
    return np.where(radius < REACH, thickness * (sheet * streaks + rampart), 0).astype(np.float32)


def _window(centre: float, reach: float, pixel_km: float, size: int) -> slice:
    return slice(max(int((centre - reach) / pixel_km), 0), min(int((centre + reach) / pixel_km) + 1, size))
