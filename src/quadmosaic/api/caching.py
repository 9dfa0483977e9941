"""What clients and CDNs may keep: ETags that need no pixel, and Cache-Control by kind of answer."""

import hashlib
from urllib.parse import quote

from fastapi import Request, Response

from quadmosaic.domain.mosaic import Version
from quadmosaic.rendering.revision import REVISION

IMMUTABLE = "public, max-age=31536000, immutable"
PARTIAL_MAX_AGE_S = 10
HEADER_LIMIT = 2048


def etag(version: Version, *request_parts: object) -> str:
    """The same version, request and renderer always give the same bytes, and this tag."""
    text = repr((version.digest, REVISION, request_parts))
    return f'"{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"'


def is_pinned(mosaic: str) -> bool:
    """Whether a URL names a version rather than the head."""
    return "@" in mosaic


def cache_control(mosaic: str, *, head_max_age_s: int, partial: bool = False) -> str:
    """A year for a version, short for a head, shorter for an answer in which something is missing."""
    if partial:
        return f"public, max-age={PARTIAL_MAX_AGE_S}"
    return IMMUTABLE if is_pinned(mosaic) else f"public, max-age={head_max_age_s}"


def not_modified(request: Request, tag: str, control: str) -> Response | None:
    """The 304 reply, when the client holds this tag."""
    held = request.headers.get("if-none-match", "")
    known = {part.strip().removeprefix("W/") for part in held.split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": control})
    return None


def listed(ids: tuple[str, ...]) -> str:
    """Granule ids as a header value: percent-encoded, comma-separated, a count when they are too many."""
    text = ",".join(quote(granule_id, safe="") for granule_id in ids)
    return text if len(text) <= HEADER_LIMIT else f"{len(ids)} granules"
