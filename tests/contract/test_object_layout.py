"""What lies in an object store: shared parts, clean deletions, damage and newer formats said in words."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from engines import Engine, PassedOn, open_dying, open_on
from indexes import found, granule, header, listed, manifest_of, random_index, small_index

from quadmosaic.domain.errors import Broken, Invalid, NotFound, Unavailable
from quadmosaic.domain.mosaic import Defaults, Index, MosaicRef, Version
from quadmosaic.ports import MosaicStore
from quadmosaic.storage.bucket import Bucket, Entry
from quadmosaic.storage.objects import open_store


async def publish(store: MosaicStore, index: Index, *, expected: int | None = None) -> Version:
    version = await store.write("jezero", manifest_of(index), index)
    await store.publish(MosaicRef("jezero", version.number), expected=expected)
    return version


async def paths(engine: Engine, containing: str = "") -> set[str]:
    return {path for path in await engine.paths() if containing in path}


async def overwrite(bucket: Bucket, path: str, body: bytes) -> None:
    await bucket.remove([path])
    await bucket.create(path, body)


# Sharing


async def test_two_versions_share_the_parts_that_did_not_change(engine: Engine) -> None:
    store = open_on(engine.bucket())
    headers = {f"g{number}": {"dtm": header(blocks=900, seed=number)} for number in range(200)}
    index = replace(random_index(zoom=8, cells=4000, granules=2000), headers=headers)
    first = await publish(store, index)
    before = await paths(engine, "/parts/")
    assert len(before) > 30
    cell = next(iter(index.cells))
    more = replace(
        index,
        granules=(granule("new"), *index.granules),
        cells={key: tuple(place + 1 for place in places) for key, places in index.cells.items()} | {cell: (0,)},
        headers={**headers, "new": {"dtm": header(seed=7)}},
    )
    await publish(store, more, expected=first.number)
    after = await paths(engine, "/parts/")
    assert before <= after
    assert 3 <= len(after - before) <= 6


async def test_the_same_index_is_written_once(engine: Engine) -> None:
    index = random_index(cells=2000)
    first = await publish(open_on(engine.bucket()), index)
    before = await paths(engine, "/parts/")
    turned = replace(
        index,
        granules=index.granules[::-1],
        cells={
            key: tuple(len(index.granules) - 1 - place for place in index.cells[key]) for key in reversed(index.cells)
        },
    )
    assert (await publish(open_on(engine.bucket()), turned, expected=first.number)).digest == first.digest
    assert await paths(engine, "/parts/") == before


async def test_a_rebuild_without_changes_writes_nothing(engine: Engine) -> None:
    index = random_index(cells=2000)
    first = await publish(open_on(engine.bucket()), index)
    before = await paths(engine)
    again = await open_dying(engine, writes=0).write("jezero", manifest_of(index, created="later"), index)
    assert again == first
    assert await paths(engine) == before


async def test_a_change_of_the_manifest_alone_sends_no_part(engine: Engine) -> None:
    index = random_index(cells=2000)
    first = await publish(open_on(engine.bucket()), index)
    number_mark_and_record = 3
    store = open_dying(engine, writes=number_mark_and_record)
    again = await store.write("jezero", manifest_of(index, defaults=Defaults(title="x")), index)
    assert again.number != first.number
    assert found((await store.lookup(again, list(index.cells))).cells) == listed(index)


async def test_reading_writes_nothing(engine: Engine) -> None:
    store = open_on(engine.bucket())
    assert (await store.mosaics()).items == ()
    assert await paths(engine) == set()
    version = await publish(store, small_index("a"))
    before = await paths(engine)
    reader = open_on(engine.bucket())
    await reader.lookup(await reader.version(MosaicRef("jezero")), ["12"])
    await reader.index(version)
    assert await paths(engine) == before


# Deletion


async def test_a_deletion_leaves_no_parts_and_no_manifests(engine: Engine) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, random_index(cells=2000))
    await publish(store, small_index("b"), expected=first.number)
    await store.delete("jezero")
    assert await paths(engine, "/lives/") == set()
    again = await publish(store, small_index("a"))
    kept = await paths(engine, "/lives/")
    assert kept
    assert found((await open_on(engine.bucket()).lookup(again, ["12"])).cells) == {"12": ["a"]}


class SlowCleaner(PassedOn):
    """Does not even look what to remove until it is told to go on."""

    def __init__(self, inner: Bucket) -> None:
        super().__init__(inner)
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()

    async def entries(self, folder: str, *, after: str | None = None) -> AsyncIterator[Entry]:
        if folder.endswith("/begun"):
            self.began.set()
            await self.go_on.wait()
        async for entry in super().entries(folder, after=after):
            yield entry


async def test_a_slow_cleaner_does_not_touch_what_is_registered_again(engine: Engine) -> None:
    cleaner = SlowCleaner(engine.bucket())
    await publish(open_on(engine.bucket()), small_index("a"))
    deletion = asyncio.create_task(open_on(cleaner).delete("jezero"))
    await cleaner.began.wait()
    again = await publish(open_on(engine.bucket()), small_index("a"))
    cleaner.go_on.set()
    await deletion
    assert found((await open_on(engine.bucket()).lookup(again, ["12"])).cells) == {"12": ["a"]}
    assert len(await paths(engine, "/versions/")) == 1


async def test_a_deletion_that_was_killed_is_finished_by_the_next(engine: Engine) -> None:
    cleaner = SlowCleaner(engine.bucket())
    await publish(open_on(engine.bucket()), small_index("a"))
    deletion = asyncio.create_task(open_on(cleaner).delete("jezero"))
    await cleaner.began.wait()
    deletion.cancel()
    assert await paths(engine, "/lives/")
    with pytest.raises(NotFound):
        await open_on(engine.bucket()).delete("jezero")
    assert await paths(engine, "/lives/") == set()


async def test_a_reader_of_a_version_that_is_deleted_meanwhile_finds_nothing(engine: Engine) -> None:
    index = random_index(cells=2000)
    reader = open_on(engine.bucket(), head_ttl_s=3600)
    version = await publish(open_on(engine.bucket()), index)
    cells = sorted(index.cells)
    await reader.lookup(version, cells[:1])
    await open_on(engine.bucket()).delete("jezero")
    with pytest.raises(NotFound, match="deleted"):
        await reader.lookup(version, cells[-1:])


# Damage


async def test_a_newer_format_is_refused_in_words(engine: Engine) -> None:
    store = open_on(engine.bucket())
    version = await publish(store, small_index("a"))
    await overwrite(engine.bucket(), "format.json", b'{"format": 2, "more": true}')
    for call in (
        lambda store: store.head("jezero"),
        lambda store: store.mosaics(),
        lambda store: store.version(MosaicRef("jezero")),
        lambda store: store.lookup(version, ["12"]),
        lambda store: store.write("jezero", manifest_of(small_index("b")), small_index("b")),
        lambda store: store.publish(MosaicRef("jezero", 1), expected=1),
        lambda store: store.delete("jezero"),
    ):
        with pytest.raises(Broken, match=r"format 2.*upgrade"):
            await call(open_on(engine.bucket()))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"format": "x"}', b"\xff"])
async def test_a_damaged_format_record_is_named(engine: Engine, body: bytes) -> None:
    await engine.bucket().create("format.json", body)
    with pytest.raises(Broken, match=r"format\.json"):
        await open_on(engine.bucket()).mosaics()


async def test_a_store_without_its_mark_is_empty(engine: Engine) -> None:
    await publish(open_on(engine.bucket()), small_index("a"))
    await engine.bucket().remove(["format.json"])
    assert (await open_on(engine.bucket()).mosaics()).items == ()


@pytest.mark.parametrize("damage", ["cut", "swapped", "missing", "empty"])
async def test_a_damaged_part_is_named(engine: Engine, damage: str) -> None:
    version = await publish(open_on(engine.bucket()), random_index(cells=2000))
    bucket = engine.bucket()
    parts = sorted(await paths(engine, "/parts/"))
    bodies = {path: await bucket.get(path) or b"" for path in parts}
    for path, other in zip(parts, parts[1:] + parts[:1], strict=True):
        await bucket.remove([path])
        if damage != "missing":
            changed = {"cut": bodies[path][:-10], "swapped": bodies[other], "empty": b""}[damage]
            await bucket.create(path, changed)
    with pytest.raises(Broken, match="parts/"):
        await open_on(engine.bucket()).lookup_prefix(version, [""], limit=10)


@pytest.mark.parametrize("kind", ["/heads/", "/versions/"])
async def test_a_damaged_record_is_named(engine: Engine, kind: str) -> None:
    await publish(open_on(engine.bucket()), small_index("a"))
    (path,) = await paths(engine, kind)
    await overwrite(engine.bucket(), path, b"\xc1")
    with pytest.raises(Broken, match=kind):
        await open_on(engine.bucket()).version(MosaicRef("jezero"))


async def test_what_others_left_in_the_folder_is_no_mosaic(engine: Engine) -> None:
    await publish(open_on(engine.bucket()), small_index("a"))
    bucket = engine.bucket()
    for path in ("names/No Name", "mosaics/No Name/x", "mosaics/jezero/heads/readme", "mosaics/jezero/lives/x/y"):
        await bucket.create(path, b"x")
    store = open_on(engine.bucket())
    assert (await store.mosaics()).items == ("jezero",)
    assert await store.head("jezero") == 1
    await store.delete("jezero")


# Opening


@pytest.mark.parametrize("url", ["", "http://x", "s4://b", "file://host/x", "file:///x?y", "memory://x", "file://"])
def test_an_unknown_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        open_store(url)
    assert refusal.value.field == "store"


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Invalid, match="is a file"):
        open_store(str(tmp_path / "file"))


async def test_a_path_and_a_url_name_the_same_folder_made_with_the_first_write(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "a b"
    by_path, by_url = open_store(str(folder)), open_store(folder.as_uri())
    assert (await by_path.mosaics()).items == ()
    assert not folder.exists()
    version = await publish(by_path, small_index("a"))
    assert (folder / "format.json").read_text() == '{"format":1}'
    assert await by_url.head("jezero") == version.number


async def test_memory_is_each_stores_own() -> None:
    store = open_store("memory://")
    await publish(store, small_index("a"))
    assert await store.head("jezero") == 1
    assert (await open_store("memory://").mosaics()).items == ()


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "store").write_text("now a file")
    with pytest.raises(Unavailable):
        await publish(store, small_index("a"))


async def test_a_folder_that_vanishes_is_empty(tmp_path: Path) -> None:
    await publish(open_store(str(tmp_path / "store")), small_index("a"))
    shutil.rmtree(tmp_path / "store")
    assert (await open_store(str(tmp_path / "store")).mosaics()).items == ()


def test_a_store_outlives_an_event_loop(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    version = asyncio.run(publish(store, small_index("a")))
    for _ in range(2):
        assert found(asyncio.run(store.lookup(version, ["12"])).cells) == {"12": ["a"]}


async def test_half_a_version_is_never_published(engine: Engine) -> None:
    store = open_on(engine.bucket())
    index = random_index(cells=2000)
    version = await store.write("jezero", manifest_of(index), index)
    await engine.bucket().remove(sorted(await paths(engine, "/parts/"))[:1])
    with pytest.raises(Broken, match="not whole"):
        await store.publish(MosaicRef("jezero", version.number), expected=None)
    with pytest.raises(NotFound):
        await store.head("jezero")
