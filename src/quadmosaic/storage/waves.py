"""Bounded fan-out: many awaitable calls, a few at a time, answers in order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable


async def in_waves[A, T](call: Callable[[A], Awaitable[T]], arguments: Iterable[A], *, width: int) -> list[T]:
    """`call` of each argument, at most `width` at once; the first failure cancels the rest."""
    todo = tuple(arguments)
    if len(todo) == 1:
        return [await call(todo[0])]
    gate = asyncio.Semaphore(width)

    async def one(argument: A) -> T:
        async with gate:
            return await call(argument)

    tasks = [asyncio.ensure_future(one(argument)) for argument in todo]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
