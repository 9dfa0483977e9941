"""Reading one raster into one GeoBox."""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.session
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.access import DRIVERS, Place
from quadmosaic.reading.blend import blend
from quadmosaic.reading.faults import READ_ERRORS, Unreadable, check_usable, opening_fault, reading_fault
from quadmosaic.reading.levels import NEAREST, choose_kernel, choose_level
from quadmosaic.reading.numbers import Bands, Flags
from quadmosaic.reading.pictures import Palette, Picture, band_indexes, finished
from quadmosaic.reading.positions import Positions, locate, nearest, require_same_body
from quadmosaic.reading.windows import Pixels, common_dtype, read_window

_KERNEL_REACH = 4
"""Pixels around a position that the widest kernel uses, at its plain width."""


def read_raster(place: Place, geobox: GeoBox, options: ReadOptions, *, wanted: Callable[[], bool]) -> Picture:
    """Read a raster; blocks. Raises Unreadable for a fault of the raster, Invalid (field "bidx") for missing bands.

    `wanted` is asked between steps; once it says False the read is given up with Unreadable.
    """
    with rasterio.Env(session=rasterio.session.DummySession(), **place.gdal), opened(place) as dataset:
        crs = usable_crs(dataset)
        require_same_body(crs, geobox)
        indexes = band_indexes([color.name for color in dataset.colorinterp], options.bidx)
        try:
            return _read(place, dataset, crs, indexes, geobox, options, wanted)
        except READ_ERRORS as error:
            raise reading_fault(error, place.href) from error


@contextlib.contextmanager
def opened(place: Place, **options: int) -> Iterator[DatasetReader]:
    try:
        dataset = DatasetReader(place.gdal_path, driver=list(DRIVERS), **options)
    except READ_ERRORS as error:
        raise opening_fault(error, place.href) from error
    with dataset:
        yield dataset


def usable_crs(dataset: DatasetReader) -> str:
    """The raster's CRS as WKT2, once it is clear that the raster can be read."""
    check_usable(dataset)
    return str(dataset.crs.to_wkt(version="WKT2_2019"))


def palette_of(dataset: DatasetReader, index: int) -> Palette | None:
    """The colours of a band of palette indices."""
    return dict(dataset.colormap(index)) if dataset.colorinterp[index - 1] == ColorInterp.palette else None


def _read(
    place: Place,
    dataset: DatasetReader,
    crs: str,
    indexes: tuple[int, ...],
    geobox: GeoBox,
    options: ReadOptions,
    wanted: Callable[[], bool],
) -> Picture:
    palette = palette_of(dataset, indexes[0])
    positions = locate(geobox, crs=crs, transform=dataset.transform, width=dataset.width, height=dataset.height)
    bands = np.zeros((len(indexes), geobox.height, geobox.width), common_dtype(dataset, indexes))
    valid = np.zeros(bands.shape, np.bool_)
    if positions.inside.any():
        kernel = choose_kernel(options, same_crs=positions.same_crs, palette=palette is not None)
        with _level(place, dataset, indexes[0], positions) as image:
            for turn in np.unique(positions.turns[positions.inside]).tolist():
                if not wanted():
                    raise Unreadable("the read was given up", passing=True)
                part = Part.of(positions, turn, dataset, image)
                pixels = read_window(image, indexes, part.window(image, kernel), nodata=options.nodata)
                bands[:, part.where], valid[:, part.where] = _sample(part, pixels, geobox, crs, kernel)
    return finished(
        bands,
        valid,
        options,
        indexes=indexes,
        nodata=dataset.nodatavals[indexes[0] - 1],
        scales=dataset.scales,
        offsets=dataset.offsets,
        palette=palette,
    )


@contextlib.contextmanager
def _level(place: Place, dataset: DatasetReader, index: int, positions: Positions) -> Iterator[DatasetReader]:
    """The overview to read from, or the dataset itself."""
    widths = [dataset.width, *(dataset.width / reduction for reduction in dataset.overviews(index))]
    level = choose_level(widths, float(np.sqrt(positions.scale[0] * positions.scale[1])))
    if level == 0:
        yield dataset
        return
    with opened(place, OVERVIEW_LEVEL=level - 1) as overview:
        yield overview


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """The pixels of a GeoBox that one side of a raster serves.

    They are `where`; `columns` and `rows` are theirs in the image that is read, whose `transform` is moved by the
    turns; `scale` is image pixels per GeoBox pixel.
    """

    where: Flags
    columns: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    transform: Affine
    scale: tuple[float, float]

    @classmethod
    def of(cls, positions: Positions, turn: int, full: DatasetReader, image: DatasetReader) -> "Part":
        wide, high = image.width / full.width, image.height / full.height
        where = positions.inside & (positions.turns == turn)
        moved = Affine.translation(-turn * (positions.period or 0.0), 0)
        return cls(
            where=where,
            columns=nearest(positions.columns[where], scale=wide, size=image.width),
            rows=nearest(positions.rows[where], scale=high, size=image.height),
            transform=moved @ full.transform @ Affine.scale(1 / wide, 1 / high),
            scale=(positions.scale[0] * wide, positions.scale[1] * high),
        )

    def window(self, image: DatasetReader, kernel: str) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the image pixels that the kernel needs."""
        margin = 0 if kernel == NEAREST else math.ceil(_KERNEL_REACH * max(1.0, *self.scale))
        return (
            max(int(self.columns.min()) - margin, 0),
            max(int(self.rows.min()) - margin, 0),
            min(int(self.columns.max()) + margin + 1, image.width),
            min(int(self.rows.max()) + margin + 1, image.height),
        )


def _sample(part: Part, pixels: Pixels, geobox: GeoBox, crs: str, kernel: str) -> tuple[Bands, Flags]:
    """Values and validity, (band, point), at the part's positions.

    What is valid is always up to the nearest pixel, so that no kernel grows or shrinks a granule.
    """
    rows, columns = part.rows // pixels.step - pixels.top, part.columns // pixels.step - pixels.left
    values, valid = pixels.bands[:, rows, columns], pixels.valid[:, rows, columns]
    if kernel == NEAREST:
        return values, valid
    smooth, known = blend(
        pixels.bands,
        pixels.valid,
        crs=crs,
        transform=part.transform @ Affine.scale(pixels.step) @ Affine.translation(pixels.left, pixels.top),
        geobox=geobox,
        kernel=kernel,
        scale=(part.scale[0] / pixels.step, part.scale[1] / pixels.step),
    )
    return np.where(known[:, part.where], smooth[:, part.where], values), valid
