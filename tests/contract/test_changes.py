"""What two versions differ in, on every engine."""

from collections.abc import Sequence
from dataclasses import replace

from engines import Engine, PassedOn, open_on
from indexes import granule, header, manifest_of, random_index, small_index

from quadmosaic.domain.mosaic import Index, Version
from quadmosaic.ports import Changes, MosaicStore
from quadmosaic.storage.bucket import Bucket


async def write(store: MosaicStore, index: Index) -> Version:
    return await store.write("jezero", manifest_of(index), index)


async def test_a_version_does_not_differ_from_itself(store: MosaicStore) -> None:
    version = await write(store, random_index())
    assert await store.changes(version, version) == Changes()


async def test_granules_and_cells_that_came_went_and_changed_are_listed(store: MosaicStore) -> None:
    members = tuple(granule(name) for name in ("gone", "same", "moved", "read"))
    old = replace(small_index(), granules=members, cells={"00": (0,), "11": (1, 2), "22": (1,), "33": (3,)})
    changed = (members[1], granule("moved", lon=5.0), members[3], granule("new"))
    new = replace(old, granules=changed, cells={"11": (1, 0), "22": (0,), "30": (3,), "33": (2,)})
    new = replace(new, headers={"read": {"dtm": header()}, "new": {"dtm": header()}})
    before, after = await write(store, old), await write(store, new)
    assert await store.changes(before, after) == Changes(
        granules_added=("new",),
        granules_removed=("gone",),
        granules_changed=("moved", "read"),
        cells_added=("30",),
        cells_removed=("00",),
        cells_changed=("11",),
    )
    back = await store.changes(after, before)
    assert (back.granules_added, back.cells_removed, back.cells_changed) == (("gone",), ("30",), ("11",))


class Counted(PassedOn):
    """Counts the objects that are read."""

    def __init__(self, inner: Bucket) -> None:
        super().__init__(inner)
        self.reads = 0

    async def get(self, path: str) -> bytes | None:
        self.reads += 1
        return await super().get(path)

    async def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        self.reads += len(paths)
        return await super().get_many(paths)


async def test_shared_parts_are_not_read(engine: Engine) -> None:
    old = random_index(zoom=8, cells=4000, granules=2000)
    cell = next(iter(old.cells))
    new = replace(old, granules=(*old.granules, granule("new")), cells={**old.cells, cell: (*old.cells[cell], 2000)})
    writer = open_on(engine.bucket())
    before = await write(writer, old)
    after = await write(writer, new)
    counted = Counted(engine.bucket())
    changes = await open_on(counted).changes(before, after)
    assert changes == Changes(granules_added=("new",), cells_changed=(cell,))
    assert counted.reads < 20
