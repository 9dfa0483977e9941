"""Windows of a raster, read as numbers and as what is valid in each band."""

from dataclasses import dataclass

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from quadmosaic.reading.levels import thinning
from quadmosaic.reading.numbers import Bands, Flags, equals_nodata, is_number


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pixels:
    """A window: `bands` and `valid` are (band, height, width).

    Its pixel (row, column) is the one at (top + row, left + column) * step of the image.
    """

    bands: Bands
    valid: Flags
    left: int
    top: int
    step: int = 1


def common_dtype(dataset: DatasetReader, indexes: tuple[int, ...]) -> np.dtype[np.generic]:
    """The dtype that holds the values of all these bands."""
    return np.result_type(*(np.dtype(dataset.dtypes[index - 1]) for index in indexes))


def read_window(
    dataset: DatasetReader,
    indexes: tuple[int, ...],
    window: tuple[int, int, int, int],
    *,
    nodata: float | None,
) -> Pixels:
    """Read `window` (left, top, right, bottom; it must touch the image); `nodata` overrides the file's own values.

    A pixel is valid where all that the file says allows it: nodata, mask, alpha; NaN never is.
    """
    left, top, right, bottom = window
    dtype = common_dtype(dataset, indexes)
    step = thinning((right - left) * (bottom - top), pixel_bytes=len(indexes) * dtype.itemsize)
    left, top = left - left % step, top - top % step
    right, bottom = min(-(-right // step) * step, dataset.width), min(-(-bottom // step) * step, dataset.height)
    where = Window(left, top, right - left, bottom - top)
    shape = (-(-(bottom - top) // step), -(-(right - left) // step))
    bands = dataset.read(list(indexes), window=where, out_shape=(len(indexes), *shape), out_dtype=dtype)
    stated = _stated_validity(dataset, where, shape)
    valid = np.empty(bands.shape, np.bool_)
    for position, index in enumerate(indexes):
        own = dataset.nodatavals[index - 1] if nodata is None else nodata
        valid[position] = is_number(bands[position]) & stated & ~equals_nodata(bands[position], own)
    return Pixels(bands=bands, valid=valid, left=left // step, top=top // step, step=step)


def _stated_validity(dataset: DatasetReader, where: Window, shape: tuple[int, int]) -> Flags:
    """What the dataset's mask and alpha band say; True everywhere if it has neither."""
    valid = np.ones(shape, np.bool_)
    if ColorInterp.alpha in dataset.colorinterp:
        alpha = dataset.colorinterp.index(ColorInterp.alpha) + 1
        valid &= dataset.read(alpha, window=where, out_shape=shape) > 0
    elif MaskFlags.per_dataset in dataset.mask_flag_enums[0]:
        valid &= dataset.read_masks(1, window=where, out_shape=shape) > 0
    return valid
