"""The plan of a read: which level, which blocks and which of their pixels, from the header record alone."""

import math
from dataclasses import dataclass

import numpy as np
from affine import Affine

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import BlockTables, Header, Level, LevelKind
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.blocks import Block, blocks_of
from quadmosaic.reading.coordinates import Coordinates
from quadmosaic.reading.decode import block_bytes
from quadmosaic.reading.levels import choose_kernel, choose_level, thinning
from quadmosaic.reading.numbers import Flags
from quadmosaic.reading.parts import Part, parts_of
from quadmosaic.reading.pictures import Palette, band_indexes
from quadmosaic.reading.placement import Placement, place
from quadmosaic.reading.resample import AVERAGE, FAST_KERNELS, margin

HUGE = "huge window"
"""Why a window is left to the reader that thins it out."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plan:
    """All that is decided before a byte is fetched.

    `indexes` are 1-based bands, as is `alpha`. `image` and `mask` are positions in the levels of the block tables,
    `scale` is columns and rows of the image per GeoBox pixel, `inside` is (height, width) of the GeoBox.
    """

    header: Header
    tables: BlockTables
    geobox: GeoBox
    options: ReadOptions
    indexes: tuple[int, ...]
    alpha: int | None
    palette: Palette | None
    kernel: str
    image: int
    mask: int | None
    scale: tuple[float, float]
    inside: Flags
    parts: tuple[Part, ...]
    blocks: tuple[Block, ...]

    @property
    def source_bytes(self) -> int:
        """What the blocks take once they are unpacked, and the windows that are put together from them."""
        block = block_bytes(self.tables.levels[self.image], self.tables, np.dtype(self.header.dtype))
        window = sum(part.area for part in self.parts) * _pixel_bytes(self.header, self.indexes)
        return len(self.blocks) * block + window


def plan_read(header: Header, found: Coordinates, geobox: GeoBox, options: ReadOptions) -> Plan | str:
    """The plan, or in a word why there is none; `found` are the GeoBox's coordinates in the raster's CRS.

    The raster has no obstacle (`support.obstacle`). Raises Invalid (field "bidx").
    """
    tables = header.blocks
    assert tables is not None
    interp = header.colorinterp or ("undefined",) * header.count
    indexes = band_indexes(interp, options.bidx)
    alpha = interp.index("alpha") + 1 if "alpha" in interp else None
    palette = header.palette if indexes[0] == 1 else None
    transform = Affine(*header.transform)
    placement = place(geobox, found, crs=header.crs, transform=transform, width=header.width, height=header.height)
    kernel = choose_kernel(options, same_crs=placement.same_crs, palette=palette is not None)
    image = _choose_image(header, tables, placement)
    level = tables.levels[image]
    scale = (placement.spread[0] * level.width / header.width, placement.spread[1] * level.height / header.height)
    reach = margin(kernel, scale)
    mask = _mask_of(tables, level) if alpha is None else None
    full = (header.width, header.height)
    parts = tuple(parts_of(placement, level, full=full, margin=reach, with_spans=kernel == AVERAGE))
    reason = (
        (None if kernel in FAST_KERNELS else f"kernel {kernel}")
        or ("mask without this overview" if mask is None and _has_masks(tables) else None)
        or (HUGE if thinning(sum(part.area for part in parts), pixel_bytes=_pixel_bytes(header, indexes)) > 1 else None)
    )
    if reason is not None:
        return reason
    planes = sorted({index - 1 for index in (*indexes, alpha) if index is not None}) if tables.planar else [0]
    blocks = blocks_of(parts, level, position=image, planes=planes, margin=reach)
    if mask is not None:
        blocks += blocks_of(parts, tables.levels[mask], position=mask, planes=[0], margin=reach)
    return Plan(
        header=header,
        tables=tables,
        geobox=geobox,
        options=options,
        indexes=indexes,
        alpha=alpha,
        palette=palette,
        kernel=kernel,
        image=image,
        mask=mask,
        scale=scale,
        inside=placement.inside,
        parts=parts,
        blocks=tuple(blocks),
    )


def _pixel_bytes(header: Header, indexes: tuple[int, ...]) -> int:
    return len(indexes) * np.dtype(header.dtype).itemsize


def _choose_image(header: Header, tables: BlockTables, placement: Placement) -> int:
    images = [i for i, level in enumerate(tables.levels) if level.kind is LevelKind.IMAGE]
    widths = [header.width / _reduction(header, tables.levels[image]) for image in images]
    return images[choose_level(widths, math.sqrt(placement.scale[0] * placement.scale[1]))]


def _reduction(header: Header, level: Level) -> int:
    """The whole number that GDAL calls an overview's factor."""
    by_width = header.width != 1 and not (header.width < header.height // 2 and level.height != 1)
    return int(0.5 + (header.width / level.width if by_width else header.height / level.height))


def _has_masks(tables: BlockTables) -> bool:
    return any(level.kind is LevelKind.MASK for level in tables.levels)


def _mask_of(tables: BlockTables, image: Level) -> int | None:
    same = (
        i
        for i, level in enumerate(tables.levels)
        if level.kind is LevelKind.MASK and (level.width, level.height) == (image.width, image.height)
    )
    return next(same, None)
