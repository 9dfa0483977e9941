"""Plain JSON: what records and replies can hold, which is less than what Python reads."""

import json

import msgspec

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Json


def check_plain(value: Json, *, field: str) -> None:
    """Raise Invalid for a number that is not finite or beyond 64 bits, and for half of a surrogate pair."""
    try:
        msgspec.msgpack.encode(value)
        json.dumps(value, allow_nan=False)
    except UnicodeEncodeError as error:
        raise Invalid("holds a text that is no Unicode: half of a surrogate pair", field=field) from error
    except OverflowError as error:
        raise Invalid("holds a whole number beyond 64 bits; write it as text", field=field) from error
    except ValueError as error:
        raise Invalid("holds a number that is not finite", field=field) from error
