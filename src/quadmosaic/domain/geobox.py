"""A GeoBox is any grid to read into: a tile, a bbox, a preview or a single point."""

from dataclasses import dataclass

from quadmosaic.domain.granules import Bounds


@dataclass(frozen=True, slots=True)
class GeoBox:
    """`crs` is WKT or an authority code; `bounds` are minx, miny, maxx, maxy in it; `width` and `height` are pixels."""

    crs: str
    bounds: Bounds
    width: int
    height: int

    @property
    def resolution(self) -> tuple[float, float]:
        """Pixel width and height in units of the CRS."""
        minx, miny, maxx, maxy = self.bounds
        return (maxx - minx) / self.width, (maxy - miny) / self.height

    def buffered(self, pixels: float) -> "GeoBox":
        """The same grid with `pixels` more on every side (a multiple of 0.5)."""
        dx, dy = self.resolution
        minx, miny, maxx, maxy = self.bounds
        bounds = (minx - dx * pixels, miny - dy * pixels, maxx + dx * pixels, maxy + dy * pixels)
        return GeoBox(self.crs, bounds, self.width + int(2 * pixels), self.height + int(2 * pixels))
