"""Single flight, and traces of requests that run at once."""

import asyncio
import time

import pytest

from quadmosaic.api.timing import server_timing
from quadmosaic.domain.flights import Flights
from quadmosaic.domain.trace import Step, current_trace, tracing


class Loads:
    """Counts loads, and those that were stopped."""

    def __init__(self) -> None:
        self.begun = self.stopped = 0
        self.may_end = asyncio.Event()

    async def load(self) -> int:
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        return self.begun


@pytest.mark.parametrize("stop_abandoned", [False, True])
async def test_the_first_caller_s_end_is_not_that_of_the_others(stop_abandoned: bool) -> None:
    flights, loads = Flights[int](stop_abandoned=stop_abandoned), Loads()
    first, second = (asyncio.create_task(flights.join("a", loads.load)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    loads.may_end.set()
    assert await second == 1
    assert (loads.begun, loads.stopped) == (1, 0)


@pytest.mark.parametrize("stop_abandoned", [False, True])
async def test_what_all_have_given_up_on_goes_on_unless_it_should_stop(stop_abandoned: bool) -> None:
    flights, loads = Flights[int](stop_abandoned=stop_abandoned), Loads()
    callers = [asyncio.create_task(flights.join("a", loads.load)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert ("a" in flights) is not stop_abandoned
    loads.may_end.set()
    assert await flights.join("a", loads.load) == (2 if stop_abandoned else 1)
    assert loads.stopped == stop_abandoned


def test_a_load_that_died_with_its_event_loop_is_begun_again() -> None:
    flights, begun = Flights[str](stop_abandoned=True), list[str]()

    async def never() -> str:
        begun.append("never")
        await asyncio.Event().wait()
        return "never"

    async def at_once() -> str:
        begun.append("at once")
        return "at once"

    dead = asyncio.new_event_loop()
    abandoned = dead.create_task(flights.join("a", never))
    dead.run_until_complete(asyncio.sleep(0))
    dead.run_until_complete(asyncio.sleep(0))
    assert begun == ["never"]
    assert asyncio.run(flights.join("a", at_once)) == "at once"
    assert asyncio.run(flights.join("a", at_once)) == "at once"
    abandoned.cancel()
    dead.run_until_complete(asyncio.wait([abandoned]))
    dead.run_until_complete(asyncio.sleep(0))
    dead.close()


async def test_each_request_has_a_trace_of_its_own() -> None:
    async def request(number: int) -> tuple[float, int]:
        with tracing() as trace:
            current_trace().add(Step.PLAN, number)
            await asyncio.sleep(0.001 * (3 - number % 3))
            await asyncio.create_task(count(number))
            current_trace().add(Step.PLAN, number)
        return trace.seconds[Step.PLAN], trace.tally.blocks

    async def count(number: int) -> None:
        current_trace().tally.blocks += number

    answers = await asyncio.gather(*(request(number) for number in range(20)))
    assert answers == [(2.0 * number, number) for number in range(20)]


async def test_what_overlaps_counts_once() -> None:
    started = time.perf_counter()
    with tracing() as trace:

        async def fetch() -> None:
            with current_trace().timing(Step.FETCH):
                await asyncio.sleep(0.02)

        await asyncio.gather(*(fetch() for _ in range(10)))
        await fetch()
    assert 0.04 <= trace.seconds[Step.FETCH] <= time.perf_counter() - started


def test_a_trace_in_which_nothing_happened_says_nothing() -> None:
    with tracing() as trace:
        assert server_timing(trace) == ""
    trace.add(Step.ENCODE, 0.00123)
    trace.tally.fallbacks["no etag"] += 2
    assert server_timing(trace) == 'encode;dur=1.2, fallbacks;desc="2 no etag"'
