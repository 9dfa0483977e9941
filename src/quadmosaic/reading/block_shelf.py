"""Decoded blocks: each fetched and decoded once, however many images ask for it, and kept as long as there is room."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from quadmosaic.domain.flights import Flight, Flights
from quadmosaic.domain.trace import Step, Tally, current_trace, timed
from quadmosaic.reading.access import Place
from quadmosaic.reading.blocks import Block
from quadmosaic.reading.byte_cache import ByteCache
from quadmosaic.reading.decode import decode_block
from quadmosaic.reading.fetch import Gates, Request, fetch, requests_for
from quadmosaic.reading.numbers import Bands
from quadmosaic.reading.plan import Plan

ENTRY_BYTES = 1024
"""What a block costs beside its pixels: its key, its array, its place in the tables; about half of it was measured."""

type Decoded = Mapping[Block, Bands]
type BlockKey = tuple[str, str, Block]
"""href, ETag and block."""


def _flights() -> "Flights[Decoded]":
    return Flights(stop_abandoned=True)


@dataclass(frozen=True, kw_only=True)
class BlockShelf:
    """Blocks by file; a request that all have given up on is stopped.

    `coming` says with which request a block comes.
    """

    kept: ByteCache[BlockKey, Bands]
    workers: Executor
    tally: Tally
    coming: dict[BlockKey, Request[Block]] = field(default_factory=dict)
    flights: Flights[Decoded] = field(default_factory=_flights)

    async def get(self, plan: Plan, place: Place, gates: Gates) -> dict[Block, Bands]:
        """All blocks of a plan but the sparse ones. Raises Undecodable, and as `fetch` does."""
        href, etag = place.href, plan.header.etag or ""
        found: dict[Block, Bands] = {}
        missing, shared = [], dict[Request[Block], list[Block]]()
        for block in plan.blocks:
            if block.start == block.stop:
                continue
            key = (href, etag, block)
            if (pixels := self.kept.get(key)) is not None:
                found[block] = pixels
            elif (request := self.coming.get(key)) is not None and (href, etag, request) in self.flights:
                shared.setdefault(request, []).append(block)
            else:
                missing.append(block)
        self._count(cached=len(found), shared=sum(map(len, shared.values())))
        own = [self._board(plan, place, gates, request) for request in requests_for(missing)]
        others = [self._board(plan, place, gates, request) for request in shared]
        try:
            for blocks in await _landed(own):
                found |= blocks
            if others:
                with current_trace().timing(Step.WAIT):
                    landed = await _landed(others)
                for blocks, wanted in zip(landed, shared.values(), strict=True):
                    found |= {block: blocks[block] for block in wanted}
        finally:
            for flight in (*own, *others):
                self.flights.leave(flight)
        return found

    def _board(self, plan: Plan, place: Place, gates: Gates, request: Request[Block]) -> Flight[Decoded]:
        href, etag = place.href, plan.header.etag or ""
        flight = self.flights.board((href, etag, request), lambda: self._load(plan, place, gates, request))
        keys = [(href, etag, block) for block in request.spans]
        self.coming.update(dict.fromkeys(keys, request))
        flight.task.add_done_callback(lambda _: self._arrived(keys, request))
        return flight

    async def _load(self, plan: Plan, place: Place, gates: Gates, request: Request[Block]) -> Decoded:
        raw = await fetch(place, plan.header.etag, request.start, request.stop, gates=gates, total=self.tally)
        loop = asyncio.get_running_loop()
        decoded, seconds = await loop.run_in_executor(self.workers, timed, _decode, plan, request, raw)
        for block, pixels in decoded.items():
            key = (place.href, plan.header.etag or "", block)
            self.kept.put(key, pixels, weight=pixels.nbytes + ENTRY_BYTES)
        trace = current_trace()
        trace.add(Step.DECODE, seconds)
        for tally in (self.tally, trace.tally):
            tally.blocks += len(decoded)
        return decoded

    def _arrived(self, keys: Iterable[BlockKey], request: Request[Block]) -> None:
        for key in keys:
            if self.coming.get(key) is request:
                del self.coming[key]

    def _count(self, *, cached: int, shared: int) -> None:
        for tally in (self.tally, current_trace().tally):
            tally.cached_blocks += cached
            tally.shared_blocks += shared


async def _landed(flights: Sequence[Flight[Decoded]]) -> list[Decoded]:
    """What they brought, or the first fault; cancelling this stops none of them."""
    if flights:
        await asyncio.wait([flight.task for flight in flights], return_when=asyncio.FIRST_EXCEPTION)
    for flight in flights:
        if flight.task.done():
            flight.task.result()
    return [flight.task.result() for flight in flights]


def _decode(plan: Plan, request: Request[Block], raw: memoryview) -> Decoded:
    """The blocks of a request."""
    dtype = np.dtype(plan.header.dtype)
    return {
        block: decode_block(request.part(raw, block), plan.tables.levels[block.level], plan.tables, dtype)
        for block in request.spans
    }
