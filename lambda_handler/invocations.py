"""The invocation under way: how long it may take, and under which id API Gateway knows it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


class Context(Protocol):
    """What Lambda tells of an invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """`api_request` is API Gateway's id of the request, where it is one; without a context there is no end."""

    context: Context | None
    api_request: str | None = None


_NONE = Invocation(context=None)
_current: ContextVar[Invocation] = ContextVar("invocation", default=_NONE)


@contextmanager
def invoked(event: object, context: Context | None) -> Generator[None]:
    """The time of one invocation."""
    request = event.get("requestContext") if isinstance(event, Mapping) else None
    told = request.get("requestId") if isinstance(request, Mapping) else None
    token = _current.set(Invocation(context=context, api_request=str(told) if told else None))
    try:
        yield
    finally:
        _current.reset(token)


def api_request() -> str | None:
    """API Gateway's id of the request under way."""
    return _current.get().api_request


def seconds_left() -> float:
    """Seconds until Lambda stops the invocation."""
    context = _current.get().context
    return float("inf") if context is None else context.get_remaining_time_in_millis() / 1000
