"""Events as AWS sends them to functions: HTTP API (payload format 2.0), SQS and EventBridge Scheduler."""

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

HOST = "maps.example.com"


def http(
    method: str,
    path: str,
    query: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    authorizer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A request; a body is sent as JSON."""
    content = {} if body is None else {"body": base64.b64encode(json.dumps(body).encode()).decode()}
    sent = {"content-type": "application/json"} if content else {}
    decided = {} if authorizer is None else {"authorizer": dict(authorizer)}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": HOST, "x-forwarded-proto": "https", "x-forwarded-port": "443", **sent, **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": HOST,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "requestId": uuid.uuid4().hex,
            "stage": "$default",
            **decided,
        },
        "isBase64Encoded": bool(content),
        **content,
    }


def sqs(*bodies: str) -> dict[str, Any]:
    """Messages of a queue."""
    return {
        "Records": [
            {"messageId": f"m{number}", "body": body, "eventSource": "aws:sqs", "attributes": {}}
            for number, body in enumerate(bodies)
        ]
    }


def content(reply: Mapping[str, Any]) -> bytes:
    """What the client gets."""
    body = reply.get("body", "")
    return base64.b64decode(body) if reply.get("isBase64Encoded") else body.encode()
