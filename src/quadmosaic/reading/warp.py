"""Reading one raster into one GeoBox."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.blend import blend, warp_crs
from quadmosaic.reading.coordinates import is_separable
from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.gdal_faults import READ_ERRORS, check_usable, reading_fault
from quadmosaic.reading.levels import NEAREST, choose_kernel, choose_level
from quadmosaic.reading.numbers import Bands, Flags
from quadmosaic.reading.opening import Source, environment, opened
from quadmosaic.reading.parts import Part as SinglePoints
from quadmosaic.reading.pictures import Palette, Picture, band_indexes, finished
from quadmosaic.reading.positions import Floats, Positions, body_of, covered, locate, nearest, require_same_body
from quadmosaic.reading.resample import AVERAGE, FAST_KERNELS, margin, smooth
from quadmosaic.reading.windows import Pixels, common_dtype, read_window


def read_raster(source: Source, geobox: GeoBox, options: ReadOptions, *, wanted: Callable[[], bool]) -> Picture:
    """Read a raster; blocks. Raises Unreadable for a fault of the raster, Invalid (field "bidx") for missing bands.

    `wanted` is asked between steps; once it says False the read is given up with Unreadable.
    """
    with environment(source), opened(source) as dataset:
        crs = usable_crs(dataset)
        require_same_body(crs, geobox)
        indexes = band_indexes([color.name for color in dataset.colorinterp], options.bidx)
        try:
            return _read(source, dataset, crs, indexes, geobox, options, wanted)
        except READ_ERRORS as error:
            raise reading_fault(error, source.href) from error


def usable_crs(dataset: DatasetReader) -> str:
    """The raster's CRS as WKT2, once it is clear that the raster can be read."""
    try:
        check_usable(dataset)
        crs = str(dataset.crs.to_wkt(version="WKT2_2019"))
        body_of(crs)
    except READ_ERRORS as error:
        raise Unreadable("its CRS cannot be read") from error
    return crs


def palette_of(dataset: DatasetReader, index: int) -> Palette | None:
    """The colours of a band of palette indices."""
    return dict(dataset.colormap(index)) if dataset.colorinterp[index - 1] == ColorInterp.palette else None


def _read(
    source: Source,
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
        by_gdal = kernel == NEAREST or _is_for_gdal(kernel, crs, geobox, dataset.transform, positions)
        with _level(source, dataset, indexes[0], positions) as image:
            for turn in np.unique(positions.turns[positions.inside]).tolist():
                if not wanted():
                    raise Unreadable("the read was given up", passing=True)
                part = Part.of(positions, turn, dataset, image, with_spans=not by_gdal and kernel == AVERAGE)
                pixels = read_window(image, indexes, part.window(image, kernel), nodata=options.nodata)
                bands[:, part.where], valid[:, part.where] = (
                    _sample(part, pixels, geobox, crs, kernel) if by_gdal else _weighed(part, pixels, kernel)
                )
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
def _level(source: Source, dataset: DatasetReader, index: int, positions: Positions) -> Iterator[DatasetReader]:
    """The overview to read from, or the dataset itself."""
    widths = [dataset.width, *(dataset.width / reduction for reduction in dataset.overviews(index))]
    level = choose_level(widths, float(np.sqrt(positions.scale[0] * positions.scale[1])))
    if level == 0:
        yield dataset
        return
    with opened(source, OVERVIEW_LEVEL=level - 1) as overview:
        yield overview


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """The pixels of a GeoBox that one side of a raster serves.

    They are `where`; `columns` and `rows` are theirs in the image that is read, whose `transform` is moved by the
    turns; `exact` are both before they were rounded, and `spans` what each pixel covers, if asked for. `scale` is
    columns and rows of the image per GeoBox pixel.
    """

    where: Flags
    columns: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    exact: tuple[Floats, Floats]
    spans: tuple[Floats, Floats] | None
    transform: Affine
    scale: tuple[float, float]

    @classmethod
    def of(
        cls, positions: Positions, turn: int, full: DatasetReader, image: DatasetReader, *, with_spans: bool
    ) -> "Part":
        wide, high = image.width / full.width, image.height / full.height
        across, down = positions.columns, positions.rows
        where = positions.inside & (positions.turns == turn)
        moved = Affine.translation(-turn * (positions.period or 0.0), 0)
        return cls(
            where=where,
            columns=nearest(across[where], scale=wide, size=image.width),
            rows=nearest(down[where], scale=high, size=image.height),
            exact=(across[where] * wide, down[where] * high),
            spans=(
                covered(across, most=positions.spread[0])[where] * wide,
                covered(down, most=positions.spread[1])[where] * high,
            )
            if with_spans
            else None,
            transform=moved @ full.transform @ Affine.scale(1 / wide, 1 / high),
            scale=(positions.spread[0] * wide, positions.spread[1] * high),
        )

    def window(self, image: DatasetReader, kernel: str) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the image pixels that the kernel needs."""
        reach = margin(kernel, self.scale)
        return (
            max(int(self.columns.min()) - reach, 0),
            max(int(self.rows.min()) - reach, 0),
            min(int(self.columns.max()) + reach + 1, image.width),
            min(int(self.rows.max()) + reach + 1, image.height),
        )


def _is_for_gdal(kernel: str, crs: str, geobox: GeoBox, transform: Affine, positions: Positions) -> bool:
    """Whether GDAL knows the kernel between these CRSs. Raises Unreadable where nothing does.

    Its average takes the box between two corners of a pixel, which is a line where axes are turned by 45 degrees, and
    goes around the body where longitudes wrap between them.
    """
    by_gdal = warp_crs(crs, geobox.crs) is not None
    if not by_gdal and kernel not in FAST_KERNELS:
        names = ", ".join(sorted(FAST_KERNELS))
        raise Unreadable(f"{kernel} is not known for ocentric latitudes; {names} are")
    upright = transform.b == transform.d == 0
    return by_gdal and (
        kernel != AVERAGE or (upright and is_separable(geobox.crs, crs) and not _is_far_across(positions, transform.a))
    )


def _is_far_across(positions: Positions, pixel: float) -> bool:
    """Whether the positions are more than half a turn apart, so that longitudes may wrap between them."""
    across = positions.columns[positions.inside]
    return positions.period is not None and bool(np.ptp(across) > abs(positions.period / pixel) / 2)


def _weighed(part: Part, pixels: Pixels, kernel: str) -> tuple[Bands, Flags]:
    """Values and validity, (band, point), at the part's positions, by the kernels of the fast reader."""
    step, (height, width) = pixels.step, pixels.bands.shape[1:]
    rows, columns = part.rows // step - pixels.top, part.columns // step - pixels.left
    values, valid = pixels.bands[:, rows, columns], pixels.valid[:, rows, columns]
    points = np.arange(columns.size)
    single = SinglePoints(
        columns=part.exact[0] / step,
        rows=part.exact[1] / step,
        across=points,
        down=points,
        mesh=False,
        image=(pixels.left + width, pixels.top + height),
        window=(pixels.left, pixels.top, pixels.left + width, pixels.top + height),
        spans=None if part.spans is None else (part.spans[0] / step, part.spans[1] / step),
    )
    scale = (part.scale[0] / step, part.scale[1] / step)
    found = smooth(pixels.bands, pixels.valid, single, kernel, scale, wanted=valid)
    return np.where(found.known, found.values, values), valid


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
