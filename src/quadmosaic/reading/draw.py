"""Drawing a plan: decoded blocks put together, sampled at the plan's positions, and made a picture."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quadmosaic.domain.granules import Level
from quadmosaic.reading.blocks import Block
from quadmosaic.reading.levels import NEAREST
from quadmosaic.reading.numbers import Bands, Flags, equals_nodata, fit, is_number
from quadmosaic.reading.parts import Part
from quadmosaic.reading.pictures import Picture, finished
from quadmosaic.reading.plan import Plan
from quadmosaic.reading.resample import smooth


def draw(plan: Plan, blocks: Mapping[Block, Bands]) -> Picture:
    """The picture of a plan; `blocks` holds (band, height, width) for each of its blocks that has bytes."""
    shape = (len(plan.indexes), plan.geobox.height, plan.geobox.width)
    bands = np.zeros(shape, np.dtype(plan.header.dtype))
    valid = np.zeros(shape, np.bool_)
    for part in plan.parts:
        patch = _assemble(plan, part, blocks)
        values, part_valid = _nearest(plan, part, patch) if plan.kernel == NEAREST else _smooth(plan, part, patch)
        part.put(values, bands)
        part.put(part_valid, valid)
    valid &= plan.inside
    return finished(
        bands,
        valid,
        plan.options,
        indexes=plan.indexes,
        nodata=plan.header.nodata,
        scales=plan.header.scales,
        offsets=plan.header.offsets,
        palette=plan.palette,
    )


def _nearest(plan: Plan, part: Part, patch: "Patch") -> tuple[Bands, Flags]:
    nearest = patch.at(part)
    return nearest.bands, nearest.valid(plan)


def _smooth(plan: Plan, part: Part, patch: "Patch") -> tuple[Bands, Flags]:
    """Values of a kernel, those of the nearest pixels where it knows none; what is valid is up to the nearest."""
    patch_valid = patch.valid(plan)
    valid = np.ones((1, 1), np.bool_) if patch_valid.all() else _picked(patch_valid, part)
    wanted = None if patch_valid.all() else valid
    smoothed = smooth(patch.bands, patch_valid, part, plan.kernel, plan.scale, wanted=wanted)
    values = smoothed.values
    if not smoothed.known.all():
        values = np.where(smoothed.known, values, _picked(patch.bands, part))
    return values, np.broadcast_to(valid, values.shape) if wanted is None else valid


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Patch:
    """Pixels of an image: `bands` (band, ...), and what its mask or alpha says of them, `stated` (1, ...)."""

    bands: Bands
    stated: Flags | None

    def valid(self, plan: Plan) -> Flags:
        """Where all that the file says allows it: nodata, mask, alpha; NaN never is."""
        nodata = plan.header.nodata if plan.options.nodata is None else plan.options.nodata
        valid = is_number(self.bands) & ~equals_nodata(self.bands, nodata)
        return valid if self.stated is None else valid & self.stated

    def at(self, part: Part) -> "Patch":
        """What is nearest to the part's positions."""
        stated = None if self.stated is None else _picked(self.stated, part)
        return Patch(bands=_picked(self.bands, part), stated=stated)


def _assemble(plan: Plan, part: Part, blocks: Mapping[Block, Bands]) -> Patch:
    """The part's window from the blocks that touch it; sparse blocks are nodata, or 0 without one."""
    left, top, right, bottom = part.window
    shape = (bottom - top, right - left)
    dtype = np.dtype(plan.header.dtype)
    filling = None if plan.header.nodata is None else fit(plan.header.nodata, dtype)
    bands = np.full((len(plan.indexes), *shape), dtype.type(0) if filling is None else filling)
    stated = np.zeros((1, *shape), np.bool_)
    for block in plan.blocks:
        if block.start == block.stop:
            continue
        pixels = blocks[block]
        into, out_of = _overlap(block, plan.tables.levels[block.level], part)
        if block.level == plan.mask:
            stated[(0, *into)] = pixels[(0, *out_of)]
            continue
        for position, index in enumerate(plan.indexes):
            if (band := _band_of(plan, block, index)) is not None:
                bands[(position, *into)] = pixels[(band, *out_of)]
        if plan.alpha is not None and (band := _band_of(plan, block, plan.alpha)) is not None:
            stated[(0, *into)] = np.greater(pixels[(band, *out_of)], 0)
    has_statement = plan.mask is not None or plan.alpha is not None
    return Patch(bands=bands, stated=stated if has_statement else None)


def _band_of(plan: Plan, block: Block, index: int) -> int | None:
    """Which band of a decoded block is the raster's 1-based `index`, None where it is in another plane."""
    if not plan.tables.planar:
        return index - 1
    return 0 if block.plane == index - 1 else None


def _overlap(block: Block, level: Level, part: Part) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a block goes in the part's window, and which of its pixels do (rows, columns); empty if they miss."""
    left, top, right, bottom = part.window
    rows = _span(block.row * level.block_height, level.block_height, top, bottom)
    columns = _span(block.column * level.block_width, level.block_width, left, right)
    return (rows[0], columns[0]), (rows[1], columns[1])


def _span(start: int, length: int, low: int, high: int) -> tuple[slice, slice]:
    first, last = max(start, low), max(min(start + length, high), max(start, low))
    return slice(first - low, last - low), slice(first - start, last - start)


def _picked[T: np.generic](pixels: npt.NDArray[T], part: Part) -> npt.NDArray[T]:
    """The nearest pixels to the part's positions: (band, row, column) of a mesh, else (band, pixel)."""
    columns, rows = part.indices
    picked: npt.NDArray[T] = (
        pixels.take(rows, axis=1).take(columns, axis=2)
        if part.mesh
        else pixels.reshape(len(pixels), -1).take(rows * pixels.shape[2] + columns, axis=1)
    )
    return picked
