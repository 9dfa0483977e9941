"""Timing: what each request took, step by step, in its Server-Timing header and for whoever counts."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quadmosaic.domain.trace import Trace, tracing

CLIENT_LEFT = 499
"""The status that nginx gave to requests whose client did not wait for the answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A request that was answered, or that failed with status 500, or was given up with CLIENT_LEFT."""

    route: str
    status: int
    seconds: float
    trace: Trace
    is_partial: bool


type Observer = Callable[[Answered], None]


class TimeRequests:
    """Gives every request a trace of its own, and the reply that trace as Server-Timing."""

    def __init__(self, app: ASGIApp, observer: Observer | None = None) -> None:
        self.app = app
        self.observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, is_partial = time.perf_counter(), 500, False

        async def send_timed(message: Message) -> None:
            nonlocal status, is_partial
            if message["type"] == "http.response.start":
                status, headers = message["status"], Headers(raw=message["headers"])
                is_partial = "x-assets" in headers and "etag" not in headers
                if timing := server_timing(trace):
                    MutableHeaders(scope=message).append("Server-Timing", timing)
            await send(message)

        with tracing() as trace:
            try:
                await self.app(scope, receive, send_timed)
            except asyncio.CancelledError:
                status = CLIENT_LEFT
                raise
            finally:
                if self.observer is not None:
                    route = getattr(scope.get("route"), "path", "none")
                    seconds = time.perf_counter() - started
                    self.observer(
                        Answered(route=route, status=status, seconds=seconds, trace=trace, is_partial=is_partial)
                    )


def server_timing(trace: Trace) -> str:
    """The value of a Server-Timing header (W3C): milliseconds of the steps that were taken, and counts that are not 0.

    Empty where nothing was done.
    """
    tally = trace.tally
    counts = {
        "granules": tally.fast,
        "covered": tally.covered,
        "failed": tally.failed,
        "requests": tally.requests,
        "bytes": tally.fetched_bytes,
        "blocks": tally.blocks,
        "cached": tally.cached_blocks,
        "shared": tally.shared_blocks,
        "scanned": tally.scanned,
        "opened": tally.opened,
    }
    steps = [f"{step};dur={seconds * 1000:.1f}" for step, seconds in trace.seconds.items()]
    counted = [f'{name};desc="{count}"' for name, count in counts.items() if count]
    reasons = ", ".join(f"{count} {reason}" for reason, count in tally.fallbacks.items())
    return ", ".join([*steps, *counted, *([f'fallbacks;desc="{reasons}"'] if reasons else [])])
