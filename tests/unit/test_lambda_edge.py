"""The edge between API Gateway and an application: stages, time, size and content types."""

import asyncio
import json
from typing import Any

import pytest
from lambda_handler.edge import MOST_BYTES, NotHttp, http_handler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import lambda_events as events


class Context:
    """An invocation of which so much time is left."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


async def sized(request: Request) -> Response:
    size = int(request.query_params["size"])
    media_type = request.query_params["type"]
    body = b'"' * size if media_type.startswith("text") else bytes(size)
    return Response(body, media_type=media_type)


async def slow(_: Request) -> Response:
    await asyncio.sleep(30)
    return PlainTextResponse("at last")


async def empty(request: Request) -> Response:
    return Response(status_code=int(request.path_params["status"]))


handle = http_handler(Starlette(routes=[Route("/sized", sized), Route("/slow", slow), Route("/empty/{status}", empty)]))


def get(path: str, query: str = "", *, seconds: float = 30) -> dict[str, Any]:
    return handle(events.http("GET", path, query), Context(seconds))


@pytest.mark.parametrize(
    ("media_type", "is_text"),
    [
        ("image/png", False),
        ("image/tiff; application=geotiff", False),
        ("application/x-binary", False),
        ("application/json", True),
        ("application/geo+json", True),
        ("application/problem+json", True),
        ("application/vnd.ogc.wmts+xml", True),
        ("text/html; charset=utf-8", True),
        ("image/svg+xml", True),
        ("text/javascript", True),
    ],
)
def test_text_goes_as_it_is_and_all_else_in_base64(media_type: str, is_text: bool) -> None:
    reply = get("/sized", f"size=10&type={media_type.replace('+', '%2B').replace(';', '%3B').replace(' ', '%20')}")
    assert reply["isBase64Encoded"] is not is_text
    assert len(events.content(reply)) == 10


@pytest.mark.parametrize(("media_type", "raw"), [("image/png", MOST_BYTES * 3 // 4), ("text/plain", MOST_BYTES // 2)])
def test_the_limit_counts_what_lambda_sends(media_type: str, raw: int) -> None:
    assert get("/sized", f"size={raw - 1000}&type={media_type}")["statusCode"] == 200
    refused = get("/sized", f"size={raw + 1000}&type={media_type}")
    assert refused["statusCode"] == 413
    assert refused["headers"]["content-type"] == "application/problem+json"
    assert len(json.dumps(get("/sized", f"size={raw - 1000}&type={media_type}"))) <= MOST_BYTES


def test_what_takes_too_long_is_answered_before_lambda_ends_it() -> None:
    reply = get("/slow", seconds=0.7)
    assert (reply["statusCode"], reply["headers"]["retry-after"]) == (503, "5")
    assert json.loads(reply["body"])["status"] == 503


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_content_has_no_content_type(status: int) -> None:
    reply = get(f"/empty/{status}")
    assert reply["statusCode"] == status
    assert "content-type" not in reply["headers"]


@pytest.mark.parametrize("event", [{}, [], None, "text", {"Records": []}, {"requestContext": {"http": {}}}])
def test_other_events_are_refused_in_words(event: object) -> None:
    with pytest.raises(NotHttp, match="API Gateway"):
        handle(event, Context(30))
