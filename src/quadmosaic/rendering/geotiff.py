"""GeoTIFF for tiles: strips packed by libdeflate, with the keys of the CRS as GDAL writes them."""

import struct
from functools import lru_cache

import imagecodecs
import numpy as np
import numpy.typing as npt

type Bands = npt.NDArray[np.generic]
type Flags = npt.NDArray[np.bool_]
type Numbers = tuple[int, ...] | tuple[float, ...] | bytes

_STRIP_BYTES = 1 << 20
_GEO_KEYS = frozenset({34735, 34736, 34737})
_ASCII, _SHORT, _LONG, _DOUBLE = 2, 3, 4, 12
_CODES = {_SHORT: "H", _LONG: "I", _DOUBLE: "d"}
_SIZES = {_ASCII: 1, _SHORT: 2, _LONG: 4, _DOUBLE: 8}
_MINISBLACK, _RGB, _MASK = 1, 2, 4
_DEFLATE, _HORIZONTAL, _FLOATING = 8, 2, 3
_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}

type Tags = dict[int, tuple[int, Numbers]]
"""By number: type and values."""


def encode_geotiff(
    bands: Bands, *, crs: str, bounds: tuple[float, float, float, float], nodata: float | None, mask: Flags | None
) -> bytes:
    """Bands (band, height, width) over `bounds` (left, bottom, right, top) of a CRS; `mask` is True where valid."""
    count, height, width = bands.shape
    left, bottom, right, top = bounds
    dtype = bands.dtype.newbyteorder("<")
    predictor = _predictor(dtype)
    rows = max(1, min(height, _STRIP_BYTES // (width * dtype.itemsize)))
    strips = [
        _packed(_predicted(band[start : start + rows].astype(dtype, copy=False), predictor))
        for band in bands
        for start in range(0, height, rows)
    ]
    tags = _tags(width, height, rows, bits=8 * dtype.itemsize, samples=count)
    tags |= {
        262: (_SHORT, (_RGB if count == 3 and dtype == np.uint8 else _MINISBLACK,)),
        284: (_SHORT, (2 if count > 1 else 1,)),
        317: (_SHORT, (predictor,)),
        339: (_SHORT, (_SAMPLE_FORMATS[dtype.kind],) * count),
        33550: (_DOUBLE, ((right - left) / width, (top - bottom) / height, 0.0)),
        33922: (_DOUBLE, (0.0, 0.0, 0.0, left, top, 0.0)),
        **_geo_keys(crs),
    }
    extra = count - 1 if tags[262] == (_SHORT, (_MINISBLACK,)) else 0
    if extra:
        tags[338] = (_SHORT, (0,) * extra)
    if nodata is not None:
        tags[42113] = (_ASCII, _number_text(nodata, dtype).encode() + b"\0")
    images = [(tags, strips)]
    if mask is not None:
        images.append(
            (
                _tags(width, height, height, bits=1, samples=1) | {254: (_LONG, (4,)), 262: (_SHORT, (_MASK,))},
                [_packed(np.packbits(mask, axis=1))],
            )
        )
    return _file(images)


def _tags(width: int, height: int, rows: int, *, bits: int, samples: int) -> Tags:
    return {
        256: (_LONG, (width,)),
        257: (_LONG, (height,)),
        258: (_SHORT, (bits,) * samples),
        259: (_SHORT, (_DEFLATE,)),
        277: (_SHORT, (samples,)),
        278: (_LONG, (rows,)),
    }


def _predictor(dtype: np.dtype[np.generic]) -> int:
    """Those that every reader has: older ones lack integers of 64 and floats of 16 bits."""
    if dtype.kind == "f":
        return 1 if dtype.itemsize == 2 else _FLOATING
    return 1 if dtype.itemsize == 8 else _HORIZONTAL


def _predicted(rows: Bands, predictor: int) -> Bands:
    if predictor == _FLOATING:
        floats: Bands = imagecodecs.floatpred_encode(np.ascontiguousarray(rows)[..., None], axis=-2)
        return floats
    if predictor == _HORIZONTAL:
        integers: Bands = imagecodecs.delta_encode(np.ascontiguousarray(rows).view(f"u{rows.itemsize}"), axis=-1)
        return integers
    return np.ascontiguousarray(rows)


def _packed(pixels: Bands) -> bytes:
    return bytes(imagecodecs.deflate_encode(pixels, level=1, raw=False))


def _number_text(value: float, dtype: np.dtype[np.generic]) -> str:
    return repr(float(value)) if dtype.kind == "f" else str(int(value))


@lru_cache(maxsize=256)
def _geo_keys(crs: str) -> Tags:
    """The tags that say the CRS, as GDAL writes them."""
    from rasterio.crs import CRS
    from rasterio.io import MemoryFile
    from rasterio.transform import from_origin

    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": 1, "width": 1}
    with MemoryFile() as memory:
        with memory.open(**profile, crs=CRS.from_user_input(crs), transform=from_origin(0, 0, 2, 2)):
            pass
        content = bytes(memory.read())
    return {number: tag for number, tag in _read_tags(content).items() if number in _GEO_KEYS}


def _read_tags(content: bytes) -> Tags:
    """Tags of the first directory of a little-endian TIFF."""
    (directory,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, directory)
    tags: Tags = {}
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        number, kind, length = struct.unpack_from("<HHI", content, at)
        if number in _GEO_KEYS:
            size = length * _SIZES[kind]
            start = at + 8 if size <= 4 else struct.unpack_from("<I", content, at + 8)[0]
            values = content[start : start + size]
            tags[number] = (kind, values if kind == _ASCII else struct.unpack(f"<{length}{_CODES[kind]}", values))
    return tags


def _file(images: list[tuple[Tags, list[bytes]]]) -> bytes:
    """A TIFF: all strips, then the directories."""
    parts, position = [], 8
    directories = []
    for tags, strips in images:
        offsets = []
        for strip in strips:
            offsets.append(position)
            parts += [strip, b"\0" * (len(strip) % 2)]
            position += len(strip) + len(strip) % 2
        lengths = tuple(len(strip) for strip in strips)
        directories.append({**tags, 273: (_LONG, tuple(offsets)), 279: (_LONG, lengths)})
    header = b"II*\0" + struct.pack("<I", position)
    for number, tags in enumerate(directories, start=1):
        part = _directory(tags, position, is_last=number == len(directories))
        parts.append(part)
        position += len(part)
    return header + b"".join(parts)


def _directory(tags: Tags, position: int, *, is_last: bool) -> bytes:
    """A directory at `position` with its longer values behind it, and behind those the next directory."""
    behind = position + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for number, (kind, numbers) in sorted(tags.items()):
        packed = numbers if isinstance(numbers, bytes) else struct.pack(f"<{len(numbers)}{_CODES[kind]}", *numbers)
        entries += struct.pack("<HHI", number, kind, len(numbers))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack("<I", behind + len(values))
            values += packed + b"\0" * (len(packed) % 2)
    following = 0 if is_last else behind + len(values)
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + values
