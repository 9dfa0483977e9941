"""What a read came to when its time was over."""

import asyncio

from quadmosaic.domain.granules import Granule
from quadmosaic.ports import Layer, ReadFailure


async def outcome_of(
    future: asyncio.Future[Layer | ReadFailure], granule: Granule, deadline: float | None, timeout_s: float | None
) -> Layer | ReadFailure:
    """What a read came to by the deadline; a read that failed for a reason of the request raises it.

    `deadline` is in seconds of the event loop's clock; a read that missed it is cancelled.
    """
    left = None if deadline is None else max(0.0, deadline - asyncio.get_running_loop().time())
    done, _ = await asyncio.wait({future}, timeout=left)
    if done:
        return future.result()
    future.cancel()
    return ReadFailure(granule, f"it was not read before the deadline of {timeout_s:g} s")
