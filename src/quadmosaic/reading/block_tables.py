"""The block tables of a tiled TIFF, from its directories."""

import asyncio
import logging

import numpy as np
from async_tiff import TIFF, ImageFileDirectory
from async_tiff.enums import Endianness, PlanarConfiguration

from quadmosaic.domain.granules import BlockTables, Level, LevelKind
from quadmosaic.reading.access import ObjectStore
from quadmosaic.reading.held_start import HeldStart

_log = logging.getLogger(__name__)

PREFETCH = 65536
"""Bytes of the first request: the header of nearly every COG."""

_ERRORS = ("AsyncTiffException", "RustPanic")
"""What async-tiff raises over a header that it cannot follow; it exports neither class, so no clause can name them."""

_REDUCED, _MASK = 1, 4


async def read_block_tables(store: ObjectStore | HeldStart, key: str) -> BlockTables | None:
    """None where the file is no TIFF, or where any image of it is not tiled."""
    (tiff,) = await asyncio.gather(TIFF.open(key, store=store, prefetch=PREFETCH), return_exceptions=True)
    if isinstance(tiff, TIFF):
        return _tables(tiff)
    if type(tiff).__name__ not in _ERRORS:
        raise tiff
    _log.info("no block tables for %s: %s", key, tiff)
    return None


def _tables(tiff: TIFF) -> BlockTables | None:
    first = tiff.ifds[0]
    images = [first, *_coarser(tiff.ifds[1:], mask=False)]
    masks = _coarser(tiff.ifds[1:], mask=True)
    levels = [
        *(_level(ifd, LevelKind.IMAGE) for ifd in images),
        *(_level(ifd, LevelKind.MASK) for ifd in masks),
    ]
    tiled = tuple(level for level in levels if level is not None)
    if len(tiled) < len(levels):
        return None
    return BlockTables(
        big_endian=tiff.endianness == Endianness.BigEndian,
        planar=first.planar_configuration == PlanarConfiguration.Planar,
        bits_per_sample=tuple(first.bits_per_sample),
        sample_format=tuple(int(sample) for sample in first.sample_format),
        extra_samples=tuple(int(sample) for sample in first.extra_samples or ()),
        levels=tiled,
    )


def _coarser(ifds: list[ImageFileDirectory], *, mask: bool) -> list[ImageFileDirectory]:
    """Overviews, or masks of any size, finest first; other pages of the file are neither."""
    kinds = [(ifd, ifd.new_subfile_type or 0) for ifd in ifds]
    chosen = [ifd for ifd, kind in kinds if (kind & _MASK if mask else kind & _REDUCED and not kind & _MASK)]
    return sorted(chosen, key=lambda ifd: -ifd.image_width)


def _level(ifd: ImageFileDirectory, kind: LevelKind) -> Level | None:
    if not ifd.tile_width or not ifd.tile_height or ifd.tile_offsets is None or ifd.tile_byte_counts is None:
        return None
    return Level(
        kind=kind,
        width=ifd.image_width,
        height=ifd.image_height,
        block_width=ifd.tile_width,
        block_height=ifd.tile_height,
        compression=int(ifd.compression),
        predictor=int(ifd.predictor or 1),
        photometric=int(ifd.photometric_interpretation),
        offsets=np.array(ifd.tile_offsets, "<u8").tobytes(),
        byte_counts=np.array(ifd.tile_byte_counts, "<u8").tobytes(),
        jpeg_tables=bytes(ifd.jpeg_tables or b""),
    )
