"""Killing, racing and filling a store, with figures: `uv run python benchmarks/store_soak.py readers --engine file`."""

import argparse
import asyncio
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from store_engines import (
    ENGINES,
    UrlEngine,
    below,
    found,
    granule,
    header,
    listed,
    manifest_of,
    random_index,
    run_histories,
    small_index,
    store_url,
)

from quadmosaic.domain.errors import Conflict, NotFound
from quadmosaic.domain.mosaic import Defaults, Index, MosaicRef, Version
from quadmosaic.ports import MosaicStore
from quadmosaic.storage.objects import open_store
from quadmosaic.storage.opening import open_bucket

NAME = "soak"
NOW = timedelta(0)
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["store_engines", "store_soak"])


@cache
def index_of(seed: int) -> Index:
    """Versions that share most of their parts, and differ in every cell's last granule."""
    base = random_index(7, zoom=5, cells=600, granules=200)
    base = replace(base, headers={f"g{n}": {"dtm": header(blocks=60, seed=n)} for n in range(0, 200, 5)})
    some = random.Random(seed).sample(sorted(base.cells), 60)
    new = (*base.granules, granule(f"new{seed}"))
    return replace(base, granules=new, cells={**base.cells, **{cell: (*base.cells[cell], 200) for cell in some}})


async def write(store: MosaicStore, seed: int) -> Version:
    """The version says in its title what it should hold."""
    index = index_of(seed)
    return await store.write(NAME, manifest_of(index, defaults=Defaults(title=str(seed))), index)


async def is_whole(store: MosaicStore, version: Version) -> bool:
    """Does it hold what its title says?"""
    index = index_of(int(version.manifest.defaults.title or ""))
    back = await store.index(version)
    return listed(back) == listed(index) and back.headers == {k: dict(v) for k, v in index.headers.items()}


def fresh(url: str, *, ttl: float = 0.0) -> MosaicStore:
    return open_store(url, head_ttl_s=ttl, cache_bytes=4_000_000)


# Readers


def _read_on(url: str, epoch: "Synchronized[int]", answers: "multiprocessing.Queue[Any]") -> None:
    """Reads until the epoch is negative; an odd epoch means that there may be no mosaic."""
    store = fresh(url)

    async def once(counts: Counter[str]) -> None:
        before = epoch.value
        try:
            version = await store.version(MosaicRef(NAME))
            truth = index_of(int(version.manifest.defaults.title or ""))
            cells = random.sample(sorted(truth.cells), 5)
            exact = found((await store.lookup(version, cells)).cells)
            prefix = random.choice("0123")
            under = found((await store.lookup_prefix(version, [prefix], limit=1000)).cells)
        except NotFound:
            counts["gone as it should" if before % 2 or epoch.value != before else "MISSING"] += 1
            return
        right = exact == {cell: listed(truth)[cell] for cell in sorted(cells)} and under == below(truth, prefix)
        counts["right" if right else "WRONG"] += 1

    counts: Counter[str] = Counter()

    async def run() -> None:
        while epoch.value >= 0:
            await once(counts)

    asyncio.run(run())
    answers.put(counts)


async def _change(url: str, epoch: "Synchronized[int]", rounds: int) -> Counter[str]:
    store = fresh(url)
    counts: Counter[str] = Counter()
    head: int | None = (await store.version(MosaicRef(NAME))).number
    for number in range(rounds):
        act = random.choices(["publish", "back", "delete"], [12, 6, 1])[0]
        if act == "back" and head is not None:
            older = random.choice((await store.versions(NAME)).items)
            await store.publish(MosaicRef(NAME, older.number), expected=head)
            head = older.number
        elif act == "delete" and head is not None:
            epoch.value += 1
            await store.delete(NAME)
            head = None
        else:
            act = "publish"
        if act == "publish" or head is None:
            version = await write(store, number % 40)
            await store.publish(MosaicRef(NAME, version.number), expected=head)
            epoch.value += epoch.value % 2
            head = version.number
        counts[act] += 1
        if number % 10 == 9:
            report = await store.sweep(keep=3, younger_than=NOW, spare=timedelta(seconds=2))
            counts["versions swept"] += len(report.published)
    return counts


