"""The time by which the reads of one image must be over, and what is said of those that are not."""

import asyncio
from collections.abc import Collection
from typing import Any

from quadmosaic.domain.granules import Granule
from quadmosaic.ports import Layer, ReadFailure


class Deadline:
    """So many seconds from when it was made, by the event loop's clock; None is no deadline."""

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._at = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s

    @property
    def is_over(self) -> bool:
        return self._left_s == 0.0

    async def is_met_by(self, work: Collection[asyncio.Future[Any]]) -> bool:
        """Whether all of it comes to its end in time; what does not is not stopped."""
        _, late = await asyncio.wait(work, timeout=self._left_s) if work else ((), ())
        return not late

    async def outcome_of(self, read: asyncio.Future[Layer | ReadFailure], granule: Granule) -> Layer | ReadFailure:
        """What a read came to in time, or else that it did not, and it is stopped.

        A read that failed for a reason of the request raises it.
        """
        if await self.is_met_by({read}):
            return read.result()
        read.cancel()
        return self.missed_by(granule)

    def missed_by(self, granule: Granule) -> ReadFailure:
        """That a granule was not read in time."""
        return ReadFailure(granule, f"it was not read before the deadline of {self._timeout_s:g} s")

    @property
    def _left_s(self) -> float | None:
        return None if self._at is None else max(0.0, self._at - asyncio.get_running_loop().time())
