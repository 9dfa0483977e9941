"""Identity: what tells one content of a file from another, without reading it."""

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError

from quadmosaic.domain.errors import Unavailable
from quadmosaic.reading.access import Place


async def identity(place: Place) -> tuple[str | None, int | None]:
    """ETag and size, where the place tells them."""
    if place.store is None:
        return None, None
    try:
        meta = await obstore.head_async(place.store, place.key)
    except (NotFoundError, FileNotFoundError) as error:
        raise Unavailable("the file does not exist") from error
    except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
        raise Unavailable("the file may not be read") from error
    except BaseError as error:
        if place.href.startswith("http"):
            return None, None
        raise Unavailable("the file is out of reach") from error
    return meta["e_tag"], meta["size"]
