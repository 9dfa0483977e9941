"""Identity: what tells one content of a file from another, without reading it."""

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError

from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.trace import current_trace
from quadmosaic.reading.access import Place
from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.fetch import unreadable
from quadmosaic.reading.http_hosts import HttpFile


async def identity(place: Place) -> tuple[str | None, int | None]:
    """ETag and size, where the place tells them. Raises Unavailable, or Invalid (field "href")."""
    if place.is_remote:
        current_trace().tally.requests += 1
    if isinstance(place.store, HttpFile):
        return await _of_host(place.store)
    try:
        meta = await obstore.head_async(place.store, place.key)
    except (NotFoundError, FileNotFoundError) as error:
        raise Unavailable("the file does not exist") from error
    except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
        raise Unavailable("the file may not be read") from error
    except BaseError as error:
        raise Unavailable("the file is out of reach") from error
    return meta["e_tag"], meta["size"]


async def _of_host(file: HttpFile) -> tuple[str | None, int | None]:
    """Not every host answers HEAD; what does not exist or is forbidden is said all the same."""
    try:
        reply = await file.ask("HEAD", {}, most=0)
    except Unreadable as fault:
        raise fault.error from fault
    if reply.status in (401, 403, 404, 410):
        raise unreadable(reply.status).error
    size = reply.headers.get("content-length", "")
    return (reply.headers.get("etag"), int(size) if size.isdecimal() else None) if reply.status == 200 else (None, None)
