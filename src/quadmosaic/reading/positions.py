"""Where the pixels of a GeoBox lie in a raster, exactly: any two CRSs of a body, any way of writing longitudes."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine
from pyproj.exceptions import CRSError

from quadmosaic.domain import bodies
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.reading.faults import Unreadable

type Floats = npt.NDArray[np.float64]

TIE = 1e-6
"""Share of a pixel by which a position on an edge counts as beyond it, so that rounding decides nothing."""


_SAMPLE = 8
"""The way back is tried for every eighth pixel along x and y, and for all of them once one is lost."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Positions:
    """Full-resolution `columns` and `rows` of GeoBox pixel centres, (height, width); meaningless where not `inside`.

    `turns` counts the periods (360 degrees) that were added to reach the raster, `period` in units of its CRS.
    `scale` is raster pixels per GeoBox pixel (along x, along y), `spread` how many columns and rows of the raster a
    GeoBox pixel spans; they differ where the axes are turned. `same_crs` says that the CRSs coincide.
    """

    columns: Floats
    rows: Floats
    inside: npt.NDArray[np.bool_]
    turns: npt.NDArray[np.int8]
    period: float | None
    scale: tuple[float, float]
    spread: tuple[float, float]
    same_crs: bool


def locate(geobox: GeoBox, *, crs: str, transform: Affine, width: int, height: int) -> Positions:
    """Positions in a raster of this CRS, transform and size. Both CRSs must be of one body."""
    gx, gy = np.meshgrid(*centres(geobox))
    x, y = to_raster_crs(geobox, crs, gx, gy)
    pixels = ~transform
    columns, rows = pixels.a * x + pixels.b * y + pixels.c, pixels.d * x + pixels.e * y + pixels.f
    turns = np.zeros(x.shape, np.int8)
    inside = _is_inside(columns, rows, width, height)
    span = period(crs)
    if span is not None:
        for turn in (1, -1):
            moved_columns, moved_rows = columns + turn * span * pixels.a, rows + turn * span * pixels.d
            found = ~inside & _is_inside(moved_columns, moved_rows, width, height)
            columns, rows = np.where(found, moved_columns, columns), np.where(found, moved_rows, rows)
            turns[found] = turn
            inside |= found
    dx, dy = geobox.resolution
    known = of_one_turn(inside, turns)
    return Positions(
        columns=columns,
        rows=rows,
        inside=inside,
        turns=turns,
        period=span,
        scale=scale_of(columns, rows, known),
        spread=spread_of(columns, rows, known),
        same_crs=coincide(x, gx, span, abs(dx)) and coincide(y, gy, None, abs(dy)),
    )


def of_one_turn(inside: npt.NDArray[np.bool_], turns: npt.NDArray[np.int8]) -> npt.NDArray[np.bool_]:
    """Of the pixels `inside` (height, width) those of the turn that most have: no step between two is a leap."""
    if not turns.any():
        return inside
    each = [inside & (turns == turn) for turn in np.unique(turns)]
    return max(each, key=np.count_nonzero)


def nearest(positions: Floats, *, scale: float = 1.0, size: int) -> npt.NDArray[np.int64]:
    """Indices of the pixels that positions inside fall into, in an image `scale` times as large as the full one."""
    moved = positions + TIE if scale == 1 else positions * scale + TIE
    return np.clip(moved.astype(np.int64), 0, size - 1)


@lru_cache(maxsize=512)
def crs_of(text: str) -> pyproj.CRS:
    """A CRS from WKT or an authority code, parsed once."""
    return pyproj.CRS.from_user_input(text)


@lru_cache(maxsize=512)
def body_of(crs: str) -> str | None:
    """The body of a CRS, looked up once."""
    return bodies.body_of(crs_of(crs))


def require_same_body(crs: str, geobox: GeoBox) -> None:
    """Raise Unreadable for a raster's CRS that is not of the GeoBox's body."""
    found, expected = body_of(crs), body_of(geobox.crs)
    if found is None:
        raise Unreadable("its CRS names no known body")
    if found != expected:
        raise Unreadable(f"it lies on {found}, not on {expected}")


@lru_cache(maxsize=512)
def geographic_of(crs: str) -> str:
    """WKT of the geographic CRS under a CRS that lies on a body."""
    geographic = crs_of(crs).geodetic_crs
    if geographic is None:
        raise CRSError("the CRS lies on no body")
    return str(geographic.to_wkt())


@lru_cache(maxsize=512)
def transformer(source: str, target: str) -> pyproj.Transformer:
    """From one CRS to another, x (or longitude) first; built once, because PROJ's look-ups cost more than a tile."""
    return pyproj.Transformer.from_crs(crs_of(source), crs_of(target), always_xy=True)


@lru_cache(maxsize=512)
def period(crs: str) -> float | None:
    """How far x moves in one turn around the body where x depends on longitude alone; None for other projections."""
    if crs_of(crs).is_geographic:
        return 2 * math.pi / crs_of(crs).axis_info[0].unit_conversion_factor
    lon, lat = np.meshgrid(np.arange(-180.0, 180.0, 7.5), np.array([-30.0, 0.0, 45.0]))
    x, _ = transformer(geographic_of(crs), crs).transform(lon, lat, errcheck=False)
    if not np.isfinite(x).all():
        return None
    steps = np.diff(x, axis=1)
    step = float(np.median(steps))
    if not np.allclose(x, x[0], rtol=0, atol=abs(step) * 1e-9):
        return None
    wraps = ~np.isclose(steps[0], step, rtol=1e-9)
    return step * 48 if wraps.sum() <= 1 else None


