"""Clients that leave: what only reads is not finished for them."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD")


class StopForLeavers:
    """Cancels the answer to a GET or HEAD whose client has closed the connection, and with it all its reads."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in READING:
            await self.app(scope, receive, send)
            return
        asked = [await receive()]
        if asked[0].get("more_body"):
            await self.app(scope, _begun(asked, receive), send)
            return
        leaving = asyncio.ensure_future(receive())
        answer = asyncio.ensure_future(self.app(scope, _begun(asked, lambda: asyncio.shield(leaving)), send))
        try:
            await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not answer.done():
                answer.cancel()
                await asyncio.wait({answer})
        if not answer.cancelled():
            answer.result()


def _begun(asked: list[Message], receive: Receive) -> Receive:
    """`receive` with the messages first that came already."""

    async def following() -> Message:
        return asked.pop(0) if asked else await receive()

    return following
