"""Reading one granule: planned, fetched, decoded and drawn, or left to the fallback where that is not possible."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, replace

import numpy as np

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import Step, Tally, Trace, timed
from quadmosaic.ports import NO_HEADERS, GranuleReader, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.access import Places
from quadmosaic.reading.block_shelf import BlockShelf
from quadmosaic.reading.budget import Budget
from quadmosaic.reading.decode import Undecodable
from quadmosaic.reading.draw import draw
from quadmosaic.reading.faults import Replaced, Unfit, Unreadable
from quadmosaic.reading.gates import HostGates
from quadmosaic.reading.header_shelf import HeaderShelf
from quadmosaic.reading.levels import MAX_WINDOW_BYTES
from quadmosaic.reading.pictures import Picture, layer_of
from quadmosaic.reading.plan import HUGE, Plan
from quadmosaic.reading.planner import Planner
from quadmosaic.reading.planning import Planned
from quadmosaic.reading.stale import Stale


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What all reads share; `stale` are the header records that no longer hold."""

    fallback: GranuleReader
    places: Places
    hosts: HostGates
    headers: HeaderShelf
    blocks: BlockShelf
    planner: Planner
    workers: Executor
    tally: Tally
    stale: Stale

    def known_header(self, href: str, given: Header | None) -> Header | None:
        """The header record that holds for an href as far as is known without reading."""
        return given if given is not None and (href, given.etag) not in self.stale else self.headers.kept(href)

    def mark_stale(self, href: str, etag: str | None) -> None:
        """Have the file scanned before it is read again."""
        self.stale.add(href, etag)
        self.headers.forget(href)


@dataclass(frozen=True, kw_only=True)
class RasterRead:
    """The reads of one image; `slots` bounds its requests, `room` its memory, `trace` is that of its caller."""

    engine: Engine
    geobox: GeoBox
    options: ReadOptions
    slots: asyncio.Semaphore
    room: Budget
    trace: Trace

    async def plan(self, headers: Sequence[Header]) -> list[Planned]:
        """Plans for headers that are known, in one go."""
        plans, seconds = await self.engine.planner.plan(headers, self.geobox, self.options)
        self.trace.add(Step.PLAN, seconds)
        return plans

    async def read(self, granule: Granule, header: Header | None, planned: Planned | None) -> Layer | ReadFailure:
        """A layer, or why there is none; `header` is what `planned` is for. Raises Invalid (field "bidx")."""
        href = granule.hrefs.get(self.options.asset)
        if href is None:
            return ReadFailure(granule, f"it has no asset {self.options.asset!r}")
        if planned is None:
            header, planned = await self._scanned(href)
        if isinstance(planned, Invalid):
            raise planned
        if isinstance(planned, Unreadable):
            return ReadFailure(granule, planned.reason)
        if isinstance(planned, str):
            return await self._slowly(granule, planned, header)
        try:
            return layer_of(granule, await self._fast(href, planned))
        except Unreadable as fault:
            return ReadFailure(granule, fault.reason)
        except Replaced:
            self.engine.mark_stale(href, planned.header.etag)
            return await self._slowly(granule, "replaced file", None)
        except Unfit:
            return await self._slowly(granule, "no byte ranges", None)
        except Undecodable:
            return await self._slowly(granule, "damaged block", header)

    def covered(self, granule: Granule, plan: Plan) -> Layer:
        """The layer of a granule that need not be read: one empty pixel, as often as the GeoBox has pixels."""
        for tally in self._tallies:
            tally.covered += 1
        pixel = replace(self.geobox, width=1, height=1)
        picture = draw(replace(plan, geobox=pixel, inside=np.zeros((1, 1), np.bool_), parts=()), {})
        shape = self.geobox.height, self.geobox.width
        bands = np.broadcast_to(picture.bands, (len(picture.bands), *shape))
        valid = np.broadcast_to(picture.valid, (len(picture.valid), *shape))
        return layer_of(granule, replace(picture, bands=bands, valid=valid))

    def count_failure(self) -> None:
        """Note a granule that was not read."""
        for tally in self._tallies:
            tally.failed += 1

    async def _scanned(self, href: str) -> tuple[Header | None, Planned]:
        """The header of a file that no index has it of, and the plan."""
        for tally in self._tallies:
            tally.scanned += 1
        with self.trace.timing(Step.LOOKUP):
            header = await self.engine.headers.get(href)
        return header, ("no header" if header is None else (await self.plan([header]))[0])

    async def _fast(self, href: str, plan: Plan) -> Picture:
        engine = self.engine
        place = engine.places.find(href)
        async with self.room.holding(plan.source_bytes):
            blocks = await engine.blocks.get(plan, place, (self.slots, engine.hosts.enter(place)))
            loop = asyncio.get_running_loop()
            picture, seconds = await loop.run_in_executor(engine.workers, timed, draw, plan, blocks)
            del blocks
        self.trace.add(Step.RESAMPLE, seconds)
        for tally in self._tallies:
            tally.fast += 1
        return picture

    async def _slowly(self, granule: Granule, reason: str, header: Header | None) -> Layer | ReadFailure:
        """What the fallback makes of it, which `header` may spare a request."""
        for tally in self._tallies:
            tally.fallbacks[reason] += 1
        unhurried = replace(self.options, timeout_s=None)
        headers = NO_HEADERS if header is None else {granule.id: header}
        reading = self.engine.fallback.read([granule], self.geobox, unhurried, headers=headers)
        room = self.room.holding(MAX_WINDOW_BYTES) if reason == HUGE else nullcontext()
        record = granule.hrefs[self.options.asset], None if header is None else header.etag
        was_stale = record in self.engine.stale
        with self.trace.timing(Step.FALLBACK):
            async with room, aclosing(reading) as answers:
                answer = await anext(answers)
        if not was_stale and record in self.engine.stale:
            self.engine.mark_stale(*record)
        return answer

    @property
    def _tallies(self) -> tuple[Tally, Tally]:
        return self.engine.tally, self.trace.tally
