"""Decoding a block: the bytes of one tile of a TIFF to numbers."""

from enum import IntEnum

import imagecodecs
import numpy as np
import numpy.typing as npt

from quadmosaic.domain.granules import BlockTables, Level, LevelKind
from quadmosaic.reading.numbers import Bands


class Compression(IntEnum):
    """TIFF's numbers of the compressions that can be decoded here."""

    NONE = 1
    LZW = 5
    JPEG = 7
    DEFLATE = 8
    PACKBITS = 32773
    OLD_DEFLATE = 32946
    LZMA = 34925
    ZSTD = 50000


COMPRESSIONS = frozenset(Compression)

_YCBCR = 6
_KINDS = {1: "u", 2: "i", 3: "f"}
_SIZES = {"u": (8, 16, 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}


class Undecodable(Exception):
    """A block that is damaged, or that is not what its table says."""


def numpy_dtype(tables: BlockTables) -> np.dtype[np.generic] | None:
    """The one native dtype of all samples, None where there is none."""
    bits, kind = tables.bits_per_sample[0], _KINDS.get(tables.sample_format[0])
    alike = set(tables.bits_per_sample) == {bits} and set(tables.sample_format) == {tables.sample_format[0]}
    if kind is None or not alike or bits not in _SIZES[kind]:
        return None
    return np.dtype(f"{kind}{bits // 8}")


def block_bytes(level: Level, tables: BlockTables, dtype: np.dtype[np.generic]) -> int:
    """What a block of an image takes once it is unpacked."""
    samples = 1 if tables.planar else len(tables.bits_per_sample)
    return level.block_width * level.block_height * samples * dtype.itemsize


def decode_block(raw: bytes | memoryview, level: Level, tables: BlockTables, dtype: np.dtype[np.generic]) -> Bands:
    """(band, height, width) of a block, one band for a plane or a mask. Raises Undecodable.

    A mask comes as booleans, True where valid.
    """
    try:
        if level.kind is LevelKind.MASK:
            return _mask(raw, level)
        samples = 1 if tables.planar else len(tables.bits_per_sample)
        shape = (level.block_height, level.block_width, samples)
        if level.compression == Compression.JPEG:
            pixels = _jpeg(raw, level, shape)
        else:
            stored = dtype.newbyteorder(">" if tables.big_endian else "<")
            unpacked = _unpacked(raw, level.compression, size=int(np.prod(shape)) * dtype.itemsize)
            pixels = _unpredicted(np.frombuffer(unpacked, stored).reshape(shape), level.predictor, dtype)
    except (RuntimeError, ValueError) as error:
        raise Undecodable(str(error)) from error
    return pixels.transpose(2, 0, 1)


def _unpacked(raw: bytes | memoryview, compression: int, *, size: int) -> bytes | bytearray | memoryview:
    match compression:
        case Compression.NONE:
            unpacked: bytes | bytearray | memoryview = bytes(raw)
        case Compression.LZW:
            unpacked = imagecodecs.lzw_decode(raw, out=size)
        case Compression.DEFLATE | Compression.OLD_DEFLATE:
            unpacked = imagecodecs.deflate_decode(raw, out=size)
        case Compression.PACKBITS:
            unpacked = imagecodecs.packbits_decode(raw, out=size)
        case Compression.LZMA:
            unpacked = imagecodecs.lzma_decode(raw, out=size)
        case _:
            unpacked = imagecodecs.zstd_decode(raw, out=size)
    if len(unpacked) != size:
        raise ValueError(f"{len(unpacked)} bytes instead of {size}")
    return unpacked


def _unpredicted(stored: Bands, predictor: int, dtype: np.dtype[np.generic]) -> Bands:
    """Native numbers; `stored` is (height, width, sample) in the file's byte order."""
    if predictor == 3:
        return _unshuffled(stored, dtype)
    native = stored.astype(dtype, copy=False)
    if predictor == 1:
        return native
    integers: npt.NDArray[np.unsignedinteger] = native.view(f"u{dtype.itemsize}")
    summed: Bands = imagecodecs.delta_decode(integers, axis=-2)
    return summed.view(dtype)


def _unshuffled(stored: Bands, dtype: np.dtype[np.generic]) -> Bands:
    """Floats whose bytes are sorted by significance in every row, highest first whatever the order of the file.

    In two steps, running sums and planes put together: a third of what imagecodecs' floatpred_decode takes.
    """
    height, width, samples = stored.shape
    rows = stored.view(np.uint8).reshape(height, width * dtype.itemsize, samples)
    summed: npt.NDArray[np.uint8] = np.asarray(imagecodecs.delta_decode(rows, axis=1))
    planes = summed.reshape(height, dtype.itemsize, width * samples)
    together: npt.NDArray[np.unsignedinteger] = planes[:, 0].astype(f"u{dtype.itemsize}")
    for significance in range(1, dtype.itemsize):
        together <<= 8
        together |= planes[:, significance]
    return together.view(dtype).reshape(stored.shape)


def _jpeg(raw: bytes | memoryview, level: Level, shape: tuple[int, int, int]) -> Bands:
    color = None if shape[2] == 1 else "RGB"
    pixels: Bands = imagecodecs.jpeg8_decode(
        raw,
        tables=level.jpeg_tables or None,
        colorspace="YCBCR" if level.photometric == _YCBCR else color,
        outcolorspace=color,
    )
    if pixels.size != np.prod(shape):
        raise ValueError(f"a JPEG of {pixels.shape} instead of {shape}")
    return pixels.reshape(shape)


def _mask(raw: bytes | memoryview, level: Level) -> npt.NDArray[np.bool_]:
    """GDAL writes masks with one bit per pixel."""
    size = level.block_height * level.block_width // 8
    bits = np.frombuffer(_unpacked(raw, level.compression, size=size), np.uint8)
    return np.unpackbits(bits).view(np.bool_).reshape(1, level.block_height, level.block_width)
