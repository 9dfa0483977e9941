"""Fetching: the bytes of many blocks of one file, neighbours in one request, never from a file that was replaced."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from obstore import get_async
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from quadmosaic.reading.access import ObjectStore
from quadmosaic.reading.blocks import Block
from quadmosaic.reading.faults import Unreadable

GAP = 64 * 1024
"""Bytes between blocks that are sooner fetched than asked around: about what a round trip's time carries."""

MAX_REQUEST = 8 << 20
"""Bytes of one request; a longer row of blocks is fetched by several at once."""

_BEYOND = re.compile(r"status 416|range starting at|object was only", re.IGNORECASE)


class Replaced(Exception):
    """The file is not the one that the header record was read from."""


class Unfit(Exception):
    """A server that does not give byte ranges."""


@dataclass(frozen=True, slots=True)
class Request:
    """A range of bytes, and the blocks that are in it."""

    start: int
    stop: int
    blocks: tuple[Block, ...]


def requests_for(blocks: Iterable[Block]) -> list[Request]:
    """The fewest requests that fetch these blocks without much between them; sparse blocks need none."""
    requests: list[Request] = []
    for block in sorted((block for block in blocks if block.stop > block.start), key=lambda block: block.start):
        last = requests[-1] if requests else None
        if last is not None and block.start <= last.stop + GAP and block.stop - last.start <= MAX_REQUEST:
            requests[-1] = Request(last.start, max(last.stop, block.stop), (*last.blocks, block))
        else:
            requests.append(Request(block.start, block.stop, (block,)))
    return requests


async def fetch(
    store: ObjectStore, key: str, etag: str, requests: Sequence[Request], *, places: asyncio.Semaphore
) -> Mapping[Block, memoryview]:
    """The bytes of every block; one request at a time holds one of the `places`.

    Raises Replaced, Unfit, or Unreadable where the file is out of reach. Cancelling stops the requests.
    """
    if len(requests) == 1:
        return await _fetch(store, key, etag, requests[0], places)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_fetch(store, key, etag, request, places)) for request in requests]
    except* (Replaced, Unfit, Unreadable) as faults:
        raise _first(faults) from faults
    return {block: raw for task in tasks for block, raw in task.result().items()}


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    fault = group.exceptions[0]
    return _first(fault) if isinstance(fault, BaseExceptionGroup) else fault


async def _fetch(
    store: ObjectStore, key: str, etag: str, request: Request, places: asyncio.Semaphore
) -> dict[Block, memoryview]:
    async with places:
        raw = await _get(store, key, etag, request)
    if len(raw) != request.stop - request.start:
        raise Replaced
    return {block: raw[block.start - request.start : block.stop - request.start] for block in request.blocks}


async def _get(store: ObjectStore, key: str, etag: str, request: Request) -> memoryview:
    # A weak ETag never matches in If-Match; what comes back is compared in any case, as not every server looks.
    condition = None if etag.startswith("W/") else etag
    try:
        result = await get_async(store, key, options={"range": (request.start, request.stop), "if_match": condition})
        if result.meta["e_tag"] != etag:
            raise Replaced
        return memoryview(await result.bytes_async())
    except PreconditionError as error:
        raise Replaced from error
    except NotSupportedError as error:
        raise Unfit from error
    except (NotFoundError, FileNotFoundError) as error:
        raise Unreadable("the file does not exist", passing=True) from error
    except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
        raise Unreadable("the file may not be read", passing=True) from error
    except BaseError as error:
        if _BEYOND.search(str(error)):
            raise Replaced from error
        raise Unreadable("the file is out of reach", passing=True) from error
