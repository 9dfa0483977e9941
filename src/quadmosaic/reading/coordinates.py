"""Coordinates of a GeoBox's pixels in the CRS of a raster, at the least cost that keeps them exact enough.

Between cylindrical CRSs x depends on x alone and y on y alone: two vectors, exact. Between others the transformation
is interpolated from 17 x 17 Chebyshev nodes and checked at 256 pixels. What fails the check is transformed pixel by
pixel.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.reading.positions import (
    Floats,
    centres,
    geographic_of,
    leads_back,
    period,
    to_raster_crs,
    transformer,
)

NODES = 17
CHECKS = 16
MAX_ERROR = 1e-5
"""Of a GeoBox pixel, at every checked pixel; the interpolation converges so fast that most are a millionth of it."""

_FEW = 1024
"""Pixels that are sooner transformed one by one."""

_SMALL_PRODUCT = 1 << 17
"""Multiplications; OpenBLAS begins to use threads at twice as many."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Coordinates:
    """`x` and `y` in a raster's CRS, NaN where there are none.

    They are (1, width) and (height, 1) where `separable`, else (height, width).
    """

    x: Floats
    y: Floats
    separable: bool

    @property
    def nbytes(self) -> int:
        return self.x.nbytes + self.y.nbytes


def coordinates(geobox: GeoBox, crs: str) -> Coordinates:
    """Coordinates of pixel centres. Both CRSs must be of one body."""
    gx, gy = centres(geobox)
    if _is_same(geobox.crs, crs):
        return Coordinates(x=gx[None, :], y=gy[:, None], separable=True)
    if is_separable(geobox.crs, crs):
        return _by_axes(geobox.crs, crs, gx, gy)
    found = _interpolated(geobox, crs, gx, gy) if gx.size * gy.size > _FEW else None
    x, y = found or to_raster_crs(geobox, crs, *np.meshgrid(gx, gy))
    return Coordinates(x=x, y=y, separable=False)


@lru_cache(maxsize=512)
def _is_same(source: str, target: str) -> bool:
    """Whether two CRSs give the same coordinates, tried all over the body."""
    if source == target:
        return True
    lon, lat = np.meshgrid(np.linspace(-175, 175, 15), np.linspace(-85, 85, 11))
    x, y = transformer(geographic_of(source), source).transform(lon, lat, errcheck=False)
    known = np.isfinite(x) & np.isfinite(y) & (np.hypot(x, y) < 1e8)
    x, y = x[known], y[known]
    found = transformer(source, target).transform(x, y, errcheck=False)
    return bool(known.any() and np.allclose(found, (x, y), rtol=1e-12, atol=1e-6 * _unit(x)))


@lru_cache(maxsize=512)
def is_separable(source: str, target: str) -> bool:
    """Whether x depends on x alone and y on y alone, tried on a net all over the body."""
    if period(source) is None or period(target) is None:
        return False
    to_source = transformer(geographic_of(source), source)
    lon, lat = np.linspace(-179, 179, 13), np.linspace(-85, 85, 11)
    across, _ = to_source.transform(lon, np.zeros(lon.size), errcheck=False)
    _, down = to_source.transform(np.zeros(lat.size), lat, errcheck=False)
    net_x, net_y = np.meshgrid(across, down)
    x, y = transformer(source, target).transform(net_x, net_y, errcheck=False)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return False
    spread_x, spread_y = np.ptp(x, axis=0).max(), np.ptp(y, axis=1).max()
    return bool(spread_x <= 1e-11 * np.ptp(x) and spread_y <= 1e-11 * np.ptp(y))


def _unit(x: Floats) -> float:
    """About a metre in the units of coordinates that span a body: 1, or 1e-5 for degrees."""
    return 1.0 if np.abs(x).max() > 1000 else 1e-5


