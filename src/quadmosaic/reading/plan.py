"""The plan of a read: which level, which blocks and which of their pixels, from the header record alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from affine import Affine

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import BlockTables, Header, Level, LevelKind
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.coordinates import Coordinates
from quadmosaic.reading.levels import NEAREST, choose_kernel, choose_level
from quadmosaic.reading.numbers import Flags
from quadmosaic.reading.pictures import Palette, band_indexes
from quadmosaic.reading.placement import Placement, place
from quadmosaic.reading.positions import Floats
from quadmosaic.reading.resample import AVERAGE, FAST_KERNELS, MAX_SCATTERED_SCALE, margin

MAX_PIXELS = 1 << 24
"""Larger windows are left to the reader that thins them out."""

type Window = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of an image."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block to read: which one of which level, and its bytes in the file (none where it is sparse)."""

    level: int
    plane: int
    row: int
    column: int
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """The pixels of a GeoBox that one side of a raster serves, and the window of the image that they need.

    `columns` and `rows` are positions in the image. Where `mesh`, they are those of the GeoBox's `across` and `down`
    (pixel numbers), else of each of its flat pixel numbers `across`.
    """

    columns: Floats
    rows: Floats
    across: npt.NDArray[np.intp]
    down: npt.NDArray[np.intp]
    mesh: bool
    window: Window


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """All that is decided before a byte is fetched. `image` and `mask` are positions in the block tables' levels."""

    header: Header
    tables: BlockTables
    geobox: GeoBox
    options: ReadOptions
    indexes: tuple[int, ...]
    kernel: str
    palette: Palette | None
    inside: Flags
    image: int
    mask: int | None
    scale: tuple[float, float]
    parts: tuple[Part, ...]
    blocks: tuple[Block, ...]

    @cached_property
    def alpha(self) -> int | None:
        """The 1-based alpha band."""
        interp = self.header.colorinterp
        return interp.index("alpha") + 1 if "alpha" in interp else None


def plan_read(header: Header, found: Coordinates, geobox: GeoBox, options: ReadOptions) -> Plan | str:
    """The plan, or in a word why there is none. The raster must have no obstacle (`support.obstacle`).

    Raises Invalid (field "bidx").
    """
    tables = header.blocks
    assert tables is not None
    interp = header.colorinterp or ("undefined",) * header.count
    indexes = band_indexes(interp, options.bidx)
    palette = header.palette if indexes[0] == 1 else None
    transform = Affine(*header.transform)
    placement = place(
        geobox, found, crs=header.crs, transform=transform, width=header.width, height=header.height
    )
    kernel = choose_kernel(options, same_crs=placement.same_crs, palette=palette is not None)
    image = _choose_image(header, tables, placement)
    level = tables.levels[image]
    scale = (placement.scale[0] * level.width / header.width, placement.scale[1] * level.height / header.height)
    mask = _mask_of(tables, level)
    if mask is None and any(other.kind is LevelKind.MASK for other in tables.levels):
        return "mask without this overview"
    if kernel not in FAST_KERNELS or (kernel == AVERAGE and not placement.separable):
        return f"kernel {kernel}"
    if kernel != NEAREST and not placement.separable and max(scale) >= MAX_SCATTERED_SCALE:
        return "wide kernel between projections"
    parts = tuple(_parts(header, level, placement, margin(kernel, scale)))
    if sum(_area(part.window) for part in parts) > MAX_PIXELS:
        return "huge window"
    plan = Plan(
        header=header,
        tables=tables,
        geobox=geobox,
        options=options,
        indexes=indexes,
        kernel=kernel,
        palette=palette,
        inside=placement.inside,
        image=image,
        mask=mask,
        scale=scale,
        parts=parts,
        blocks=(),
    )
    return plan


def _choose_image(header: Header, tables: BlockTables, placement: Placement) -> int:
    images = [i for i, level in enumerate(tables.levels) if level.kind is LevelKind.IMAGE]
    widths = [header.width / _reduction(header, tables.levels[image]) for image in images]
    return images[choose_level(widths, math.sqrt(placement.scale[0] * placement.scale[1]))]


def _reduction(header: Header, level: Level) -> int:
    """The whole number that GDAL calls an overview's factor."""
    by_width = header.width != 1 and not (header.width < header.height // 2 and level.height != 1)
    return int(0.5 + (header.width / level.width if by_width else header.height / level.height))


def _mask_of(tables: BlockTables, image: Level) -> int | None:
    same = (
        i
        for i, level in enumerate(tables.levels)
        if level.kind is LevelKind.MASK and (level.width, level.height) == (image.width, image.height)
    )
    return next(same, None)


def _area(window: Window) -> int:
    left, top, right, bottom = window
    return (right - left) * (bottom - top)