def centres(geobox: GeoBox) -> tuple[Floats, Floats]:
    """x of the columns (width,) and y of the rows (height,) of pixel centres."""
    dx, dy = geobox.resolution
    minx, _, _, maxy = geobox.bounds
    columns, rows = np.arange(geobox.width, dtype=np.float64), np.arange(geobox.height, dtype=np.float64)
    return np.asarray(minx + (columns + 0.5) * dx), np.asarray(maxy - (rows + 0.5) * dy)


def to_raster_crs(geobox: GeoBox, crs: str, gx: Floats, gy: Floats) -> tuple[Floats, Floats]:
    """Coordinates in the raster's CRS, NaN where there are none or where the way back leads elsewhere."""
    if crs == geobox.crs:
        return gx, gy
    x, y = transformer(geobox.crs, crs).transform(gx, gy, errcheck=False)
    lost = ~(np.isfinite(x) & np.isfinite(y))
    if period(geobox.crs) is None or period(crs) is None:
        sample = slice(None, None, _SAMPLE), slice(None, None, _SAMPLE)
        known = ~lost
        if not leads_back(geobox, crs, gx[sample], gy[sample], x[sample], y[sample])[known[sample]].all():
            lost |= ~leads_back(geobox, crs, gx, gy, x, y)
    return np.where(lost, np.nan, x), np.where(lost, np.nan, y)


def leads_back(geobox: GeoBox, crs: str, gx: Floats, gy: Floats, x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
    """Whether x, y in the raster's CRS are within a pixel of gx, gy when they are taken back.

    Outside its domain a projection may answer with a point of another place, and only the way back tells.
    """
    bx, by = transformer(geobox.crs, crs).transform(x, y, direction="INVERSE", errcheck=False)
    dx, dy = geobox.resolution
    with np.errstate(invalid="ignore"):
        across = np.abs(_unturned(bx - gx, period(geobox.crs)))
        back: npt.NDArray[np.bool_] = (across <= abs(dx)) & (np.abs(by - gy) <= abs(dy))
    return back


def _unturned(difference: Floats, span: float | None) -> Floats:
    return difference if span is None else difference - span * np.round(difference / span)


def coincide(values: Floats, wanted: Floats, span: float | None, pixel: float) -> bool:
    """Whether values are the wanted ones to a thousandth of a pixel, whole turns aside."""
    with np.errstate(invalid="ignore"):
        return bool((np.abs(_unturned(values - wanted, span)) <= 1e-3 * pixel).all())


def _is_inside(columns: Floats, rows: Floats, width: int, height: int) -> npt.NDArray[np.bool_]:
    return (columns >= -TIE) & (columns < width - TIE) & (rows >= -TIE) & (rows < height - TIE)


def scale_of(columns: Floats, rows: Floats, known: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Median length, in raster pixels, of one step along x and along y between neighbouring known positions.

    All are (height, width); of large ones, every eighth pixel is asked.
    """
    stride = _SAMPLE if min(known.shape) >= 8 * _SAMPLE else 1
    along_x, along_y = (
        _step(columns, rows, known, axis, stride) or _step(columns, rows, known, axis, 1) for axis in (1, 0)
    )
    return along_x or along_y or 1.0, along_y or along_x or 1.0


def spread_of(columns: Floats, rows: Floats, known: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Median columns and rows of the raster that one GeoBox pixel spans, as the root of a sum of squares.

    So a pixel that is turned spans as much of the raster as one that is not.
    """
    stride = _SAMPLE if min(known.shape) >= 8 * _SAMPLE else 1
    here, there = slice(0, -1, stride), slice(1, None, stride)
    asked = known[here, here] & known[here, there] & known[there, here]
    if not asked.any():
        return scale_of(columns, rows, known)
    with np.errstate(invalid="ignore"):
        across, down = (
            float(np.median(np.hypot(at[here, there] - at[here, here], at[there, here] - at[here, here])[asked]))
            for at in (columns, rows)
        )
    return across, down


def covered(positions: Floats, *, most: float) -> Floats:
    """What each pixel of a GeoBox spans of an axis whose `positions` (height, width) it has, as `spread_of` counts.

    Of the steps to both neighbours the shorter counts: where longitudes wrap, one of them is a whole turn. A pixel at
    a pole would cover all of them, so four times `most`, which is what pixels cover mostly, is the end of it.
    """
    with np.errstate(invalid="ignore"):
        steps = (_shorter(np.abs(np.diff(positions, axis=axis)), axis) for axis in (0, 1))
        return np.asarray(np.minimum(np.hypot(*steps), 4 * most))


def _shorter(steps: Floats, axis: int) -> Floats:
    """The shorter of the steps before and after each position, 0 where neither is known."""
    if steps.shape[axis] == 0:
        return np.zeros(1)
    ends = [(0, 0), (0, 0)]
    ends[axis] = (1, 1)
    padded = np.pad(steps, ends, mode="edge")
    size = padded.shape[axis]
    shorter = np.fmin(padded.take(range(size - 1), axis=axis), padded.take(range(1, size), axis=axis))
    return np.asarray(np.nan_to_num(shorter))


def _step(columns: Floats, rows: Floats, known: npt.NDArray[np.bool_], axis: int, stride: int) -> float | None:
    every, here, there = slice(None, None, stride), slice(0, -1, stride), slice(1, None, stride)
    first, second = ((every, here), (every, there)) if axis == 1 else ((here, every), (there, every))
    pair = known[first] & known[second]
    with np.errstate(invalid="ignore"):
        lengths = np.hypot(columns[second] - columns[first], rows[second] - rows[first])[pair]
    return float(np.median(lengths)) if lengths.size else None
