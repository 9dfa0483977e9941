"""What was done for one request: seconds by step and counts, noted by whoever does the work.

The trace of a request is found through its context, so every request has its own however many run at once. Work in
threads is timed there and noted on the event loop.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum


class Step(StrEnum):
    """A part of the work; the names are those of Server-Timing and of the metrics, and stay."""

    LOOKUP = "lookup"
    PLAN = "plan"
    FETCH = "fetch"
    WAIT = "wait"
    DECODE = "decode"
    RESAMPLE = "resample"
    FALLBACK = "fallback"
    MERGE = "merge"
    ENCODE = "encode"


@dataclass(kw_only=True, slots=True)
class Tally:
    """Counts of reading: granules read fast, left out as covered, and read by the fallback, by reason.

    `requests` fetched `fetched_bytes`; `blocks` were decoded, `cached_blocks` were there already, `shared_blocks` came
    with another image's request. `scanned` headers were in no index. `opened` files the fallback opened from the index.
    """

    fast: int = 0
    covered: int = 0
    failed: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    fetched_bytes: int = 0
    blocks: int = 0
    cached_blocks: int = 0
    shared_blocks: int = 0
    scanned: int = 0
    opened: int = 0


@dataclass(slots=True)
class Trace:
    """Seconds by step and a tally; for use by one thread, the event loop's."""

    seconds: dict[Step, float] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    _open: dict[Step, tuple[int, float]] = field(default_factory=dict)

    def add(self, step: Step, seconds: float) -> None:
        """Note seconds that a step took."""
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds

    def timing(self, step: Step) -> "Timing":
        """Note how long the block takes; while several of one step overlap, time counts once."""
        return Timing(self, step)

    def begin(self, step: Step) -> None:
        users, since = self._open.get(step, (0, 0.0))
        self._open[step] = (users + 1, since if users else time.perf_counter())

    def end(self, step: Step) -> None:
        users, since = self._open[step]
        self._open[step] = (users - 1, since)
        if users == 1:
            self.add(step, time.perf_counter() - since)


@dataclass(frozen=True, slots=True)
class Timing:
    """A block of code that a step is timed by; a class, as it is entered many times per tile."""

    trace: Trace
    step: Step

    def __enter__(self) -> None:
        self.trace.begin(self.step)

    def __exit__(self, *error: object) -> None:
        self.trace.end(self.step)


def timed[**P, T](work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, float]:
    """What the work gives, and the seconds that it took: for threads, whose work is noted by who waits for it."""
    started = time.perf_counter()
    return work(*args, **kwargs), time.perf_counter() - started


_CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current_trace() -> Trace:
    """The trace of the request that this is done for; a new one, which nobody reads, where there is none."""
    return _CURRENT.get() or Trace()


@contextmanager
def tracing() -> Iterator[Trace]:
    """A new trace for all that is done inside, tasks that begin there included."""
    trace = Trace()
    token = _CURRENT.set(trace)
    try:
        yield trace
    finally:
        _CURRENT.reset(token)
