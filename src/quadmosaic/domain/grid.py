"""A grid: a tile matrix set that doubles exactly, with its tiles, its quadkeys and its projection."""

import math
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyproj
from morecantile import Tile

from quadmosaic.domain import bodies
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Bounds, JsonObject

__all__ = ["Grid", "Tile"]

type Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """A tile matrix set whose matrices double from zoom to zoom. One instance per id; compare with `is`.

    `origin` is the left top corner and `root_size` the side of a zoom-0 cell, in CRS units; `coalescing` gives, by
    zoom, rows (first, last) whose tiles are `factor` cells wide. `crs` is always used x (or longitude) first.
    """

    id: str
    title: str
    body: str
    crs: pyproj.CRS
    crs_id: str | None
    document: JsonObject
    root_width: int
    root_height: int
    origin: tuple[float, float]
    root_size: float
    maxzoom: int
    tile_size: int = 256
    coalescing: tuple[tuple[tuple[int, int, int], ...], ...] = ()

    @cached_property
    def wkt(self) -> str:
        return str(self.crs.to_wkt())

    @cached_property
    def proj4(self) -> str | None:
        """A projected CRS for proj4js, which knows no IAU codes; None for a geographic one, which it needs not."""
        if self.is_geographic:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return str(self.crs.to_proj4()).replace(" +type=crs", "")

    @property
    def bounds(self) -> Bounds:
        """The whole grid, CRS units."""
        left, top = self.origin
        return left, top - self.root_height * self.root_size, left + self.root_width * self.root_size, top

    @property
    def is_geographic(self) -> bool:
        return not self.crs.is_projected

    @property
    def single_root(self) -> bool:
        """Whether plain quadkeys, and so MosaicJSON, fit."""
        return self.root_width == self.root_height == 1

    @property
    def metres_per_unit(self) -> float:
        """Ground metres per CRS unit along the equator (or at the true scale of the projection)."""
        if not self.is_geographic:
            return 1.0
        return bodies.mean_radius(self.body) * math.pi / 180

    def matrix_size(self, zoom: int) -> tuple[int, int]:
        """Columns and rows at a zoom."""
        return self.root_width << zoom, self.root_height << zoom

    def cell_size(self, zoom: int) -> float:
        """Side of a cell at a zoom, CRS units."""
        return self.root_size / (1 << zoom)

    def resolution(self, zoom: int) -> float:
        """Pixel size at a zoom, CRS units."""
        return self.cell_size(zoom) / self.tile_size

    def zoom_for(self, metres: float) -> int:
        """The coarsest zoom whose pixels are as fine as `metres`, within the grid's zooms."""
        zoom = math.ceil(math.log2(self.resolution(0) * self.metres_per_unit / metres) - 1e-9)
        return min(max(zoom, 0), self.maxzoom)

    def check(self, tile: Tile) -> None:
        """Raise Invalid, naming z, x or y, for a tile outside the grid."""
        if not 0 <= tile.z <= self.maxzoom:
            raise Invalid(f"{tile.z} is not a zoom of {self.id} (0 to {self.maxzoom})", field="z")
        width, height = self.matrix_size(tile.z)
        for field, value, count in (("x", tile.x, width), ("y", tile.y, height)):
            if not 0 <= value < count:
                raise Invalid(f"{value} is outside {self.id} at zoom {tile.z} (0 to {count - 1})", field=field)

    def quadkey(self, tile: Tile) -> str:
        """`<root>-<quadkey>`, where the quadkey is taken inside the root; with one root just the quadkey."""
        root = (tile.y >> tile.z) * self.root_width + (tile.x >> tile.z)
        digits = "".join(str((tile.x >> shift & 1) + 2 * (tile.y >> shift & 1)) for shift in range(tile.z - 1, -1, -1))
        return digits if self.single_root else f"{root}-{digits}"

    def tile(self, quadkey: str) -> Tile:
        """The cell of a quadkey. Raises Invalid (field "quadkey")."""
        prefix, dash, digits = quadkey.rpartition("-")
        roots = self.root_width * self.root_height
        well_formed = (not dash) == self.single_root and set(digits) <= set("0123") and len(digits) <= self.maxzoom
        if not well_formed or (dash and not (prefix.isascii() and prefix.isdigit() and int(prefix) < roots)):
            form = "digits 0-3" if self.single_root else f"<root 0-{roots - 1}>-<digits 0-3>"
            raise Invalid(f"{quadkey!r} is not a quadkey of {self.id}: {form}", field="quadkey")
        row, column = divmod(int(prefix), self.root_width) if dash else (0, 0)
        x, y = column, row
        for digit in map(int, digits):
            x, y = 2 * x + (digit & 1), 2 * y + (digit >> 1)
        return Tile(x=x, y=y, z=len(digits))

    def quadkeys(self, xs: npt.NDArray[np.int64], ys: npt.NDArray[np.int64], zoom: int) -> list[str]:
        """Quadkeys of many cells of one zoom."""
        roots = (ys >> zoom) * self.root_width + (xs >> zoom)
        shifts = np.arange(zoom - 1, -1, -1)
        digits = ((xs[:, None] >> shifts & 1) + 2 * (ys[:, None] >> shifts & 1) + ord("0")).astype(np.uint8)
        texts = digits.view(f"S{zoom}").ravel().astype(f"U{zoom}").tolist() if zoom else [""] * len(xs)
        if self.single_root:
            return list(texts)
        return [f"{root}-{text}" for root, text in zip(roots.tolist(), texts, strict=True)]

    def tile_bounds(self, tile: Tile) -> Bounds:
        """Bounds of a tile in CRS units; a coalesced tile spans all the cells it stands for."""
        factor = self._coalesce_factor(tile)
        first = tile.x - tile.x % factor
        side = self.cell_size(tile.z)
        left, top = self.origin
        return (
            left + first * side,
            top - (tile.y + 1) * side,
            left + (first + factor) * side,
            top - tile.y * side,
        )

    def _coalesce_factor(self, tile: Tile) -> int:
        if not self.coalescing:
            return 1
        return next((factor for low, high, factor in self.coalescing[tile.z] if low <= tile.y <= high), 1)

    def geobox(self, tile: Tile, *, size: int = 256) -> GeoBox:
        """The pixels of a tile."""
        return GeoBox(self.crs_id or self.wkt, self.tile_bounds(tile), size, size)

    @cached_property
    def _from_degrees(self) -> pyproj.Transformer:
        return bodies.from_degrees(self.body, self.crs)

    def project(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Degrees on the body to CRS units; infinite where the projection has no answer."""
        x, y = self._from_degrees.transform(lon, lat)
        return x, y

    def unproject(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """CRS units to degrees on the body; infinite where there is no answer."""
        lon, lat = self._from_degrees.transform(x, y, direction="INVERSE")
        return lon, lat
