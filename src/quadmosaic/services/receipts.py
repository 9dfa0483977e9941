"""Receipts: what became of a request for a mosaic, and requests that are carried out once however often they come."""

from dataclasses import dataclass

from quadmosaic.domain.builds import Build
from quadmosaic.domain.errors import Invalid
from quadmosaic.services.jobs import request_digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What became of a request: the mosaic, and the build that it started, if it did."""

    name: str
    revision: int
    build: Build | None = None
    is_new: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Once:
    """A request that is to be carried out once: its key, and a digest of what it asks for."""

    key: str
    digest: str


def once(key: str, *request: object) -> Once:
    """A request under an idempotency key."""
    if not 0 < len(key) <= 255:
        raise Invalid("must have 1 to 255 characters", field="Idempotency-Key")
    return Once(key=key, digest=request_digest(request))