def readers(url: str, rounds: int) -> None:
    """Two readers that never stop while a writer publishes, deletes, goes back and sweeps."""
    store = fresh(url)
    first = asyncio.run(write(store, 0))
    asyncio.run(fresh(url).publish(MosaicRef(NAME, first.number), expected=None))
    epoch, answers = _forks.Value("i", 0), _forks.Queue()
    crowd = [_forks.Process(target=_read_on, args=(url, epoch, answers)) for _ in range(2)]
    for process in crowd:
        process.start()
    started = time.perf_counter()
    changes = asyncio.run(_change(url, epoch, rounds))
    epoch.value = -1000
    total = sum((answers.get() for _ in crowd), Counter[str]())
    print(f"changes in {time.perf_counter() - started:.0f} s: {dict(changes)}")
    print(f"answers: {dict(total)}")


# Killing


def _write_on(url: str, seed: int, ready: Any) -> None:
    store = fresh(url)

    async def run() -> None:
        chance = random.Random(seed)
        await store.mosaics()
        ready.set()
        while True:
            head = await store.head(NAME)
            version = await write(store, chance.randrange(10_000))
            await store.publish(MosaicRef(NAME, version.number), expected=head)

    asyncio.run(run())


def kill(url: str, rounds: int) -> None:
    """A writer killed with SIGKILL at random moments; the head is read whole after each."""
    store = fresh(url)
    first = asyncio.run(write(store, 0))
    asyncio.run(store.publish(MosaicRef(NAME, first.number), expected=None))
    broken = heads = 0
    for seed in range(rounds):
        ready = _forks.Event()
        writer = _forks.Process(target=_write_on, args=(url, seed, ready))
        writer.start()
        ready.wait(30)
        time.sleep(random.uniform(0, 0.5))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        reader = fresh(url)
        version = asyncio.run(reader.version(MosaicRef(NAME)))
        broken += not asyncio.run(is_whole(reader, version))
        heads = version.number
    history = asyncio.run(_all_whole(fresh(url)))
    before = asyncio.run(_count(url))
    report = asyncio.run(fresh(url).sweep(keep=1, younger_than=NOW, spare=timedelta(seconds=-1)))
    whole = asyncio.run(_all_whole(fresh(url)))
    after, needed = asyncio.run(_count(url)), asyncio.run(_needed(url))
    print(f"{rounds} kills, {broken} broken heads; highest number {heads}; published versions whole: {history}")
    print(
        f"sweep: {len(report.published)} published and {len(report.unpublished)} unpublished versions, "
        f"{report.objects} objects; objects of the mosaic {before} -> {after}, needed by the head {needed}; "
        f"versions whole after it: {whole}"
    )


