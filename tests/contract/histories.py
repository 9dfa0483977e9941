"""Random histories of mosaics by two processes, checked against a dictionary of what was written."""

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from engines import Engine, open_on
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from indexes import Found, found, listed, manifest_of, random_index

from quadmosaic.domain.errors import Conflict, NotFound
from quadmosaic.domain.mosaic import MosaicRef, Version

SUFFIXES = ("a", "a-b")
NOW = timedelta(0)
suffixes = st.sampled_from(SUFFIXES)
processes = st.integers(0, 1)


@dataclass
class Mosaic:
    """What should be known of a name; what was written before the last deletion, or is swept, counts no more."""

    head: int | None = None
    written: dict[int, tuple[Version, Found]] = field(default_factory=dict)
    published: set[int] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)

    def keep(self, numbers: Collection[int]) -> None:
        self.written = {number: self.written[number] for number in numbers}
        self.published &= set(numbers)


class History(RuleBasedStateMachine):
    """Writes, publications, deletions and sweeps by two processes in any order, under names of their own."""

    def __init__(self, engine: Engine, run: int, tally: Counter[str]) -> None:
        super().__init__()
        self.stores = [open_on(engine.bucket()), open_on(engine.bucket())]
        self.run = run
        self.tally = tally
        tally["histories"] += 1
        self.model = {self.name(suffix): Mosaic() for suffix in SUFFIXES}

    def name(self, suffix: str) -> str:
        return f"r{self.run:06d}-{suffix}"

    @rule(process=processes, suffix=suffixes, seed=st.integers(0, 3), cells=st.sampled_from([1, 40]))
    def write(self, process: int, suffix: str, seed: int, cells: int) -> None:
        index = random_index(seed, zoom=4, cells=cells, granules=10)
        mosaic = self.model[self.name(suffix)]
        version = asyncio.run(self.stores[process].write(self.name(suffix), manifest_of(index), index))
        if mosaic.head is not None and mosaic.written[mosaic.head][0].digest == version.digest:
            assert version == mosaic.written[mosaic.head][0]
            return
        assert version.number not in mosaic.numbers
        mosaic.numbers.add(version.number)
        mosaic.written[version.number] = (version, listed(index))

    @rule(process=processes, suffix=suffixes, number=st.integers(1, 8), right=st.booleans())
    def publish(self, process: int, suffix: str, number: int, right: bool) -> None:
        mosaic = self.model[self.name(suffix)]
        expected = mosaic.head if right else (mosaic.head or 0) + 1
        try:
            asyncio.run(self.stores[process].publish(MosaicRef(self.name(suffix), number), expected=expected))
        except Conflict:
            assert not right
        except NotFound:
            assert number not in mosaic.written
        else:
            assert right
            assert number in mosaic.written
            mosaic.head = number
            mosaic.published.add(number)

    @rule(process=processes, suffix=suffixes)
    def delete(self, process: int, suffix: str) -> None:
        mosaic = self.model[self.name(suffix)]
        try:
            asyncio.run(self.stores[process].delete(self.name(suffix)))
        except NotFound:
            assert mosaic.head is None
        else:
            assert mosaic.head is not None
        self.model[self.name(suffix)] = Mosaic(numbers=mosaic.numbers)

    @rule(process=processes, suffix=suffixes, keep=st.integers(1, 3))
    def sweep(self, process: int, suffix: str, keep: int) -> None:
        mosaic = self.model[self.name(suffix)]
        sweeping = self.stores[process].sweep(self.name(suffix), keep=keep, younger_than=NOW, spare=NOW)
        try:
            report = asyncio.run(sweeping)
        except NotFound:
            assert not mosaic.numbers
            return
        stay = {*sorted(mosaic.published)[-keep:], *({mosaic.head} if mosaic.head is not None else ())}
        gone = {f"{self.name(suffix)}@{number}" for number in mosaic.written.keys() - stay}
        assert {*report.published, *report.unpublished} == gone
        mosaic.keep(stay)

    @rule(process=processes, suffix=suffixes, number=st.integers(1, 8))
    def read(self, process: int, suffix: str, number: int) -> None:
        mosaic = self.model[self.name(suffix)]
        store = self.stores[process]
        try:
            version = asyncio.run(store.version(MosaicRef(self.name(suffix), number)))
        except NotFound:
            assert number not in mosaic.published
        else:
            assert number in mosaic.published
            written, cells = mosaic.written[number]
            assert version == written
            assert found(asyncio.run(store.lookup_prefix(version, [""], limit=1000)).cells) == cells

    @invariant()
    def listings_agree(self) -> None:
        self.tally["steps"] += 1
        living = tuple(name for name, mosaic in self.model.items() if mosaic.head is not None)
        for store in self.stores:
            page = asyncio.run(store.mosaics(after=f"r{self.run:06d}", limit=2))
            assert tuple(name for name in page.items if name in self.model) == living
            for name in living:
                mosaic = self.model[name]
                assert asyncio.run(store.head(name)) == mosaic.head
                history = asyncio.run(store.versions(name)).items
                assert [version.number for version in history] == sorted(mosaic.published, reverse=True)


def run_histories(engine: Engine, *, examples: int, steps: int) -> Counter[str]:
    """So many random histories of at most so many steps on one engine; answers how many histories and steps it was."""
    runs, tally = count(1), Counter[str]()
    rules = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(lambda: History(engine, next(runs), tally), settings=rules)
    return tally
