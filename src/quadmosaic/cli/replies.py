"""Replies of the registry, and its errors as ours."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quadmosaic.domain.errors import Conflict, Invalid, NotFound, QuadmosaicError, TooLarge, Unavailable


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A reply's document, an empty one where it has none."""

    status: int
    document: dict[str, Any]
    location: str | None = None


type Call = Callable[[str, str, object], Reply]
"""Method, path with its query, and a JSON body or None."""


def document_of(content: bytes) -> dict[str, Any] | None:
    """The object that a reply holds, an empty one where it is empty; None where it is something else."""
    try:
        document = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def error_of(status: int, document: dict[str, Any]) -> QuadmosaicError:
    """What a problem document says."""
    detail = str(document.get("detail") or f"the service answered {status}")
    if status in (400, 401, 403, 422):
        fields = {401: "token", 403: "token"}
        return Invalid(detail, field=str(document.get("field") or fields.get(status, "request")))
    kinds: dict[int, Callable[[str], QuadmosaicError]] = {404: NotFound, 409: Conflict, 412: Conflict, 413: TooLarge}
    return kinds.get(status, Unavailable)(detail)
