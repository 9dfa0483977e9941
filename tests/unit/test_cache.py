"""The cache of parts: bounded, oldest out first, one load per key."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from quadmosaic.domain.errors import Unavailable
from quadmosaic.storage.cache import Cache
from quadmosaic.storage.waves import in_waves

type Loading = Callable[[], Coroutine[None, None, tuple[str, int]]]


class Loads:
    """Counts loads by key; each takes a moment."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def of(self, key: str, *, weight: int = 10) -> Loading:
        async def load() -> tuple[str, int]:
            self.log.append(key)
            await asyncio.sleep(0.001)
            return key.upper(), weight

        return load


async def test_a_value_is_loaded_once_however_many_ask() -> None:
    cache, loads = Cache(capacity=100), Loads()
    assert await asyncio.gather(*(cache.get("a", str, loads.of("a")) for _ in range(50))) == ["A"] * 50
    assert await cache.get("a", str, loads.of("a")) == "A"
    assert loads.log == ["a"]


async def test_the_least_recently_used_go_first_and_the_weight_is_bounded() -> None:
    cache, loads = Cache(capacity=30), Loads()
    for key in "abcadae":
        await cache.get(key, str, loads.of(key))
        assert cache.weight <= 30
    loads.log.clear()
    for key in "aedcb":
        await cache.get(key, str, loads.of(key))
    assert loads.log == ["c", "b"]


async def test_what_is_too_large_is_given_and_not_kept() -> None:
    cache, loads = Cache(capacity=30), Loads()
    await cache.get("a", str, loads.of("a"))
    assert await cache.get("b", str, loads.of("b", weight=31)) == "B"
    await cache.get("a", str, loads.of("a"))
    await cache.get("b", str, loads.of("b", weight=31))
    assert loads.log == ["a", "b", "b"]
    assert cache.weight == 10


async def test_without_room_loads_are_still_shared() -> None:
    cache, loads = Cache(capacity=0), Loads()
    assert await asyncio.gather(*(cache.get("a", str, loads.of("a")) for _ in range(5))) == ["A"] * 5
    assert loads.log == ["a"]


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    cache, loads = Cache(capacity=30), Loads()

    async def fail() -> tuple[str, int]:
        await asyncio.sleep(0.001)
        raise Unavailable("down")

    results = await asyncio.gather(*(cache.get("a", str, fail) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert await cache.get("a", str, loads.of("a")) == "A"


async def test_one_who_gives_up_does_not_stop_the_load_for_others() -> None:
    cache, loads = Cache(capacity=30), Loads()
    first = asyncio.create_task(cache.get("a", str, loads.of("a")))
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.get("a", str, loads.of("a")))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "A"
    assert first.cancelled()
    assert loads.log == ["a"]


@pytest.mark.parametrize("count", [0, 1, 3, 20])
async def test_waves_are_bounded_and_in_order(count: int) -> None:
    running, most = 0, 0

    async def call(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (3 - number % 3))
        running -= 1
        return number

    assert await in_waves(call, range(count), width=4) == list(range(count))
    assert most == min(count, 4)


async def test_a_failure_in_a_wave_cancels_the_rest() -> None:
    ended: list[int] = []

    async def call(number: int) -> None:
        if number == 1:
            raise Unavailable("down")
        await asyncio.sleep(0.01)
        ended.append(number)

    with pytest.raises(Unavailable):
        await in_waves(call, range(10), width=2)
    await asyncio.sleep(0.03)
    assert ended == []
