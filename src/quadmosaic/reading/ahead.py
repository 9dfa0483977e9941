"""How far a reader may read ahead of its caller: as many granules as fit into memory while one of them is slow."""

from quadmosaic.domain.geobox import GeoBox

_BYTES = 64 << 20
"""Pixels, at eight bytes, that may wait for the caller."""
_GRANULES = range(2, 65)


def ahead_of(geobox: GeoBox) -> int:
    """Granules that may be under way or waiting at once."""
    return min(max(_BYTES // (8 * geobox.width * geobox.height), _GRANULES.start), _GRANULES.stop - 1)
