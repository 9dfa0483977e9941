"""Which rasters the fast reader covers, and why not the others: a question to the header record alone."""

from functools import lru_cache

from quadmosaic.domain.granules import BlockTables, Header, Level, LevelKind
from quadmosaic.reading.decode import COMPRESSIONS, Compression, numpy_dtype

MINISBLACK, RGB, PALETTE, MASK, YCBCR = 1, 2, 3, 4, 6

_PLAIN = frozenset({MINISBLACK, RGB, PALETTE})

_MOST_BLOCK_BYTES = 1 << 26
"""Of a block once it is unpacked, which the fast path holds whole."""


def obstacle(header: Header) -> str | None:
    """What keeps a raster from the fast path, in a word or two for the metrics; None where nothing does."""
    tables = header.blocks
    if tables is None:
        return "no block table"
    if header.etag is None:
        return "no etag"
    a, b, _, d, e, _ = header.transform
    if a * e == b * d:
        return "geotransform"
    dtype = numpy_dtype(tables)
    if dtype is None or dtype.name != header.dtype or header.count != len(tables.bits_per_sample):
        return "sample type"
    return _levels_obstacle(tables)


@lru_cache(maxsize=4096)
def _form_obstacle(
    kind: LevelKind, compression: int, predictor: int, photometric: int, bits: int, samples: int, planar: bool
) -> str | None:
    if compression not in COMPRESSIONS:
        return f"compression {compression}"
    if kind is LevelKind.MASK:
        return None if photometric == MASK and compression != Compression.JPEG and predictor == 1 else "mask form"
    if compression == Compression.JPEG:
        fits = (photometric, samples) in {(MINISBLACK, 1), (RGB, 3), (YCBCR, 3)} or (planar and photometric != YCBCR)
        return None if bits == 8 and fits else "JPEG form"
    if photometric not in _PLAIN:
        return f"photometric {photometric}"
    return None if predictor in (1, 2, 3) else f"predictor {predictor}"


def _levels_obstacle(tables: BlockTables) -> str | None:
    bits, samples = tables.bits_per_sample[0], len(tables.bits_per_sample)
    for level in tables.levels:
        found = _form_obstacle(
            level.kind, level.compression, level.predictor, level.photometric, bits, samples, tables.planar
        ) or _size_obstacle(
            level,
            planes=samples if tables.planar and level.kind is LevelKind.IMAGE else 1,
            pixel_bytes=(1 if tables.planar else samples) * bits // 8,
        )
        if found is not None:
            return found
    return None


def _size_obstacle(level: Level, *, planes: int, pixel_bytes: int) -> str | None:
    across, down = -(-level.width // level.block_width), -(-level.height // level.block_height)
    complete = len(level.offsets) == len(level.byte_counts) == 8 * across * down * planes
    if not complete or level.block_width % 8:
        return "block table"
    return "huge block" if level.block_width * level.block_height * pixel_bytes > _MOST_BLOCK_BYTES else None
