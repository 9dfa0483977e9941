"""The planner: plans reads in threads of its own, tiles in one and large images in another."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import timed
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.byte_cache import ByteCache
from quadmosaic.reading.planning import CoordinateShelf, Planned, covered_by_better, plan_all

LARGE = 1 << 19
"""Pixels of a GeoBox: more than tiles have, buffers included. Larger ones have a thread to themselves, as one of them
takes as long as a hundred tiles.
"""

BATCH_PIXELS = 1 << 20
"""Pixels, over all granules, that are planned at once before another image has its turn."""

TILE_BYTES = 24 << 20
LARGE_BYTES = 72 << 20
"""Coordinates that are kept: some dozen tiles between turned projections, and one image of 2048 x 2048."""


class Lane:
    """One thread: every thread needs transformers of its own. Its coordinates are for no other."""

    def __init__(self, name: str, *, capacity: int) -> None:
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self.kept: CoordinateShelf = ByteCache(capacity=capacity)


class Planner:
    """Plans are pure, but take the processor; those of tiles do not wait for those of large images."""

    def __init__(self) -> None:
        self._tiles, self._large = Lane("plan", capacity=TILE_BYTES), Lane("plan-large", capacity=LARGE_BYTES)

    async def plan(
        self, headers: Sequence[Header], geobox: GeoBox, options: ReadOptions
    ) -> tuple[list[Planned], float]:
        """What is planned for each header, and the seconds that it took; cancelling this stops it."""
        lane = self._large if is_large(geobox) else self._tiles
        stopped = Event()
        work = partial(plan_all, headers, geobox, options, kept=lane.kept, wanted=lambda: not stopped.is_set())
        try:
            return await asyncio.get_running_loop().run_in_executor(lane.thread, timed, work)
        finally:
            stopped.set()

    async def covered_by_better(self, granules: Sequence[Granule], geobox: GeoBox) -> set[int]:
        """As in `planning`; it looks at a few points only, however large the GeoBox is."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._tiles.thread, covered_by_better, granules, geobox)

    def close(self) -> None:
        """Give the threads back."""
        for lane in (self._tiles, self._large):
            lane.thread.shutdown(wait=False, cancel_futures=True)


def is_large(geobox: GeoBox) -> bool:
    """Whether work on all pixels of a GeoBox takes long enough to hold others up."""
    return geobox.width * geobox.height > LARGE


def batch_size(geobox: GeoBox) -> int:
    """Granules to plan at once."""
    return max(1, BATCH_PIXELS // (geobox.width * geobox.height))
