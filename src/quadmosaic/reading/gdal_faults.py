"""Why GDAL cannot read a raster, in words fit for the client; what it said stays in the log."""

import logging
import re

from pyproj.exceptions import ProjError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from quadmosaic.domain.access import public_href
from quadmosaic.reading.faults import Unreadable

_log = logging.getLogger(__name__)

READ_ERRORS = (RasterioError, ProjError, OSError, UnicodeDecodeError)
"""What reading a raster raises when the file or the way to it is at fault; its texts may be in any encoding."""

MAX_BANDS = 1024
"""Cubes of spectrometers have a few hundred; a damaged header may say any number."""

_MISSING = re.compile(r"no such file|does not exist|response code: ?404|not found", re.IGNORECASE)
_FORBIDDEN = re.compile(r"response code: ?40[13]|access ?denied|permission denied|InvalidCredentials", re.IGNORECASE)
_UNREACHABLE = re.compile(r"curl|http|timed? ?out|could ?n.t (resolve|connect)|connection", re.IGNORECASE)


def opening_fault(error: Exception, href: str) -> Unreadable:
    """The fault behind an error on opening a raster."""
    _log.warning("cannot open %s: %s", public_href(href), error)
    if _MISSING.search(str(error)):
        return Unreadable("the file does not exist", passing=True)
    if _FORBIDDEN.search(str(error)):
        return Unreadable("the file may not be read", passing=True)
    if _UNREACHABLE.search(str(error).replace(href, "")):
        return Unreadable("the file is out of reach", passing=True)
    return Unreadable("the file is not a raster that can be read")


def reading_fault(error: Exception, href: str) -> Unreadable:
    """The fault behind an error on reading pixels of a raster that opened."""
    _log.warning("cannot read pixels of %s: %s", public_href(href), error)
    return Unreadable("its pixels cannot be read: the file is damaged, or was out of reach")


def check_usable(dataset: DatasetReader) -> None:
    """Raise Unreadable for a raster that cannot be placed on a body, or has no plain numbers."""
    if dataset.count == 0:
        raise Unreadable("the file has no raster bands")
    if dataset.count > MAX_BANDS:
        raise Unreadable(f"it has {dataset.count} bands, and more than {MAX_BANDS} are not read")
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise Unreadable("its pixels are complex numbers, which have no picture")
    if dataset.crs is None:
        by_points = dataset.gcps[0]
        reason = "it is placed by ground control points only; warp it first" if by_points else "it has no CRS"
        raise Unreadable(reason)
    if dataset.transform.is_identity:
        raise Unreadable("it has no geotransform")
    if dataset.transform.is_degenerate:
        raise Unreadable("its geotransform gives its pixels no area")
