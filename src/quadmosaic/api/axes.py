"""Coordinates in the axis order of their CRS, as OGC's documents want them; everywhere else x comes first."""

from functools import cache

import pyproj

from quadmosaic.domain.grids import Grid


def in_crs_order(grid: Grid, x: float, y: float) -> tuple[float, float]:
    """`y, x` where the CRS that the grid's code names counts northing or latitude first."""
    return (y, x) if grid.crs_id is not None and _starts_north(grid.crs_id) else (x, y)


@cache
def _starts_north(crs_id: str) -> bool:
    return bool(pyproj.CRS(crs_id).axis_info[0].direction == "north")
