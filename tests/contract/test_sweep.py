"""Retention and sweep, on every engine: what stays, what goes, and that no race or death breaks what stays."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from engines import Engine, Killed, PassedOn, open_dying, open_later, open_on
from indexes import found, granule, header, ids, listed, manifest_of, random_index, small_index

from quadmosaic.domain.errors import Conflict, Invalid, NotFound
from quadmosaic.domain.mosaic import Index, MosaicRef, Version
from quadmosaic.ports import MosaicStore, SweepReport
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.objects import open_store

NOW = timedelta(0)
DAY = 86_400.0


async def publish(store: MosaicStore, index: Index, *, expected: int | None = None, name: str = "jezero") -> Version:
    version = await store.write(name, manifest_of(index), index)
    await store.publish(MosaicRef(name, version.number), expected=expected)
    return version


async def publish_all(store: MosaicStore, *indexes: Index) -> list[Version]:
    versions: list[Version] = []
    for index in indexes:
        versions.append(await publish(store, index, expected=versions[-1].number if versions else None))
    return versions


async def sweep_all(store: MosaicStore, *, keep: int = 1) -> SweepReport:
    """Give up all that may be given up."""
    return await store.sweep(keep=keep, younger_than=NOW, spare=NOW)


async def is_whole(engine: Engine, version: Version, index: Index) -> bool:
    """Does a fresh process read all of it?"""
    reader = open_on(engine.bucket())
    back = await reader.index(await reader.version(MosaicRef(version.name, version.number)))
    headers = {key: dict(value) for key, value in index.headers.items()}
    return listed(back) == {key: names for key, names in listed(index).items() if names} and back.headers == headers


async def leftovers(engine: Engine) -> set[str]:
    """All but the records that stay for ever: heads, numbers, and marks of names and lives."""
    forever = ("format.json", "names/", "/heads/", "/numbers/", "/begun/")
    return {path for path in await engine.paths() if not any(kind in path for kind in forever)}


def indexes(count: int) -> list[Index]:
    """Versions of a mosaic that share most of their parts."""
    base = random_index(zoom=5, cells=900, granules=300)
    base = replace(base, headers={f"g{n}": {"dtm": header(blocks=200, seed=n)} for n in range(0, 300, 4)})
    first = next(iter(base.cells))
    return [
        replace(base, granules=(*base.granules, granule(f"new{n}")), cells={**base.cells, first: (300,)})
        for n in range(count)
    ]


# What stays


async def test_the_last_versions_stay(engine: Engine) -> None:
    contents = indexes(5)
    versions = await publish_all(open_on(engine.bucket()), *contents)
    report = await open_on(engine.bucket()).sweep(keep=2, younger_than=NOW, spare=NOW)
    assert report.published == tuple(version.label for version in versions[:3])
    assert report.unpublished == ()
    reader = open_on(engine.bucket())
    assert [version.number for version in (await reader.versions("jezero")).items] == [5, 4]
    for version, index in zip(versions[3:], contents[3:], strict=True):
        assert await is_whole(engine, version, index)


async def test_young_versions_stay(engine: Engine) -> None:
    versions = await publish_all(open_on(engine.bucket()), *(small_index(name) for name in "abc"))
    week = timedelta(days=7)
    assert (await open_later(engine, DAY).sweep(keep=1, younger_than=week)).published == ()
    assert len((await open_on(engine.bucket()).versions("jezero")).items) == 3
    report = await open_later(engine, 8 * DAY).sweep(keep=1, younger_than=week)
    assert report.published == tuple(version.label for version in versions[:2])


async def test_what_was_the_head_a_moment_ago_stays_for_its_readers(engine: Engine) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    await publish(store, small_index("b"), expected=first.number)
    assert (await store.sweep(keep=1, younger_than=NOW)).published == ()
    assert await is_whole(engine, first, small_index("a"))


async def test_an_old_version_that_is_the_head_again_stays(engine: Engine) -> None:
    store = open_on(engine.bucket())
    contents = indexes(4)
    versions = await publish_all(store, *contents)
    await store.publish(MosaicRef("jezero", versions[0].number), expected=versions[3].number)
    report = await sweep_all(open_on(engine.bucket()))
    assert report.published == tuple(version.label for version in versions[1:3])
    assert await is_whole(engine, versions[0], contents[0])
    assert await is_whole(engine, versions[3], contents[3])


async def test_nothing_stays_that_no_version_needs(engine: Engine) -> None:
    store = open_on(engine.bucket())
    contents = indexes(6)
    versions = await publish_all(store, *contents)
    await sweep_all(open_on(engine.bucket()))
    head = versions[-1]
    assert await is_whole(engine, head, contents[-1])
    alone = open_on(engine.bucket())
    await publish(alone, contents[-1], name="other")
    rest = await leftovers(engine)
    mine = {path for path in rest if "/jezero/" in path}
    assert len(mine) == len({path for path in rest if "/other/" in path})


async def test_cells_overwritten_by_one_leave_nothing_behind(engine: Engine) -> None:
    store = open_on(engine.bucket())
    many = await publish(store, random_index(zoom=8, cells=3000, granules=500))
    few = small_index("a")
    one = await publish(store, few, expected=many.number)
    cells = (await open_on(engine.bucket()).lookup_prefix(one, [""], limit=4000)).cells
    assert found(cells) == listed(few)
    await sweep_all(open_on(engine.bucket()))
    assert await is_whole(engine, one, few)
    assert len(await leftovers(engine)) == 3


async def test_a_swept_version_is_not_found(engine: Engine) -> None:
    contents = [random_index(seed, zoom=6, cells=1500, granules=200) for seed in range(2)]
    store, reader = open_on(engine.bucket()), open_on(engine.bucket())
    old, new = await publish_all(store, *contents)
    cells = sorted(contents[0].cells)
    await reader.lookup(old, cells[:1])
    await sweep_all(store)
    for one in (store, reader, open_on(engine.bucket())):
        with pytest.raises(NotFound, match="1"):
            await one.version(MosaicRef("jezero", old.number))
        with pytest.raises(NotFound, match="1"):
            await one.publish(MosaicRef("jezero", old.number), expected=new.number)
    with pytest.raises(NotFound, match="swept"):
        await reader.lookup(old, cells[-1:])


async def test_a_sweep_without_work_writes_nothing(engine: Engine) -> None:
    await publish_all(open_on(engine.bucket()), small_index("a"), small_index("b"))
    await sweep_all(open_on(engine.bucket()))
    before = await engine.paths()
    assert await sweep_all(open_on(engine.bucket())) == SweepReport()
    assert await engine.paths() == before


async def test_one_mosaic_can_be_swept_alone(engine: Engine) -> None:
    store = open_on(engine.bucket())
    for name in ("a", "b"):
        first = await publish(store, small_index("x"), name=name)
        await publish(store, small_index("y"), name=name, expected=first.number)
    assert (await store.sweep("a", keep=1, younger_than=NOW, spare=NOW)).published == ("a@1",)
    assert (await sweep_all(store)).published == ("b@1",)


async def test_a_sweep_of_nothing(store: MosaicStore) -> None:
    assert await sweep_all(store) == SweepReport()
    with pytest.raises(NotFound, match="jezero"):
        await store.sweep("jezero")
    with pytest.raises(Invalid) as refusal:
        await store.sweep(keep=0)
    assert refusal.value.field == "keep"


# Debris


async def test_debris_of_killed_writers_is_collected_once_it_is_old(engine: Engine) -> None:
    first = await publish(open_on(engine.bucket()), small_index("a"))
    clean = await leftovers(engine)
    index = replace(small_index("b", "c"), headers={"b": {"dtm": header()}})
    # The first dies with nothing but its number.
    for writes in range(1, 6):
        with pytest.raises(Killed):
            await open_dying(engine, writes=writes).write("jezero", manifest_of(index), index)
    debris = await leftovers(engine)
    assert len(debris - clean) > 8
    assert (await open_on(engine.bucket()).sweep()).objects == 0
    assert await leftovers(engine) == debris
    report = await open_later(engine, DAY).sweep()
    assert (len(report.unpublished), report.published) == (4, ())
    assert await leftovers(engine) == clean
    assert await is_whole(engine, first, small_index("a"))


async def test_debris_of_a_mosaic_that_never_was_published_is_collected(engine: Engine) -> None:
    index = random_index(cells=900)
    await open_on(engine.bucket()).write("jezero", manifest_of(index), index)
    with pytest.raises(Killed):
        await open_dying(engine, writes=6).write("jezero", manifest_of(index), index)
    report = await open_later(engine, DAY).sweep()
    assert report.unpublished == ("jezero@1", "jezero@2")
    assert await leftovers(engine) == set()
    with pytest.raises(NotFound):
        await open_on(engine.bucket()).head("jezero")
    again = await publish(open_on(engine.bucket()), index)
    assert again.number == 3
    assert await is_whole(engine, again, index)


async def test_what_a_writer_leaves_in_a_deleted_mosaic_is_collected(engine: Engine) -> None:
    await publish(open_on(engine.bucket()), small_index("a"))
    index = random_index(cells=900)
    late = Hooked(engine.bucket())
    late.before_finish = lambda: open_on(engine.bucket()).delete("jezero")
    await open_on(late).write("jezero", manifest_of(index), index)
    assert await leftovers(engine)
    await open_later(engine, 60).sweep()
    assert await leftovers(engine) == set()
    await open_later(engine, DAY).sweep()
    assert not [path for path in await engine.paths() if "/begun/" in path]


async def test_half_written_files_of_a_folder_are_collected(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    await publish(store, small_index("a"))
    staged = tmp_path / "mosaics" / "jezero" / "heads" / "0000000002#1"
    staged.write_bytes(b"half")
    assert (await store.sweep()).objects == 0
    assert staged.exists()
    assert (await store.sweep(spare=timedelta(seconds=-5))).objects == 1
    assert not staged.exists()
    assert found((await store.lookup(await store.version(MosaicRef("jezero")), ["12"])).cells) == {"12": ["a"]}


# Races and deaths


class Hooked(PassedOn):
    """Lets something happen just before a version is recorded, or just before the head is moved."""

    def __init__(self, inner: Bucket) -> None:
        super().__init__(inner)
        self.before_finish: Callable[[], Coroutine[None, None, object]] | None = None
        self.before_publish: Callable[[], Coroutine[None, None, object]] | None = None

    async def create(self, path: str, body: bytes) -> bool:
        if "/versions/" in path and self.before_finish is not None:
            hook, self.before_finish = self.before_finish, None
            await hook()
        if "/heads/" in path and self.before_publish is not None:
            hook, self.before_publish = self.before_publish, None
            await hook()
        return await super().create(path, body)


async def test_a_sweep_while_a_version_is_written_spares_what_it_shares(engine: Engine) -> None:
    contents = indexes(3)
    first, second = await publish_all(open_on(engine.bucket()), *contents[:2])
    hooked = Hooked(engine.bucket())

    async def replaced_and_swept() -> None:
        other = open_on(engine.bucket())
        third = await publish(other, small_index("quite other"), expected=second.number)
        report = await other.sweep(keep=1, younger_than=NOW)
        assert second.label not in report.published
        await other.publish(MosaicRef("jezero", second.number), expected=third.number)

    hooked.before_finish = replaced_and_swept
    version = await publish(open_on(hooked), contents[2], expected=second.number)
    assert await is_whole(engine, version, contents[2])
    assert first.number < version.number


async def test_a_version_that_shares_what_was_swept_is_never_published(engine: Engine) -> None:
    contents = indexes(2)
    (first,) = await publish_all(open_on(engine.bucket()), contents[0])
    hooked = Hooked(engine.bucket())
    other = open_on(engine.bucket())
    replacing = small_index("quite other")

    async def replaced_and_swept() -> None:
        await publish(other, replacing, expected=first.number)
        assert first.label in (await sweep_all(other)).published

    hooked.before_finish = replaced_and_swept
    store = open_on(hooked)
    slow = await store.write("jezero", manifest_of(contents[1]), contents[1])
    head = await other.head("jezero")
    with pytest.raises((NotFound, Conflict)):
        await store.publish(MosaicRef("jezero", slow.number), expected=head)
    reader = open_on(engine.bucket())
    assert found((await reader.lookup(await reader.version(MosaicRef("jezero")), ["12"])).cells) == {
        "12": ids(replacing.granules)
    }
    await sweep_all(open_on(engine.bucket()))
    assert len(await leftovers(engine)) == 3


async def test_going_back_to_a_version_that_is_swept_this_moment_fails_cleanly(engine: Engine) -> None:
    contents = indexes(3)
    versions = await publish_all(open_on(engine.bucket()), *contents)
    hooked = Hooked(engine.bucket())
    hooked.before_publish = lambda: sweep_all(open_on(engine.bucket()))
    with pytest.raises(NotFound, match="1"):
        await open_on(hooked).publish(MosaicRef("jezero", 1), expected=3)
    assert await is_whole(engine, versions[2], contents[2])


async def test_a_sweep_that_meets_a_publication_keeps_what_was_published(engine: Engine) -> None:
    contents = indexes(3)
    versions = await publish_all(open_on(engine.bucket()), *contents)
    hooked = Hooked(engine.bucket())
    hooked.before_publish = lambda: open_on(engine.bucket()).publish(MosaicRef("jezero", 1), expected=3)
    report = await sweep_all(open_on(hooked))
    assert report.published == (versions[1].label,)
    assert await is_whole(engine, versions[0], contents[0])


async def test_publishing_goes_on_when_a_sweep_moved_the_head(engine: Engine) -> None:
    contents = indexes(4)
    versions = await publish_all(open_on(engine.bucket()), *contents[:3])
    hooked = Hooked(engine.bucket())
    hooked.before_publish = lambda: open_on(engine.bucket()).sweep(keep=2, younger_than=NOW, spare=timedelta(minutes=5))
    version = await publish(open_on(hooked), contents[3], expected=versions[2].number)
    assert await open_on(engine.bucket()).head("jezero") == version.number
    assert await is_whole(engine, version, contents[3])


class Checked(PassedOn):
    """Lets something happen just before the parts of a version are counted."""

    def __init__(self, inner: Bucket, hook: Callable[[], Coroutine[None, None, object]]) -> None:
        super().__init__(inner)
        self.hook = hook

    async def missing(self, paths: Collection[str]) -> set[str]:
        await self.hook()
        return await super().missing(paths)


async def test_publishing_what_is_deleted_or_swept_this_moment_finds_nothing(engine: Engine) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    for hook in (
        lambda: sweep_all(open_on(engine.bucket())),
        lambda: open_on(engine.bucket()).delete("jezero"),
    ):
        late = await store.write("jezero", manifest_of(random_index()), random_index())
        with pytest.raises((NotFound, Conflict)):
            await open_on(Checked(engine.bucket(), hook)).publish(
                MosaicRef("jezero", late.number), expected=first.number
            )


class DyingSweeper(PassedOn):
    """Removes so many objects, one by one, and no more."""

    def __init__(self, inner: Bucket, *, removals: int) -> None:
        super().__init__(inner)
        self.removals = removals

    async def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            if self.removals == 0:
                raise Killed
            self.removals -= 1
            await super().remove([path])


@pytest.mark.parametrize("removals", [0, 1, 3, 5])
async def test_a_sweep_that_was_killed_is_finished_by_the_next(engine: Engine, removals: int) -> None:
    contents = indexes(4)
    versions = await publish_all(open_on(engine.bucket()), *contents)
    with pytest.raises(Killed):
        await sweep_all(open_on(DyingSweeper(engine.bucket(), removals=removals)))
    reader = open_on(engine.bucket())
    assert [version.number for version in (await reader.versions("jezero")).items] == [4]
    assert await is_whole(engine, versions[3], contents[3])
    await sweep_all(open_on(engine.bucket()))
    assert await is_whole(engine, versions[3], contents[3])
    rest = {path for path in await leftovers(engine) if "/parts/" not in path}
    assert len(rest) == 1


async def test_sweepers_at_once_do_no_harm(engine: Engine) -> None:
    contents = indexes(4)
    versions = await publish_all(open_on(engine.bucket()), *contents)
    reports = await asyncio.gather(*(sweep_all(open_on(engine.bucket())) for _ in range(4)))
    assert {label for report in reports for label in report.published} == {v.label for v in versions[:3]}
    assert await is_whole(engine, versions[3], contents[3])


async def test_readers_never_miss_anything_while_versions_come_and_go(engine: Engine) -> None:
    truth: Mapping[str, Index] = {name: small_index(name, f"{name}2") for name in "abcdef"}
    writer, reader = open_on(engine.bucket()), open_on(engine.bucket())
    first = await publish(writer, truth["a"])
    digests = {first.digest: "a"}
    done = asyncio.Event()

    async def write() -> None:
        head = first.number
        for name in ["b", "c", "a", "d", "b", "e", "f", "a"]:
            version = await writer.write("jezero", manifest_of(truth[name]), truth[name])
            digests[version.digest] = name
            await writer.publish(MosaicRef("jezero", version.number), expected=head)
            head = version.number
            await writer.sweep(keep=1, younger_than=NOW, spare=timedelta(seconds=2))
        done.set()

    async def read() -> int:
        answers = 0
        while not done.is_set():
            version = await reader.version(MosaicRef("jezero"))
            expected = listed(truth[digests[version.digest]])
            assert found((await reader.lookup(version, ["12", "30"])).cells) == expected
            assert found((await reader.lookup_prefix(version, [""], limit=10)).cells) == expected
            answers += 1
            await asyncio.sleep(0)
        return answers

    _, answers = await asyncio.gather(write(), read())
    assert answers > 0
