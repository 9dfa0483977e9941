"""A granule: one scene of a mosaic, with an href per asset key, its footprint and its header records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import shapely

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type JsonObject = dict[str, Json]
type Bounds = tuple[float, float, float, float]
"""minx, miny, maxx, maxy in a CRS that the name or the context says."""


class LevelKind(StrEnum):
    """What an image of a TIFF holds."""

    IMAGE = "image"
    MASK = "mask"


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One image of a TIFF (full resolution or overview, pixels or mask) and its block table.

    `offsets` and `byte_counts` are little-endian uint64 arrays, row by row, plane by plane; a count of 0 is a
    sparse block.
    """

    kind: LevelKind
    width: int
    height: int
    block_width: int
    block_height: int
    compression: int
    predictor: int
    photometric: int
    offsets: bytes
    byte_counts: bytes
    jpeg_tables: bytes = b""

    @property
    def block_offsets(self) -> npt.NDArray[np.uint64]:
        return np.frombuffer(self.offsets, dtype="<u8")

    @property
    def block_byte_counts(self) -> npt.NDArray[np.uint64]:
        return np.frombuffer(self.byte_counts, dtype="<u8")


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockTables:
    """All that is needed to fetch and decode the blocks of a tiled TIFF without its header.

    Levels run from full resolution to the coarsest; the masks follow the same order.
    """

    big_endian: bool
    planar: bool
    bits_per_sample: tuple[int, ...]
    sample_format: tuple[int, ...]
    extra_samples: tuple[int, ...]
    levels: tuple[Level, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """The header record of one asset: what any reader must know before it reads a pixel.

    `crs` is WKT; `transform` is (a, b, c, d, e, f) as in affine.Affine: x = a*col + b*row + c, y = d*col + e*row + f.
    `blocks` is None where the raster is not a tiled TIFF. `prefix` holds the file's first bytes, up to its pixels,
    where GDAL has to open it.
    """

    width: int
    height: int
    dtype: str
    count: int
    nodata: float | None
    crs: str
    transform: tuple[float, float, float, float, float, float]
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    descriptions: tuple[str, ...] = ()
    colorinterp: tuple[str, ...] = ()
    palette: dict[int, tuple[int, int, int, int]] | None = None
    etag: str | None = None
    size: int | None = None
    blocks: BlockTables | None = None
    prefix: bytes = b""

    @property
    def bands(self) -> int:
        """Bands that carry values: all but alpha."""
        return self.count - self.colorinterp.count("alpha")


@dataclass(frozen=True, kw_only=True, slots=True)
class Granule:
    """One scene. `footprint` is a normalised (Multi)Polygon in lon/lat degrees of the body, -180..180."""

    id: str
    hrefs: Mapping[str, str]
    footprint: shapely.Geometry
    properties: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Harvest:
    """A granule that a source gave, and what had to be changed to normalise its footprint.

    `headers` are by asset key, where the source had to read them.
    """

    granule: Granule
    normalised: tuple[str, ...] = ()
    headers: Mapping[str, Header] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A granule that cannot be part of the mosaic, and why."""

    granule_id: str
    reason: str
