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
from quadmosaic.reading.access import ObjectStore, Place
from quadmosaic.reading.faults import Replaced, Unfit, Unreadable
from quadmosaic.reading.http_hosts import HttpFile

if TYPE_CHECKING:
    from obstore import GetOptions

GAP = 64 * 1024
"""Bytes between spans that are sooner fetched than asked around: about what a round trip's time carries."""

MAX_REQUEST = 8 << 20
"""Bytes of one request; a longer row of spans is fetched by several at once."""

MAX_WHOLE = 64 << 20
"""Bytes of a file that is fetched whole, from a server that gives no byte ranges."""

CHANGED = "the file changed while it was read"
_BEYOND = re.compile(r"status (code: )?416|range was invalid|range starting at|object was only", re.IGNORECASE)
_SPAN = re.compile(r"bytes (?P<start>\d+)-\d+/(?P<size>\d+)")

type Gates = tuple[asyncio.Semaphore, asyncio.Semaphore]
"""What bounds the requests of one image, and those to one bucket or host."""


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
    """The first bytes of a file, `length` or all there are; the whole file where a server gives no byte ranges.

    Raises Unreadable.
    """
    try:
        return await _counted(place, None, 0, length, gates, total, most=MAX_WHOLE)
    except Replaced as error:
        raise Unreadable("the file is empty") from error
    except Unfit as error:
        raise Unreadable(f"its server gives no byte ranges, and it has more than {MAX_WHOLE >> 20} MB") from error


async def _counted(
    place: Place, etag: str | None, start: int, stop: int, gates: Gates, total: Tally, *, most: int | None = None
) -> Found:
    trace = current_trace()
    async with gates[0], gates[1]:
        for tally in (total, trace.tally):
            tally.requests += 1
        with trace.timing(Step.FETCH):
            if isinstance(place.store, HttpFile):
                found = await _from_host(place.store, etag, start, stop, most=most)
            else:
                found = await _from_store(place.store, place.key, etag, start, stop)
    for tally in (total, trace.tally):
        tally.fetched_bytes += len(found.raw)
    return found


async def _from_store(store: ObjectStore, key: str, etag: str | None, start: int, stop: int) -> Found:
    options: GetOptions = {"range": (start, stop)}
    if _is_condition(etag):
        options["if_match"] = etag
    try:
        result = await get_async(store, key, options=options)
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


async def _from_host(file: HttpFile, etag: str | None, start: int, stop: int, *, most: int | None) -> Found:
    """With `most` a server that gives no byte ranges may send so many bytes of the file."""
    headers = {"Range": f"bytes={start}-{stop - 1}"}
    if etag is not None and _is_condition(etag):
        headers["If-Match"] = etag
    reply = await file.ask("GET", headers, most=stop - start if most is None else most)
    found = reply.headers.get("etag")
    match reply.status:
        case 412 | 416:
            raise Replaced
        case 200 | 206 if etag is not None and found != etag:
            raise Replaced
        case 206 if span := _SPAN.fullmatch(reply.headers.get("content-range", "")):
            if int(span["start"]) != start:
                raise Unfit
            return Found(raw=memoryview(reply.body), etag=found, size=int(span["size"]))
        case 200 if most is not None and reply.body:
            return Found(raw=memoryview(reply.body), etag=found, size=len(reply.body))
        case 200 if most is not None:
            raise Replaced
        case 200 | 206:
            raise Unfit
    raise unreadable(reply.status)


def unreadable(status: int) -> Unreadable:
    """The fault behind a status that is an error."""
    reasons = {404: "does not exist", 410: "does not exist", 401: "may not be read", 403: "may not be read"}
    return Unreadable(f"the file {reasons.get(status, 'is out of reach')}", passing=True)


def _is_condition(etag: str | None) -> bool:
    """A weak ETag never matches in If-Match; what comes back is compared in any case, as not every server looks."""
    return etag is not None and not etag.startswith("W/")
