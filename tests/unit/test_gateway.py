"""What an event says of its caller."""

from typing import Any

import pytest

from quadmosaic.api.gateway import authorized


def scope(authorizer: Any) -> dict[str, Any]:
    return {"aws.event": {"requestContext": {"authorizer": authorizer}}}


@pytest.mark.parametrize(
    ("authorizer", "name"),
    [
        ({"jwt": {"claims": {"sub": "someone"}, "scopes": None}}, "someone"),
        ({"jwt": {"claims": {"client_id": "a-service"}, "scopes": ["write"]}}, "a-service"),
        ({"jwt": {"claims": {}, "scopes": None}}, "gateway"),
        ({"iam": {"userArn": "arn:aws:iam::123456789012:user/someone"}}, "arn:aws:iam::123456789012:user/someone"),
    ],
)
def test_the_caller_is_whom_the_authorizer_names(authorizer: dict[str, Any], name: str) -> None:
    assert authorized(scope(authorizer)) == name


@pytest.mark.parametrize(
    "nobody",
    [{}, {"aws.event": None}, {"aws.event": {}}, scope(None), scope({}), scope({"jwt": {}}), scope({"lambda": {}})],
)
def test_without_an_authorizer_there_is_none(nobody: dict[str, Any]) -> None:
    assert authorized(nobody) is None
