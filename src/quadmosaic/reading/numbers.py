"""Numbers of a raster: which of them mean that there is nothing, and how a value fits into a dtype."""

import numpy as np
import numpy.typing as npt

type Bands = npt.NDArray[np.generic]
type Flags = npt.NDArray[np.bool_]


def equals_nodata(values: Bands, nodata: float | None) -> Flags:
    """Where values are the nodata value, compared in the values' own dtype.

    64-bit floats are compared as closely as 32-bit ones are: files are met whose overviews, or whose nodata, went
    through 32 bits.
    """
    fitting = None if nodata is None or np.isnan(nodata) else fit(nodata, values.dtype)
    if fitting is None:
        return np.zeros(values.shape, np.bool_)
    if values.dtype == np.float64:
        close = np.isclose(values.astype(np.float64), float(fitting), rtol=float(np.finfo(np.float32).eps), atol=0)
        return np.asarray(close)
    return np.asarray(values == fitting)


def fit(value: float, dtype: np.dtype[np.generic]) -> np.generic | None:
    """A number as the dtype has it (the nearest float; the largest where it is beyond), None if an integer lacks it."""
    if isinstance(dtype, np.dtypes.Float32DType | np.dtypes.Float64DType | np.dtypes.Float16DType):
        limits = np.finfo(dtype)
        rounded = dtype.type(value) if np.isinf(value) else np.clip(value, float(limits.min), float(limits.max))
        return dtype.type(rounded)
    if not np.isfinite(value) or value != int(value):
        return None
    try:
        return dtype.type(int(value))
    except OverflowError:
        return None


def is_number(values: Bands) -> Flags:
    """Where values are not NaN."""
    return ~np.isnan(values) if np.issubdtype(values.dtype, np.floating) else np.ones(values.shape, np.bool_)
