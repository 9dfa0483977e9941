"""What a raster has in a GeoBox, and the last steps that every reader takes alike: unscale, fill, name the bands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule
from quadmosaic.ports import Layer, ReadOptions
from quadmosaic.reading.numbers import Bands, Flags, fit

type Palette = dict[int, tuple[int, int, int, int]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """What a raster has in a GeoBox; the fields are those of `ports.Layer`."""

    bands: Bands
    valid: Flags
    band_names: tuple[str, ...]
    nodata: float | None
    palette: Palette | None


def band_indexes(colorinterp: Sequence[str], bidx: tuple[int, ...] | None) -> tuple[int, ...]:
    """The 1-based bands to read: `bidx`, or all but alpha. Raises Invalid (field "bidx")."""
    count = len(colorinterp)
    if bidx is not None:
        missing = [index for index in bidx if not 1 <= index <= count]
        if missing or not bidx:
            raise Invalid(f"there is no band {missing[0] if missing else 0} (1 to {count})", field="bidx")
        return bidx
    everything = tuple(range(1, count + 1))
    return tuple(index for index in everything if colorinterp[index - 1] != "alpha") or everything


def finished(
    bands: Bands,
    valid: Flags,
    options: ReadOptions,
    *,
    indexes: tuple[int, ...],
    nodata: float | None,
    scales: Sequence[float],
    offsets: Sequence[float],
    palette: Palette | None,
) -> Picture:
    """Unscale if asked, and fill what is not valid with nodata (0 without one); both arrays are (band, height, width).

    `nodata`, `scales` and `offsets` are the file's own, the latter two by band of the file. Changes `bands`.
    """
    if options.unscale:
        factors, summands = (np.array([values[i - 1] for i in indexes])[:, None, None] for values in (scales, offsets))
        bands = (bands * factors + summands).astype(np.float32)
    if options.nodata is not None:
        nodata = options.nodata
    filling = None if nodata is None else fit(nodata, bands.dtype)
    bands[~valid] = bands.dtype.type(0) if filling is None else filling
    return Picture(
        bands=bands,
        valid=valid[:1] if len(valid) == 1 or (valid == valid[:1]).all() else valid,
        band_names=tuple(f"b{index}" for index in indexes),
        nodata=nodata,
        palette=palette,
    )


def layer_of(granule: Granule, picture: Picture) -> Layer:
    """A picture as the layer of its granule."""
    return Layer(
        granule=granule,
        bands=picture.bands,
        valid=picture.valid,
        band_names=picture.band_names,
        nodata=picture.nodata,
        palette=picture.palette,
    )
