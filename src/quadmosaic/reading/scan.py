"""Scanning: the header record of a file, without its pixels."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.granules import BlockTables, Header, LevelKind
from quadmosaic.reading.access import Place
from quadmosaic.reading.block_tables import read_block_tables
from quadmosaic.reading.faults import Replaced, Unfit, Unreadable
from quadmosaic.reading.fetch import CHANGED
from quadmosaic.reading.gdal_faults import READ_ERRORS, reading_fault
from quadmosaic.reading.held_start import HeldStart
from quadmosaic.reading.identity import identity
from quadmosaic.reading.opening import Source, environment, opened
from quadmosaic.reading.remote_file import NAME, RemoteFile, checked
from quadmosaic.reading.support import obstacle
from quadmosaic.reading.warp import palette_of, usable_crs

MAX_PREFIX = 32 * 1024
"""Bytes of a header that are worth a place in the index."""


async def scan_place(place: Place, pool: Executor, file: RemoteFile | None) -> Header:
    """The header of what lies at a place, read through `file` where that is remote.

    Raises Unavailable when the file is out of reach, Invalid (field "href") when it is no usable raster.
    """
    try:
        found, etag, size = await _looked_at(place, pool, file)
    except Unreadable as fault:
        raise fault.error from fault
    except (Replaced, Unfit) as error:
        raise Unavailable(CHANGED) from error
    tables = await read_block_tables(*((place.store, place.key) if file is None else (HeldStart(file), NAME)))
    blocks = tables if tables is not None and found.is_held_by(tables) else None
    header = replace(found.header, etag=etag, size=size, blocks=blocks)
    return header if file is None or blocks is None else replace(header, prefix=_prefix(header, blocks, file))


async def _looked_at(
    place: Place, pool: Executor, file: RemoteFile | None
) -> tuple["_Profile", str | None, int | None]:
    """What GDAL says of the file, its ETag and its size."""
    loop = asyncio.get_running_loop()
    if file is not None:
        return await loop.run_in_executor(pool, checked, file, _profile), file.etag, file.length()
    etag, size = await identity(place)
    return await loop.run_in_executor(pool, _profile, place), etag, size


def _prefix(header: Header, tables: BlockTables, file: RemoteFile) -> bytes:
    """The bytes before the first block, for a raster that GDAL will have to open each time."""
    if obstacle(header) is None:
        return b""
    starts = [level.block_offsets[level.block_byte_counts > 0] for level in tables.levels]
    first = min((int(found.min()) for found in starts if found.size), default=0)
    return file.prefix[:first] if first <= min(MAX_PREFIX, len(file.prefix)) else b""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Profile:
    """What GDAL says of a file: a header without blocks, how many overviews it sees, and whether it sees a mask."""

    header: Header
    overviews: int
    masked: bool

    def is_held_by(self, tables: BlockTables) -> bool:
        """Whether the tables hold every overview and mask: those in files beside the TIFF are not in them."""
        images = [level for level in tables.levels if level.kind is LevelKind.IMAGE]
        masks = [level for level in tables.levels if level.kind is LevelKind.MASK]
        same_size = (images[0].width, images[0].height) == (self.header.width, self.header.height)
        return same_size and len(images) == self.overviews + 1 and bool(masks) == self.masked


def _profile(source: Source) -> _Profile:
    with environment(source), opened(source) as dataset:
        crs = usable_crs(dataset)
        try:
            return _Profile(
                header=_header(dataset, crs),
                overviews=len(dataset.overviews(1)),
                masked=MaskFlags.per_dataset in dataset.mask_flag_enums[0]
                and ColorInterp.alpha not in dataset.colorinterp,
            )
        except READ_ERRORS as error:
            raise reading_fault(error, source.href) from error


def _header(dataset: DatasetReader, crs: str) -> Header:
    a, b, c, d, e, f = dataset.transform[:6]
    return Header(
        width=dataset.width,
        height=dataset.height,
        dtype=dataset.dtypes[0],
        count=dataset.count,
        nodata=dataset.nodata,
        crs=crs,
        transform=(a, b, c, d, e, f),
        scales=tuple(dataset.scales),
        offsets=tuple(dataset.offsets),
        descriptions=tuple(text or "" for text in dataset.descriptions),
        colorinterp=tuple(color.name for color in dataset.colorinterp),
        palette=palette_of(dataset, 1),
    )
