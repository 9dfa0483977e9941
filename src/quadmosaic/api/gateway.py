"""Who calls, as an authorizer of Amazon API Gateway found out before the request came here."""

from collections.abc import Mapping
from typing import Any

UNNAMED = "gateway"


def authorized(scope: Mapping[str, Any]) -> str | None:
    """The caller's name, None where no authorizer decided; `scope` is an ASGI scope with the event that caused it."""
    event = scope.get("aws.event")
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    authorizer = context.get("authorizer") if isinstance(context, Mapping) else None
    if not isinstance(authorizer, Mapping):
        return None
    jwt, iam = authorizer.get("jwt"), authorizer.get("iam")
    if isinstance(jwt, Mapping) and isinstance(jwt.get("claims"), Mapping):
        claims = jwt["claims"]
        return str(claims.get("sub") or claims.get("client_id") or UNNAMED)
    if isinstance(iam, Mapping):
        return str(iam.get("userArn") or iam.get("userId") or UNNAMED)
    return None
