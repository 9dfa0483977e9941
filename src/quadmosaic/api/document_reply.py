"""Replies that carry a document of a mosaic, with what clients and CDNs may keep of it."""

import hashlib
import json
from collections.abc import Mapping

from fastapi import Request, Response

from quadmosaic.api.caching import cache_control, not_modified
from quadmosaic.api.services import Services


def document_reply(request: Request, services: Services, content: str, *, media_type: str) -> Response:
    """The document, or 304 when the client holds these very bytes."""
    body = content.encode()
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    control = cache_control(request.path_params["mosaic"], head_max_age_s=services.head_max_age_s)
    headers = {"ETag": tag, "Cache-Control": control}
    return not_modified(request, tag, control) or Response(body, media_type=media_type, headers=headers)


def json_reply(request: Request, services: Services, content: Mapping[str, object]) -> Response:
    """The same for JSON."""
    return document_reply(request, services, json.dumps(content), media_type="application/json")
