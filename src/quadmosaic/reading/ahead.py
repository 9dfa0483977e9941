"""How far a reader may read ahead of its caller: as many granules as fit into memory while one of them is slow."""

from collections.abc import Iterable

import numpy as np

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Header
from quadmosaic.ports import ReadOptions

_BYTES = 64 << 20
"""Pixels that may wait for the caller."""
_GRANULES = range(2, 65)
_PIXEL_BYTES = 8
"""Of a pixel where its header does not say more."""


def ahead_of(geobox: GeoBox, options: ReadOptions, headers: Iterable[Header]) -> int:
    """Granules that may be under way or waiting at once; `headers` are those that are known."""
    widest = max((_pixel_bytes(header, options) for header in headers), default=_PIXEL_BYTES)
    fitting = _BYTES // (max(widest, _PIXEL_BYTES) * geobox.width * geobox.height)
    return min(max(fitting, _GRANULES.start), _GRANULES.stop - 1)


def _pixel_bytes(header: Header, options: ReadOptions) -> int:
    bands = header.count if options.bidx is None else len(options.bidx)
    return bands * np.dtype(np.float32 if options.unscale else header.dtype).itemsize
