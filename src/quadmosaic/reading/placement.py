"""Where the pixels of a GeoBox lie in a raster: the fast reader's way to what `positions` finds pixel by pixel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from affine import Affine

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.reading.coordinates import Coordinates
from quadmosaic.reading.numbers import Flags
from quadmosaic.reading.positions import (
    TIE,
    Floats,
    centres,
    coincide,
    locate,
    of_one_turn,
    period,
    scale_of,
    spread_of,
)

type Turns = npt.NDArray[np.int8]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placement:
    """Full-resolution `columns` and `rows` of pixel centres, and the `turns` taken to reach them.

    Where `separable`, columns and turns are (1, width) and rows (height, 1), else all are (height, width); `inside`
    always is. `scale`, `spread` and `same_crs` are those of `Positions`.
    """

    columns: Floats
    rows: Floats
    inside: Flags
    turns: Turns
    scale: tuple[float, float]
    spread: tuple[float, float]
    same_crs: bool
    separable: bool


def place(geobox: GeoBox, found: Coordinates, *, crs: str, transform: Affine, width: int, height: int) -> Placement:
    """Positions in a raster of this CRS, transform and size, from the coordinates of the GeoBox in its CRS."""
    pixels = ~transform
    span = period(crs)
    upright = pixels.b == 0 and pixels.d == 0
    if span is not None and not upright:
        return _exact(geobox, crs, transform, width, height)
    columns, rows = pixels.a * found.x + pixels.c, pixels.e * found.y + pixels.f
    if not upright:
        columns, rows = columns + pixels.b * found.y, rows + pixels.d * found.x
    if span is not None:
        columns = _unwound(columns, abs(span * pixels.a), separable=found.separable)
    across, down = _is_within(columns, width), _is_within(rows, height)
    turns = np.zeros(columns.shape, np.int8)
    for turn in (1, -1) if span is not None and not across.all() else ():
        moved = columns + turn * (span or 0.0) * pixels.a
        reached = ~across & _is_within(moved, width)
        columns = np.where(reached, moved, columns)
        turns[reached] = turn
        across = across | reached
    inside = across & down
    known = of_one_turn(inside, turns)
    every_column, every_row = np.broadcast_to(columns, inside.shape), np.broadcast_to(rows, inside.shape)
    return Placement(
        columns=columns,
        rows=rows,
        inside=inside,
        turns=turns,
        scale=scale_of(every_column, every_row, known),
        spread=spread_of(every_column, every_row, known),
        same_crs=_same_crs(geobox, found, span),
        separable=found.separable and upright,
    )


def _exact(geobox: GeoBox, crs: str, transform: Affine, width: int, height: int) -> Placement:
    """What a turned raster in a CRS that wraps needs: rows change with the turns."""
    positions = locate(geobox, crs=crs, transform=transform, width=width, height=height)
    return Placement(
        columns=positions.columns,
        rows=positions.rows,
        inside=positions.inside,
        turns=positions.turns,
        scale=positions.scale,
        spread=positions.spread,
        same_crs=positions.same_crs,
        separable=False,
    )


def _unwound(columns: Floats, turn: float, *, separable: bool) -> Floats:
    """Columns that do not jump back by a whole `turn` where longitudes do; those in the middle stay as they are."""
    if not separable:
        middle = columns[columns.shape[0] // 2, columns.shape[1] // 2]
        near = np.nanmax(columns) - np.nanmin(columns) <= turn / 2 or not np.isfinite(middle)
        return columns if near else columns - turn * np.round((columns - middle) / turn)
    known = np.flatnonzero(np.isfinite(columns[0]))
    row = columns[0, known]
    if row.size < 2 or np.abs(np.diff(row)).max() <= turn / 2:
        return columns
    steady, middle = np.unwrap(row, period=turn), row.size // 2
    unwound = columns.copy()
    unwound[0, known] = steady + (row[middle] - steady[middle])
    return unwound


def _is_within(positions: Floats, size: int) -> Flags:
    return (positions >= -TIE) & (positions < size - TIE)


def _same_crs(geobox: GeoBox, found: Coordinates, span: float | None) -> bool:
    gx, gy = centres(geobox)
    dx, dy = geobox.resolution
    if not found.separable:
        corner = np.s_[:: max(1, geobox.height - 1), :: max(1, geobox.width - 1)]
        if not coincide(found.x[corner], np.broadcast_to(gx, found.x.shape)[corner], span, abs(dx)):
            return False
    return coincide(found.x, gx[None, :], span, abs(dx)) and coincide(found.y, gy[:, None], None, abs(dy))
