"""Random histories: several processes on one store answer like one dictionary of what was written."""

import asyncio
from dataclasses import dataclass, field

from engines import MemoryEngine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from indexes import Found, found, listed, manifest_of, random_index
from obstore.store import MemoryStore

from quadmosaic.domain.errors import Conflict, NotFound
from quadmosaic.domain.mosaic import MosaicRef, Version

NAMES = ("a", "a-b")
names = st.sampled_from(NAMES)
processes = st.integers(0, 1)


@dataclass
class Mosaic:
    """What should be known of a name; versions written before the last deletion count no more."""

    head: int | None = None
    written: dict[int, tuple[Version, Found]] = field(default_factory=dict)
    published: set[int] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)


class History(RuleBasedStateMachine):
    """Writes, publications and deletions by two processes in any order."""

    def __init__(self) -> None:
        super().__init__()
        engine = MemoryEngine(MemoryStore())
        self.stores = [engine.open(), engine.open()]
        self.model = {name: Mosaic() for name in NAMES}

    @rule(process=processes, name=names, seed=st.integers(0, 3), cells=st.sampled_from([1, 40]))
    def write(self, process: int, name: str, seed: int, cells: int) -> None:
        index = random_index(seed, zoom=4, cells=cells, granules=10)
        mosaic = self.model[name]
        version = asyncio.run(self.stores[process].write(name, manifest_of(index), index))
        assert version.number not in mosaic.numbers
        mosaic.numbers.add(version.number)
        mosaic.written[version.number] = (version, listed(index))

    @rule(process=processes, name=names, number=st.integers(1, 8), right=st.booleans())
    def publish(self, process: int, name: str, number: int, right: bool) -> None:
        mosaic = self.model[name]
        expected = mosaic.head if right else (mosaic.head or 0) + 1
        try:
            asyncio.run(self.stores[process].publish(MosaicRef(name, number), expected=expected))
        except Conflict:
            assert not right
        except NotFound:
            assert number not in mosaic.written
        else:
            assert right
            assert number in mosaic.written
            mosaic.head = number
            mosaic.published.add(number)

    @rule(process=processes, name=names)
    def delete(self, process: int, name: str) -> None:
        mosaic = self.model[name]
        try:
            asyncio.run(self.stores[process].delete(name))
        except NotFound:
            assert mosaic.head is None
        else:
            assert mosaic.head is not None
            self.model[name] = Mosaic(numbers=mosaic.numbers)

    @rule(process=processes, name=names, number=st.integers(1, 8))
    def read(self, process: int, name: str, number: int) -> None:
        mosaic = self.model[name]
        store = self.stores[process]
        try:
            version = asyncio.run(store.version(MosaicRef(name, number)))
        except NotFound:
            assert number not in mosaic.published
        else:
            assert number in mosaic.published
            written, cells = mosaic.written[number]
            assert version == written
            assert found(asyncio.run(store.lookup_prefix(version, [""], limit=1000)).cells) == cells

    @invariant()
    def listings_agree(self) -> None:
        living = tuple(name for name in NAMES if self.model[name].head is not None)
        for store in self.stores:
            assert asyncio.run(store.mosaics()).items == living
            for name in living:
                mosaic = self.model[name]
                assert asyncio.run(store.head(name)) == mosaic.head
                history = asyncio.run(store.versions(name)).items
                assert [version.number for version in history] == sorted(mosaic.published, reverse=True)


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