async def _all_whole(store: MosaicStore) -> str:
    versions = (await store.versions(NAME, limit=100_000)).items
    some = versions[:: max(1, len(versions) // 100)]
    return f"{sum([await is_whole(store, version) for version in some])} of {len(some)} looked at"


async def _count(url: str) -> int:
    """Objects that belong to versions; heads and numbers stay for ever."""
    bucket = open_bucket(url)
    folders = [f"mosaics/{NAME}/lives/0000000000/{kind}" for kind in ("parts", "versions", "writing", "published")]
    return sum([1 for folder in folders async for _ in bucket.entries(folder)])


async def _needed(url: str) -> int:
    """Parts of the head in a store of its own, and its record."""
    head = await fresh(url).version(MosaicRef(NAME))
    alone = open_store("memory://")
    version = await write(alone, int(head.manifest.defaults.title or ""))
    await alone.publish(MosaicRef(NAME, version.number), expected=None)
    stored = await alone._stored(NAME, version.number)
    return len(stored.paths()) + 1


# Racing


def _race_on(url: str, seed: int, rounds: int, answers: "multiprocessing.Queue[Any]") -> None:
    store = fresh(url)

    async def run() -> tuple[Counter[str], list[int]]:
        counts: Counter[str] = Counter()
        won: list[int] = []
        for round_ in range(rounds):
            head = await store.head(NAME)
            version = await write(store, seed * rounds + round_ + 1)
            try:
                await store.publish(MosaicRef(NAME, version.number), expected=head)
            except Conflict:
                counts["conflict"] += 1
            else:
                counts["success"] += 1
                won.append(version.number)
        return counts, won

    answers.put(asyncio.run(run()))


def race(url: str, rounds: int) -> None:
    """Eight processes that publish against one head."""
    store = fresh(url)
    first = asyncio.run(write(store, 0))
    asyncio.run(store.publish(MosaicRef(NAME, first.number), expected=None))
    answers = _forks.Queue()
    crowd = [_forks.Process(target=_race_on, args=(url, seed, rounds, answers)) for seed in range(8)]
    for process in crowd:
        process.start()
    results = [answers.get() for _ in crowd]
    counts = sum((count for count, _ in results), Counter[str]())
    won = sorted(number for _, numbers in results for number in numbers)
    listed_ = sorted(v.number for v in asyncio.run(fresh(url).versions(NAME, limit=100_000)).items)
    print(
        f"{8 * rounds} attempts: {dict(counts)}; published versions {len(listed_)}, "
        f"lost {len({*won} - {*listed_})}, unaccounted {len({*listed_} - {*won, first.number})}; "
        f"whole: {asyncio.run(_all_whole(fresh(url)))}"
    )


# Filling


def switch(url: str, rounds: int) -> None:  # noqa: ARG001
    """10 000 cells overwritten by one."""
    store = fresh(url)

    async def run() -> None:
        many, few = random_index(zoom=9, cells=10_000, granules=3000), small_index("only")
        first = await store.write(NAME, manifest_of(many), many)
        await store.publish(MosaicRef(NAME, first.number), expected=None)
        second = await store.write(NAME, manifest_of(few), few)
        await store.publish(MosaicRef(NAME, second.number), expected=first.number)
        reader = fresh(url)
        head = await reader.version(MosaicRef(NAME))
        cells = (await reader.lookup_prefix(head, [""], limit=20_000)).cells
        before = await _count(url)
        await store.sweep(keep=1, younger_than=NOW, spare=timedelta(seconds=-1))
        print(f"cells after the switch: {found(cells)}; objects {before} -> {await _count(url)} after the sweep")

    asyncio.run(run())


def crowd(url: str, rounds: int) -> None:  # noqa: ARG001
    """10 000 granules in one cell."""
    noise = random.Random(1)
    members = tuple(granule(f"g{n}", noise=noise.randbytes(40).hex()) for n in range(10_000))
    index = Index(grid_id="MarsMercatorSphere", zoom=2, granules=members, cells={"12": tuple(range(10_000))})

    async def run() -> None:
        store = fresh(url)
        started = time.perf_counter()
        version = await store.write(NAME, manifest_of(index), index)
        await store.publish(MosaicRef(NAME, version.number), expected=None)
        wrote = time.perf_counter() - started
        reader = fresh(url)
        started = time.perf_counter()
        back = (await reader.lookup(await reader.version(MosaicRef(NAME)), ["12"])).cells
        print(
            f"10 000 granules in one cell: written in {wrote:.2f} s, read in {time.perf_counter() - started:.2f} s, "
            f"equal: {found(back) == listed(index)}"
        )

    asyncio.run(run())


def history(url: str, rounds: int) -> None:
    """Random histories against a dictionary, `rounds` of 50 steps."""
    started = time.perf_counter()
    tally = run_histories(UrlEngine(url), examples=rounds, steps=50)
    print(f"{dict(tally)}, none differs from a dictionary; {time.perf_counter() - started:.0f} s")


def main() -> None:
    commands: dict[str, tuple[Callable[[str, int], None], int]] = {
        "readers": (readers, 200),
        "kill": (kill, 100),
        "race": (race, 10),
        "switch": (switch, 1),
        "crowd": (crowd, 1),
        "history": (history, 60),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=[*commands, "size", "warm"])
    parser.add_argument("--engine", default="file", help=f"{', '.join(ENGINES)}, or the URL of an empty store")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--granules", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.command == "warm":
        from store_size import warm

        warm()
        return
    with store_url(arguments.engine) as url:
        if arguments.command == "size":
            from store_size import size

            size(url, granules=arguments.granules)
            return
        command, rounds = commands[arguments.command]
        print(f"{arguments.command} on {arguments.engine}")
        command(url, arguments.rounds or rounds)


if __name__ == "__main__":
    main()