def _by_axes(source: str, target: str, gx: Floats, gy: Floats) -> Coordinates:
    """x along the row, and y along the column, that are nearest to the origin, where every projection is sound."""
    row, column = gy[np.abs(gy).argmin()], gx[np.abs(gx).argmin()]
    x, y = transformer(source, target).transform(
        np.concatenate([gx, np.full(gy.size, column)]), np.concatenate([np.full(gx.size, row), gy]), errcheck=False
    )
    x, y = x[: gx.size], y[gx.size :]
    return Coordinates(
        x=np.where(np.isfinite(x), x, np.nan)[None, :], y=np.where(np.isfinite(y), y, np.nan)[:, None], separable=True
    )


def _interpolated(geobox: GeoBox, crs: str, gx: Floats, gy: Floats) -> tuple[Floats, Floats] | None:
    """Interpolated coordinates, None where a node is lost or a checked pixel is off by more than MAX_ERROR."""
    across, down = _nodes(gx), _nodes(gy)
    columns, rows = _checked(gx.size), _checked(gy.size)
    nodes, checks = np.meshgrid(across, down), np.meshgrid(gx[columns], gy[rows])
    px, py = (np.concatenate([node.ravel(), check.ravel()]) for node, check in zip(nodes, checks, strict=True))
    exact = transformer(geobox.crs, crs).transform(px, py, errcheck=False)
    if not np.isfinite(exact).all():
        return None
    if (period(geobox.crs) is None or period(crs) is None) and not leads_back(geobox, crs, px, py, *exact).all():
        return None
    to_columns, to_rows = _weights(gx.size), _weights(gy.size)
    x, y = (_product(to_rows, values[: NODES * NODES].reshape(NODES, NODES) @ to_columns.T) for values in exact)
    off = np.hypot(
        x[np.ix_(rows, columns)].ravel() - exact[0][NODES * NODES :],
        y[np.ix_(rows, columns)].ravel() - exact[1][NODES * NODES :],
    )
    return (x, y) if off.max() <= MAX_ERROR * _pixel(x, y) else None


def _product(left: Floats, right: Floats) -> Floats:
    """left @ right in pieces that are too small for the linear algebra library to spread over threads.

    Its threads wait for each other in busy loops, which on a server costs more than the product.
    """
    rows = max(1, _SMALL_PRODUCT // right.size)
    return np.concatenate([left[at : at + rows] @ right for at in range(0, len(left), rows)])


def _pixel(x: Floats, y: Floats) -> float:
    """The shorter side of the pixel in the middle, in units of the raster's CRS."""
    row, column = x.shape[0] // 2, x.shape[1] // 2
    right = np.hypot(x[row, column] - x[row, column - 1], y[row, column] - y[row, column - 1])
    down = np.hypot(x[row, column] - x[row - 1, column], y[row, column] - y[row - 1, column])
    return float(min(right, down))


def _checked(size: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Pixels to check: both ends and evenly between."""
    return np.linspace(0, size - 1, CHECKS).astype(np.intp)


def _nodes(values: Floats) -> Floats:
    """Chebyshev nodes from the first to the last value."""
    middle, half = (values[0] + values[-1]) / 2, (values[-1] - values[0]) / 2
    nodes: Floats = middle + half * _chebyshev()
    return nodes


def _chebyshev() -> Floats:
    return -np.cos(np.pi * np.arange(NODES) / (NODES - 1))


@lru_cache(maxsize=64)
def _weights(size: int) -> Floats:
    """(size, NODES): what each node gives to each of `size` even positions; barycentric interpolation."""
    nodes = _chebyshev()
    factors = (-1.0) ** np.arange(NODES)
    factors[[0, -1]] /= 2
    distances = np.linspace(-1, 1, size)[:, None] - nodes
    hit = np.abs(distances) < 1e-15
    parts = factors / np.where(hit, 1, distances)
    weights = np.where(hit.any(axis=1, keepdims=True), hit, parts / parts.sum(axis=1, keepdims=True))
    return np.asarray(weights, np.float64)
