"""Reading one granule: planned, fetched, decoded and drawn, or left to the fallback where that is not possible."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import numpy as np

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.ports import GranuleReader, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.access import Places
from quadmosaic.reading.blocks import Block
from quadmosaic.reading.byte_cache import ByteCache
from quadmosaic.reading.decode import Undecodable, decode_block
from quadmosaic.reading.draw import draw
from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.fetch import Replaced, Unfit, fetch, requests_for
from quadmosaic.reading.header_shelf import HeaderShelf
from quadmosaic.reading.numbers import Bands
from quadmosaic.reading.pictures import Picture
from quadmosaic.reading.plan import Plan
from quadmosaic.reading.planning import Planned, plan_all
from quadmosaic.reading.tally import Tally

type BlockKey = tuple[str, str, Block]
"""href, ETag and block."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What all reads share. Plans are made by one thread, since every thread needs transformers of its own.

    `replaced` holds the hrefs whose files are no longer those of their header records.
    """

    fallback: GranuleReader
    places: Places
    headers: HeaderShelf
    blocks: ByteCache[BlockKey, Bands]
    planner: Executor
    workers: Executor
    tally: Tally = field(default_factory=Tally)
    replaced: set[str] = field(default_factory=set)

    def known_header(self, href: str, given: Header | None) -> Header | None:
        """The header record that holds for an href as far as is known without reading."""
        return given if given is not None and href not in self.replaced else self.headers.kept(href)


@dataclass(frozen=True, kw_only=True)
class RasterRead:
    """The reads of one image; `slots` bounds its requests."""

    engine: Engine
    geobox: GeoBox
    options: ReadOptions
    slots: asyncio.Semaphore

    async def plan(self, headers: list[Header]) -> list[Planned]:
        """Plans for headers that are known, in one go."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.engine.planner, plan_all, headers, self.geobox, self.options)

    async def read(self, granule: Granule, planned: Planned | None) -> Layer | ReadFailure:
        """A layer, or why there is none. Raises Invalid (field "bidx")."""
        href = granule.hrefs.get(self.options.asset)
        if href is None:
            return ReadFailure(granule, f"it has no asset {self.options.asset!r}")
        if planned is None:
            header = await self.engine.headers.get(href)
            planned = "no header" if header is None else (await self.plan([header]))[0]
        if isinstance(planned, Invalid):
            raise planned
        if isinstance(planned, Unreadable):
            return ReadFailure(granule, planned.reason)
        if isinstance(planned, str):
            return await self._slowly(granule, planned)
        try:
            return layer(granule, await self._fast(href, planned))
        except Unreadable as fault:
            return ReadFailure(granule, fault.reason)
        except Replaced:
            self.engine.replaced.add(href)
            self.engine.headers.forget(href)
            return await self._slowly(granule, "replaced file")
        except Unfit:
            return await self._slowly(granule, "no byte ranges")
        except Undecodable:
            return await self._slowly(granule, "damaged block")

    async def _fast(self, href: str, plan: Plan) -> Picture:
        engine, etag = self.engine, plan.header.etag or ""
        kept, missing = {}, []
        for block in plan.blocks:
            pixels = engine.blocks.get((href, etag, block))
            if pixels is None:
                missing.append(block)
            else:
                kept[block] = pixels
        raw = await self._fetch(href, etag, missing)
        loop = asyncio.get_running_loop()
        picture, fresh = await loop.run_in_executor(engine.workers, _decode_and_draw, plan, raw, kept)
        for block, pixels in fresh.items():
            engine.blocks.put((href, etag, block), pixels, weight=pixels.nbytes)
        engine.tally.fast += 1
        engine.tally.blocks += len(fresh)
        engine.tally.cached_blocks += len(kept)
        return picture

    async def _fetch(self, href: str, etag: str, blocks: list[Block]) -> Mapping[Block, memoryview]:
        requests = requests_for(blocks)
        if not requests:
            return {}
        place = self.engine.places.find(href)
        if place.store is None:
            raise Unfit
        raw = await fetch(place.store, place.key, etag, requests, places=self.slots)
        self.engine.tally.requests += len(requests)
        self.engine.tally.fetched_bytes += sum(request.stop - request.start for request in requests)
        return raw

    async def _slowly(self, granule: Granule, reason: str) -> Layer | ReadFailure:
        self.engine.tally.fallbacks[reason] += 1
        unhurried = replace(self.options, timeout_s=None)
        async with aclosing(self.engine.fallback.read([granule], self.geobox, unhurried)) as answers:
            return await anext(answers)


def layer(granule: Granule, picture: Picture) -> Layer:
    """A picture as the layer of its granule."""
    return Layer(
        granule=granule,
        bands=picture.bands,
        mask=picture.mask,
        band_names=picture.band_names,
        nodata=picture.nodata,
        palette=picture.palette,
    )


def _decode_and_draw(
    plan: Plan, raw: Mapping[Block, memoryview], kept: Mapping[Block, Bands]
) -> tuple[Picture, dict[Block, Bands]]:
    dtype = np.dtype(plan.header.dtype)
    fresh = {
        block: decode_block(held, plan.tables.levels[block.level], plan.tables, dtype) for block, held in raw.items()
    }
    return draw(plan, {**kept, **fresh}), fresh
