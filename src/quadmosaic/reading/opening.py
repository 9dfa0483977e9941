"""Opening a raster with GDAL: from its path, or from what requests of our own bring of it."""

import contextlib
from collections.abc import Iterator

import rasterio
import rasterio.session
from rasterio.io import DatasetReader

from quadmosaic.reading.access import DRIVERS, Place
from quadmosaic.reading.gdal_faults import READ_ERRORS, opening_fault
from quadmosaic.reading.remote_file import NAME, RemoteFile

type Source = Place | RemoteFile
"""A file of this machine, which GDAL reads itself, or one that is read for it."""


def environment(source: Source) -> rasterio.Env:
    """GDAL's settings for a source, which credentials of rasterio's are no part of."""
    settings = source.gdal if isinstance(source, RemoteFile) else {}
    return rasterio.Env(session=rasterio.session.DummySession(), **settings)


@contextlib.contextmanager
def opened(source: Source, **options: int) -> Iterator[DatasetReader]:
    """A dataset of the formats that are let in. Raises Unreadable."""
    try:
        dataset = _by_hand(source, options) if isinstance(source, RemoteFile) else _by_path(source, options)
    except READ_ERRORS as error:
        raise opening_fault(error, source.href) from error
    with dataset:
        yield dataset


def _by_path(place: Place, options: dict[str, int]) -> DatasetReader:
    return DatasetReader(place.path, driver=list(DRIVERS), **options)


def _by_hand(file: RemoteFile, options: dict[str, int]) -> DatasetReader:
    """One driver after the other, as rasterio takes only one together with an opener."""
    for driver in DRIVERS[:-1]:
        with contextlib.suppress(*READ_ERRORS):
            return rasterio.open(NAME, driver=driver, opener=file, **options)
    return rasterio.open(NAME, driver=DRIVERS[-1], opener=file, **options)
