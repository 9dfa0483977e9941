"""Fetching: byte ranges of one file, neighbours in one request, never from a file that was replaced."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from obstore import get_async
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from quadmosaic.domain.trace import Step, Tally, current_trace
from quadmosaic.reading.access import Place
from quadmosaic.reading.faults import Unreadable

if TYPE_CHECKING:
    from obstore import GetOptions

GAP = 64 * 1024
"""Bytes between spans that are sooner fetched than asked around: about what a round trip's time carries."""

MAX_REQUEST = 8 << 20
"""Bytes of one request; a longer row of spans is fetched by several at once."""

CHANGED = "the file changed while it was read"
_BEYOND = re.compile(r"status (code: )?416|range was invalid|range starting at|object was only", re.IGNORECASE)


type Gates = tuple[asyncio.Semaphore, asyncio.Semaphore]
"""What bounds the requests of one image, and those to one bucket or host."""


class Replaced(Exception):
    """The file is not the one that the header record was read from."""


class Unfit(Exception):
    """A server that does not give byte ranges."""


class Span(Protocol):
    """Bytes that someone wants."""

    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Request[S: Span]:
    """A range of bytes, and the spans that are in it."""

    start: int
    stop: int
    spans: tuple[S, ...]

    def part(self, raw: memoryview, span: S) -> memoryview:
        """The span's own bytes of those that came."""
        return raw[span.start - self.start : span.stop - self.start]


def requests_for[S: Span](spans: Iterable[S]) -> list[Request[S]]:
    """The fewest requests that fetch these spans without much between them; empty ones need none."""
    requests: list[Request[S]] = []
    for span in sorted((span for span in spans if span.stop > span.start), key=lambda span: span.start):
        last = requests[-1] if requests else None
        if last is not None and span.start <= last.stop + GAP and span.stop - last.start <= MAX_REQUEST:
            requests[-1] = Request(last.start, max(last.stop, span.stop), (*last.spans, span))
        else:
            requests.append(Request(span.start, span.stop, (span,)))
    return requests


async def fetch(place: Place, etag: str | None, start: int, stop: int, *, gates: Gates, total: Tally) -> memoryview:
    """The bytes of a range of the file with that ETag (None: of whatever file is there), once both gates let it in.

    Raises Replaced, Unfit, or Unreadable where the file is out of reach. Cancelling stops the request.
    """
    found = await _counted(place, etag, start, stop, gates, total)
    if len(found.raw) != stop - start:
        raise Replaced
    return found.raw


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Bytes of a file, and what the reply says of the file."""

    raw: memoryview
    etag: str | None
    size: int


async def begin(place: Place, length: int, *, gates: Gates, total: Tally) -> Found:
    """The first bytes of a file, `length` or all there are. Raises Unfit or Unreadable."""
    try:
        return await _counted(place, None, 0, length, gates, total)
    except Replaced as error:
        raise Unreadable("the file is empty") from error


async def _counted(place: Place, etag: str | None, start: int, stop: int, gates: Gates, total: Tally) -> Found:
    trace = current_trace()
    async with gates[0], gates[1]:
        with trace.timing(Step.FETCH):
            found = await _get(place, etag, start, stop)
    for tally in (total, trace.tally):
        tally.requests += 1
        tally.fetched_bytes += len(found.raw)
    return found


async def _get(place: Place, etag: str | None, start: int, stop: int) -> Found:
    if place.store is None:
        raise Unfit
    # A weak ETag never matches in If-Match; what comes back is compared in any case, as not every server looks.
    options: GetOptions = {"range": (start, stop)}
    if etag is not None and not etag.startswith("W/"):
        options["if_match"] = etag
    try:
        result = await get_async(place.store, place.key, options=options)
        meta = result.meta
        if etag is not None and meta["e_tag"] != etag:
            raise Replaced
        return Found(raw=memoryview(await result.bytes_async()), etag=meta["e_tag"], size=meta["size"])
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
