"""Budgets of memory: in the order they are asked for, never more than there is, and nothing is lost by who gives up."""

import asyncio

from quadmosaic.reading.budget import Budget


class Holders:
    """Tasks that hold a share until they are told to let go; `holding` are the names of those that do."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.holding: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def ask(self, name: str, weight: int) -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, weight))
        await asyncio.sleep(0)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self.tasks[name]
        await settled()

    async def _hold(self, name: str, weight: int) -> None:
        async with self.budget.holding(weight):
            self.holding.append(name)
            await self._ends[name].wait()
        self.holding.remove(name)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_does_not_fit_waits_and_is_not_overtaken() -> None:
    holders = Holders(Budget(10))
    for name, weight in (("a", 6), ("b", 6), ("c", 2)):
        await holders.ask(name, weight)
    assert holders.holding == ["a"]
    await holders.end("a")
    assert holders.holding == ["b", "c"]


async def test_more_than_there_is_waits_to_be_alone() -> None:
    holders = Holders(Budget(10))
    await holders.ask("a", 1)
    await holders.ask("huge", 99)
    await holders.ask("b", 1)
    assert holders.holding == ["a"]
    await holders.end("a")
    assert holders.holding == ["huge"]
    await holders.end("huge")
    assert holders.holding == ["b"]


async def test_who_gives_up_lets_the_next_one_in() -> None:
    holders = Holders(Budget(10))
    for name, weight in (("a", 6), ("b", 6), ("c", 2)):
        await holders.ask(name, weight)
    holders.tasks["b"].cancel()
    await settled()
    assert holders.holding == ["a", "c"]


async def test_who_gives_up_when_let_in_keeps_nothing() -> None:
    budget = Budget(10)
    waiting = []
    async with budget.holding(6):
        waiting = [asyncio.create_task(budget.holding(10).__aenter__()) for _ in range(2)]
        await settled()
    waiting[0].cancel()
    await settled()
    assert [task.done() for task in waiting] == [True, True]
    assert waiting[0].cancelled()
