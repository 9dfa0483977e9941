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

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.access import DRIVERS, Place
from quadmosaic.reading.blend import blend
from quadmosaic.reading.faults import READ_ERRORS, Unreadable, check_usable, opening_fault, reading_fault
from quadmosaic.reading.levels import NEAREST, choose_kernel, choose_level
from quadmosaic.reading.positions import Positions, body_of, locate, nearest
from quadmosaic.reading.windows import Bands, Flags, Pixels, common_dtype, fit, read_window

type Palette = dict[int, tuple[int, int, int, int]]

_KERNEL_REACH = 4
"""Pixels around a position that the widest kernel uses, at its plain width."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """What a raster has in a GeoBox; the fields are those of `ports.Layer`."""

    bands: Bands
    mask: Flags
    band_names: tuple[str, ...]
    nodata: float | None
    palette: Palette | None


def read_raster(place: Place, geobox: GeoBox, options: ReadOptions, *, wanted: Callable[[], bool]) -> Picture:
    """Read a raster; blocks. Raises Unreadable for a fault of the raster, Invalid (field "bidx") for missing bands.

    `wanted` is asked between steps; once it says False the read is given up with Unreadable.
    """
    with rasterio.Env(session=rasterio.session.DummySession(), **place.gdal), opened(place) as dataset:
        crs = usable_crs(dataset)
        _require_same_body(crs, geobox)
        indexes = band_indexes(dataset, options.bidx)
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


def _require_same_body(crs: str, geobox: GeoBox) -> None:
    found, expected = body_of(crs), body_of(geobox.crs)
    if found is None:
        raise Unreadable("its CRS names no known body")
    if found != expected:
        raise Unreadable(f"it lies on {found}, not on {expected}")


def band_indexes(dataset: DatasetReader, bidx: tuple[int, ...] | None) -> tuple[int, ...]:
    """The 1-based bands to read: `bidx`, or all but alpha. Raises Invalid (field "bidx")."""
    if bidx is not None:
        missing = [index for index in bidx if not 1 <= index <= dataset.count]
        if missing or not bidx:
            raise Invalid(f"there is no band {missing[0] if missing else 0} (1 to {dataset.count})", field="bidx")
        return bidx
    values = tuple(i for i in dataset.indexes if dataset.colorinterp[i - 1] != ColorInterp.alpha)
    return values or tuple(dataset.indexes)


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
    return _finished(bands, valid, dataset, indexes, options, palette)


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


def _finished(
    bands: Bands,
    valid: Flags,
    dataset: DatasetReader,
    indexes: tuple[int, ...],
    options: ReadOptions,
    palette: Palette | None,
) -> Picture:
    """Unscale if asked, and fill what is not valid with nodata (0 without one)."""
    if options.unscale:
        scales, offsets = (
            np.array([values[index - 1] for index in indexes])[:, None, None]
            for values in (dataset.scales, dataset.offsets)
        )
        bands = (bands * scales + offsets).astype(np.float32)
    nodata = dataset.nodatavals[indexes[0] - 1] if options.nodata is None else options.nodata
    filling = None if nodata is None else fit(nodata, bands.dtype)
    bands[~valid] = bands.dtype.type(0) if filling is None else filling
    return Picture(
        bands=bands,
        mask=valid.any(axis=0),
        band_names=tuple(f"b{index}" for index in indexes),
        nodata=nodata,
        palette=palette,
    )
