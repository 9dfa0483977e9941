"""Fields of a JSON object that may be absent, as what they must be."""

from typing import cast

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import JsonObject

LONGEST_TEXT = 4096


def whole(document: JsonObject, key: str, *, low: int = 0, within: str = "") -> int | None:
    """A whole number. Raises Invalid (field `within` plus `key`)."""
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise Invalid(f"must be an integer of at least {low}", field=f"{within}{key}")
    return value


def text(document: JsonObject, key: str) -> str | None:
    """A text, None for an empty one. Raises Invalid."""
    value = document.get(key)
    if not isinstance(value, str | None):
        raise Invalid("must be a text", field=key)
    if value is not None and len(value) > LONGEST_TEXT:
        raise Invalid(f"must not be longer than {LONGEST_TEXT} characters", field=key)
    return storable(value or None, key)


def texts(document: JsonObject, key: str) -> tuple[str, ...]:
    """A list of texts, none of which is empty. Raises Invalid."""
    value = document.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise Invalid("must be a list of texts", field=key)
    return tuple(storable(each, key) for each in cast("list[str]", value))


def storable[T: str | None](value: T, field: str) -> T:
    """The text. Raises Invalid (`field`) where it has half a character, as JSON may, which nothing can keep."""
    if value is not None and any("\ud800" <= character <= "\udfff" for character in value):
        raise Invalid("holds text that is not valid Unicode (a lone surrogate)", field=field)
    return value
