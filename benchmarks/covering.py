"""How long the index of 100 000 strip footprints on Mars takes at quadkey zoom 9, and how much memory."""

import resource
import sys
import time

import numpy as np
import shapely

from quadmosaic.domain import covering, grids
from quadmosaic.domain.advisor import advise

STRIPS = 100_000
ZOOM = 9
GRIDS = ("MarsMercatorSphere", "MarsEquidistantCylindricalSphere", "MarsNorthPolarSphere")


def main() -> None:
    areas = strips(STRIPS)
    print(f"{STRIPS} strips, zoom {ZOOM}; before: {peak_mb():.0f} MB")
    print(f"{'':<36}{'seconds':>9}{'peak MB':>9}{'cells':>10}{'entries':>10}")
    for grid_id in GRIDS:
        grid = grids.load(grid_id)
        start = time.perf_counter()
        cells = covering.cover(areas, grid, ZOOM)
        seconds = time.perf_counter() - start
        entries = sum(map(len, cells.values()))
        print(f"cover {grid_id:<30}{seconds:>9.2f}{peak_mb():>9.0f}{len(cells):>10}{entries:>10}")
    start = time.perf_counter()
    advice = advise(areas, grids.load(GRIDS[0]))
    print(f"advise {GRIDS[0]:<29}{time.perf_counter() - start:>9.2f}{peak_mb():>9.0f}")
    print(advice.as_text())


def strips(count: int) -> list[shapely.Geometry]:
    """Slanted quadrilaterals as long and narrow as CTX images, anywhere but at the poles."""
    rng = np.random.default_rng(1)
    west, south = rng.uniform(-179, 176, count), rng.uniform(-80, 75, count)
    width, height, slant = rng.uniform(0.3, 0.6, count), rng.uniform(1, 5, count), rng.uniform(-0.5, 0.5, count)
    corners = [
        (west, south),
        (west + width, south),
        (west + width + slant, south + height),
        (west + slant, south + height),
    ]
    return list(shapely.polygons(np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)))


def peak_mb() -> float:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


if __name__ == "__main__":
    main()
