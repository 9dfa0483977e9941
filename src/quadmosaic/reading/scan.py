"""Scanning: the header record of a file, without its pixels."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import obstore
import rasterio
import rasterio.session
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.granules import BlockTables, Header, LevelKind, Refusal
from quadmosaic.ports import GranuleReader
from quadmosaic.reading.access import Place
from quadmosaic.reading.block_tables import read_block_tables
from quadmosaic.reading.faults import READ_ERRORS, Unreadable, reading_fault
from quadmosaic.reading.warp import opened, palette_of, usable_crs


async def scan_place(place: Place, pool: Executor) -> Header:
    """Raises Unavailable when the file is out of reach, Invalid (field "href") when it is no usable raster."""
    etag, size = await identity(place)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.run_in_executor(pool, _profile, place)
    except Unreadable as fault:
        if fault.passing:
            raise Unavailable(fault.reason) from fault
        raise Invalid(fault.reason, field="href") from fault
    tables = None if place.store is None else await read_block_tables(place.store, place.key)
    blocks = tables if tables is not None and found.is_held_by(tables) else None
    return replace(found.header, etag=etag, size=size, blocks=blocks)


async def scan_all(
    reader: GranuleReader, hrefs: Iterable[str], *, limit: int = 16
) -> AsyncIterator[tuple[str, Header | Refusal]]:
    """Headers in the order of `hrefs`, `limit` at a time; a file that cannot be scanned becomes a Refusal.

    A Refusal's granule id is the href.
    """
    places = asyncio.Semaphore(limit)

    async def scanned(href: str) -> Header | Refusal:
        async with places:
            try:
                return await reader.scan(href)
            except (Invalid, Unavailable) as error:
                return Refusal(href, error.message)

    tasks = [(href, asyncio.create_task(scanned(href))) for href in hrefs]
    try:
        for href, task in tasks:
            yield href, await task
    finally:
        for _, task in tasks:
            task.cancel()


async def identity(place: Place) -> tuple[str | None, int | None]:
    """ETag and size, where the place tells them."""
    if place.store is None:
        return None, None
    try:
        meta = await obstore.head_async(place.store, place.key)
    except (NotFoundError, FileNotFoundError) as error:
        raise Unavailable("the file does not exist") from error
    except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
        raise Unavailable("the file may not be read") from error
    except BaseError as error:
        if place.href.startswith("http"):
            return None, None
        raise Unavailable("the file is out of reach") from error
    return meta["e_tag"], meta["size"]


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


def _profile(place: Place) -> _Profile:
    with rasterio.Env(session=rasterio.session.DummySession(), **place.gdal), opened(place) as dataset:
        crs = usable_crs(dataset)
        try:
            return _Profile(
                header=_header(dataset, crs),
                overviews=len(dataset.overviews(1)),
                masked=MaskFlags.per_dataset in dataset.mask_flag_enums[0]
                and ColorInterp.alpha not in dataset.colorinterp,
            )
        except READ_ERRORS as error:
            raise reading_fault(error, place.href) from error


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
