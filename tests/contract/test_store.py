"""What every MosaicStore owes, on every engine."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import shapely
from engines import Engine, Killed, open_deaf, open_dying, open_on
from indexes import below, found, granule, header, ids, in_cells, listed, manifest_of, random_index, small_index

from quadmosaic.domain.errors import Conflict, Invalid, NotFound
from quadmosaic.domain.granules import Granule, Refusal
from quadmosaic.domain.mosaic import AssetProfile, Defaults, Index, MosaicRef, Recipe, Report, Version
from quadmosaic.domain.sources import CogsSource, FeaturesSource, MosaicJsonSource, Source, StacSource
from quadmosaic.ports import MosaicStore


async def write(store: MosaicStore, index: Index, name: str = "jezero") -> Version:
    return await store.write(name, manifest_of(index), index)


async def publish(store: MosaicStore, index: Index, name: str = "jezero", *, expected: int | None = None) -> Version:
    version = await write(store, index, name)
    await store.publish(MosaicRef(name, version.number), expected=expected)
    return version


async def all_numbers(store: MosaicStore, name: str = "jezero") -> list[int]:
    return [version.number for version in (await store.versions(name)).items]


# Names and heads


async def test_an_empty_store_has_no_mosaics_and_knows_no_name(store: MosaicStore) -> None:
    assert (await store.mosaics()).items == ()
    for call in (
        store.head("jezero"),
        store.version(MosaicRef("jezero")),
        store.version(MosaicRef("jezero", 1)),
        store.versions("jezero"),
        store.delete("jezero"),
        store.publish(MosaicRef("jezero", 1), expected=None),
    ):
        with pytest.raises(NotFound, match="jezero"):
            await call


@pytest.mark.parametrize("name", ["", "Jezero", "a/b", "..", "a b", "jezero@1", "ü", "x" * 65, "a\n"])
async def test_a_name_that_could_be_a_path_is_refused(store: MosaicStore, name: str) -> None:
    index = small_index("a")
    for call in (store.head(name), store.version(MosaicRef(name, 1)), store.versions(name), store.delete(name)):
        with pytest.raises(Invalid) as refusal:
            await call
        assert refusal.value.field == "name"
    with pytest.raises(Invalid):
        await store.write(name, manifest_of(index), index)
    with pytest.raises(Invalid):
        await store.publish(MosaicRef(name, 1), expected=None)


async def test_mosaics_are_listed_by_name_in_pages(store: MosaicStore) -> None:
    names = ["a", "a-1", "b", "c9", "x" * 64]
    for name in reversed(names):
        await publish(store, small_index("g"), name)
    await write(store, small_index("g"), "never-published")
    seen, after = [], None
    while True:
        page = await store.mosaics(after=after, limit=2)
        assert len(page.items) <= 2
        seen.extend(page.items)
        if page.next is None:
            break
        after = page.next
    assert seen == names
    assert (await store.mosaics(limit=5)).next is None


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_has_at_least_one_item(store: MosaicStore, limit: int) -> None:
    version = await publish(store, small_index("a"))
    for call in (
        store.mosaics(limit=limit),
        store.versions("jezero", limit=limit),
        store.granules(version, limit=limit),
        store.lookup_prefix(version, [""], limit=limit),
    ):
        with pytest.raises(Invalid) as refusal:
            await call
        assert refusal.value.field == "limit"


# Writing and publishing


async def test_a_version_is_invisible_until_it_is_published(engine: Engine) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    second = await write(store, small_index("b"))
    for reader in (store, open_on(engine.bucket())):
        assert await reader.head("jezero") == first.number
        assert (await reader.version(MosaicRef("jezero"))) == first
        assert await all_numbers(reader) == [first.number]
        with pytest.raises(NotFound, match=str(second.number)):
            await reader.version(MosaicRef("jezero", second.number))
    await store.publish(MosaicRef("jezero", second.number), expected=first.number)
    for reader in (store, open_on(engine.bucket())):
        assert await reader.head("jezero") == second.number
        assert await all_numbers(reader) == [second.number, first.number]
        assert (await reader.version(MosaicRef("jezero", second.number))) == second


async def test_a_written_version_can_be_looked_up_by_its_writer(store: MosaicStore) -> None:
    version = await write(store, small_index("a", "b"))
    assert found((await store.lookup(version, ["12"])).cells) == {"12": ["a", "b"]}


async def test_a_pinned_version_never_changes(engine: Engine) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    await publish(store, small_index("b"), expected=first.number)
    for reader in (store, open_on(engine.bucket())):
        pinned = await reader.version(MosaicRef("jezero", first.number))
        assert pinned == first
        assert pinned.label == f"jezero@{first.number}"
        assert found((await reader.lookup(pinned, ["12"])).cells) == {"12": ["a"]}


async def test_going_back_to_an_old_version(engine: Engine) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    second = await publish(store, small_index("b"), expected=first.number)
    await store.publish(MosaicRef("jezero", first.number), expected=second.number)
    assert await open_on(engine.bucket()).head("jezero") == first.number
    assert await all_numbers(store) == [second.number, first.number]
    third = await publish(store, small_index("c"), expected=first.number)
    assert third.number > second.number


async def test_publishing_what_is_published_changes_nothing(store: MosaicStore) -> None:
    first = await publish(store, small_index("a"))
    await store.publish(MosaicRef("jezero", first.number), expected=first.number)
    assert await store.head("jezero") == first.number


@pytest.mark.parametrize("expected", [None, 7])
async def test_publishing_over_another_head_than_expected_is_a_conflict(
    store: MosaicStore, expected: int | None
) -> None:
    first = await publish(store, small_index("a"))
    second = await write(store, small_index("b"))
    with pytest.raises(Conflict, match="jezero"):
        await store.publish(MosaicRef("jezero", second.number), expected=expected)
    assert await store.head("jezero") == first.number


async def test_publishing_the_first_version_expects_no_head(store: MosaicStore) -> None:
    version = await write(store, small_index("a"))
    with pytest.raises(Conflict):
        await store.publish(MosaicRef("jezero", version.number), expected=1)
    await store.publish(MosaicRef("jezero", version.number), expected=None)
    assert await store.head("jezero") == version.number


async def test_publishing_needs_a_number_that_is_written(store: MosaicStore) -> None:
    first = await publish(store, small_index("a"))
    with pytest.raises(Invalid) as refusal:
        await store.publish(MosaicRef("jezero"), expected=first.number)
    assert refusal.value.field == "version"
    with pytest.raises(NotFound):
        await store.publish(MosaicRef("jezero", first.number + 1), expected=first.number)


@pytest.mark.parametrize("same_process", [True, False])
async def test_of_eight_publishers_one_wins(engine: Engine, same_process: bool) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    stores = [store if same_process else open_on(engine.bucket()) for _ in range(8)]
    written = await asyncio.gather(*(write(other, small_index(f"b{n}")) for n, other in enumerate(stores)))
    assert len({version.number for version in written}) == 8
    results = await asyncio.gather(
        *(
            other.publish(MosaicRef("jezero", version.number), expected=first.number)
            for other, version in zip(stores, written, strict=True)
        ),
        return_exceptions=True,
    )
    winners = [version for version, result in zip(written, results, strict=True) if result is None]
    assert len(winners) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 7
    reader = open_on(engine.bucket())
    assert await reader.head("jezero") == winners[0].number
    assert await all_numbers(reader) == [winners[0].number, first.number]


async def test_of_eight_publishers_of_the_same_version_one_wins(engine: Engine) -> None:
    store = open_on(engine.bucket())
    version = await write(store, small_index("a"))
    calls = (open_on(engine.bucket()).publish(MosaicRef("jezero", version.number), expected=None) for _ in range(8))
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 7
    assert await store.head("jezero") == version.number


async def test_a_publisher_that_missed_the_reply_knows_that_it_won(engine: Engine) -> None:
    deaf = open_deaf(engine)
    first = await publish(deaf, small_index("a"))
    second = await publish(deaf, small_index("b"), expected=first.number)
    assert await open_on(engine.bucket()).head("jezero") == second.number


async def test_a_killed_writer_leaves_readers_and_later_writers_alone(engine: Engine) -> None:
    store = open_on(engine.bucket())
    index = replace(small_index("b", "c"), headers={"b": {"dtm": header()}})
    first = await publish(store, small_index("a"))
    numbers = {first.number}
    writes = 0
    while True:
        dying = open_dying(engine, writes=writes)
        try:
            version = await dying.write("jezero", manifest_of(index), index)
            await dying.publish(MosaicRef("jezero", version.number), expected=first.number)
            break
        except Killed:
            writes += 1
        reader = open_on(engine.bucket())
        assert await reader.version(MosaicRef("jezero")) == first
        assert await all_numbers(reader) == [first.number]
        assert found((await reader.lookup(first, ["12"])).cells) == {"12": ["a"]}
        numbers.add((await write(reader, small_index(f"x{writes}"))).number)
    assert writes > 4
    assert len(numbers) == writes + 1
    assert await open_on(engine.bucket()).version(MosaicRef("jezero")) == version
    assert found((await open_on(engine.bucket()).lookup(version, ["12"])).cells) == {"12": ["b", "c"]}


async def test_a_remembered_head_is_read_again_after_its_time(engine: Engine) -> None:
    writer, forgetful, patient = (
        open_on(engine.bucket()),
        open_on(engine.bucket(), head_ttl_s=0),
        open_on(engine.bucket(), head_ttl_s=3600),
    )
    first = await publish(writer, small_index("a"))
    assert await patient.head("jezero") == await forgetful.head("jezero") == first.number
    second = await publish(writer, small_index("b"), expected=first.number)
    assert await forgetful.head("jezero") == second.number
    assert await patient.head("jezero") == first.number
    assert (await patient.version(MosaicRef("jezero", second.number))).number == second.number


async def test_a_store_that_slept_goes_on_and_reads_heads_anew(engine: Engine) -> None:
    writer, patient = open_on(engine.bucket()), open_on(engine.bucket(), head_ttl_s=3600)
    first = await publish(writer, small_index("a"))
    assert await patient.head("jezero") == first.number
    second = await publish(writer, small_index("b"), expected=first.number)
    patient.disconnect()
    patient.connect()
    assert await patient.head("jezero") == second.number
    assert found((await patient.lookup(second, ["12"])).cells) == {"12": ["b"]}


async def test_a_store_knows_what_it_published_itself(engine: Engine) -> None:
    patient = open_on(engine.bucket(), head_ttl_s=3600)
    with pytest.raises(NotFound):
        await patient.head("jezero")
    first = await publish(patient, small_index("a"))
    assert await patient.head("jezero") == first.number
    second = await publish(patient, small_index("b"), expected=first.number)
    assert await patient.head("jezero") == second.number
    await patient.delete("jezero")
    with pytest.raises(NotFound):
        await patient.head("jezero")


async def test_the_digest_is_of_the_content(store: MosaicStore) -> None:
    index = random_index()
    first = await store.write("a", manifest_of(index, created="2024", software="1", report=Report(found=3)), index)
    again = await store.write("b", manifest_of(index, created="2025", software="2"), index)
    assert again.digest == first.digest
    shuffled = dict(sorted(index.cells.items(), reverse=True))
    assert (await write(store, replace(index, cells=shuffled))).digest == first.digest
    others = [
        await store.write("a", manifest_of(index, defaults=Defaults(title="x")), index),
        await store.write("a", manifest_of(index, assets=(AssetProfile(key="dtm"),)), index),
        await store.write("a", manifest_of(index, maxzoom=11), index),
        await write(store, replace(index, cells={**index.cells, "000000": (1, 0)})),
        await write(store, replace(index, cells={**index.cells, "000000": (0, 1)})),
        await write(store, replace(index, headers={"g1": {"dtm": header()}})),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == 7


@pytest.mark.parametrize("cells", [{"12": (1,)}, {"12": (-1,)}])
async def test_a_cell_that_points_nowhere_is_refused(store: MosaicStore, cells: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(Invalid) as refusal:
        await write(store, replace(small_index("a"), cells=cells))
    assert refusal.value.field == "cells"


async def test_two_granules_of_one_id_are_refused(store: MosaicStore) -> None:
    with pytest.raises(Invalid, match="twice") as refusal:
        await write(store, small_index("once", "twice", "twice"))
    assert refusal.value.field == "granules"


async def test_an_index_of_another_grid_than_its_manifest_is_refused(store: MosaicStore) -> None:
    index = small_index("a")
    with pytest.raises(Invalid) as refusal:
        await store.write("jezero", manifest_of(index, grid_id="MoonMercatorSphere"), index)
    assert refusal.value.field == "grid_id"


@pytest.mark.parametrize("value", [2**64, "\ud800", {"deep": [-(2**63) - 1]}])
async def test_a_property_that_cannot_be_stored_is_refused(store: MosaicStore, value: object) -> None:
    index = replace(small_index(), granules=(granule("a", value=value),), cells={"12": (0,)})
    with pytest.raises(Invalid) as refusal:
        await write(store, index)
    assert refusal.value.field == "granules"


# History and deletion


async def test_versions_are_listed_newest_first_in_pages(store: MosaicStore) -> None:
    written: list[Version] = []
    for number in range(5):
        written.append(
            await publish(store, small_index(f"g{number}"), expected=written[-1].number if written else None)
        )
    seen: list[Version] = []
    page = await store.versions("jezero", limit=2)
    while True:
        assert len(page.items) <= 2
        seen.extend(page.items)
        if page.next is None:
            break
        page = await store.versions("jezero", after=page.next, limit=2)
    assert seen == written[::-1]
    with pytest.raises(Invalid) as refusal:
        await store.versions("jezero", after="x")
    assert refusal.value.field == "after"


async def test_a_deleted_mosaic_is_gone(engine: Engine) -> None:
    store, reader = open_on(engine.bucket()), open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    second = await publish(store, small_index("b"), expected=first.number)
    await publish(store, small_index("a"), "other")
    assert await reader.version(MosaicRef("jezero", 1)) == first
    await store.delete("jezero")
    for one in (store, reader, open_on(engine.bucket())):
        assert (await one.mosaics()).items == ("other",)
        for call in (
            one.head("jezero"),
            one.version(MosaicRef("jezero")),
            one.version(MosaicRef("jezero", first.number)),
            one.version(MosaicRef("jezero", second.number)),
            one.versions("jezero"),
            one.delete("jezero"),
            one.publish(MosaicRef("jezero", first.number), expected=None),
        ):
            with pytest.raises(NotFound):
                await call
    with pytest.raises(NotFound):
        await open_on(engine.bucket()).lookup(first, ["12"])


async def test_a_deleted_name_can_be_registered_again_and_numbers_go_on(engine: Engine) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    unpublished = await write(store, small_index("b"))
    await store.delete("jezero")
    again = await publish(store, small_index("a"))
    assert again.number > unpublished.number
    for reader in (store, open_on(engine.bucket())):
        assert await reader.head("jezero") == again.number
        assert await all_numbers(reader) == [again.number]
        assert found((await reader.lookup(again, ["12"])).cells) == {"12": ["a"]}
        with pytest.raises(NotFound):
            await reader.version(MosaicRef("jezero", first.number))
    await store.delete("jezero")
    assert (await publish(store, small_index("a"))).number > again.number


async def test_that_a_mosaic_is_gone_is_not_remembered(engine: Engine) -> None:
    store, patient = open_on(engine.bucket()), open_on(engine.bucket(), head_ttl_s=3600)
    first = await publish(store, small_index("a"))
    assert await patient.head("jezero") == first.number
    await patient.delete("jezero")
    with pytest.raises(NotFound):
        await patient.head("jezero")
    again = await publish(store, small_index("a"))
    assert await patient.head("jezero") == again.number


async def test_what_was_written_before_a_deletion_cannot_be_published_after_it(engine: Engine) -> None:
    store = open_on(engine.bucket())
    await publish(store, small_index("a"))
    late = await write(store, small_index("b"))
    await open_on(engine.bucket()).delete("jezero")
    with pytest.raises(NotFound):
        await store.publish(MosaicRef("jezero", late.number), expected=None)


async def test_deleting_a_name_that_was_never_published_ends_what_was_written_for_it(engine: Engine) -> None:
    store = open_on(engine.bucket())
    for _ in range(2):
        late = await write(store, small_index("a"))
        with pytest.raises(NotFound):
            await open_on(engine.bucket()).delete("jezero")
        with pytest.raises(NotFound):
            await store.publish(MosaicRef("jezero", late.number), expected=None)
    again = await publish(store, small_index("a"))
    assert await all_numbers(open_on(engine.bucket())) == [again.number]


async def test_deleting_and_publishing_at_once_ends_in_one_or_the_other(engine: Engine) -> None:
    store = open_on(engine.bucket())
    first = await publish(store, small_index("a"))
    second = await write(store, small_index("b"))
    results = await asyncio.gather(
        open_on(engine.bucket()).publish(MosaicRef("jezero", second.number), expected=first.number),
        open_on(engine.bucket()).delete("jezero"),
        open_on(engine.bucket()).delete("jezero"),
        return_exceptions=True,
    )
    assert all(result is None or isinstance(result, Conflict | NotFound) for result in results)
    with pytest.raises(NotFound):
        await open_on(engine.bucket()).head("jezero")


# Look-ups


@pytest.mark.parametrize("roots", [1, 2, 8, 12])
async def test_a_look_up_by_cells_is_what_the_index_says(engine: Engine, roots: int) -> None:
    index = random_index(roots=roots, cells=900)
    version = await publish(open_on(engine.bucket()), index)
    reader = open_on(engine.bucket())
    keys = list(index.cells)
    for wanted in (keys[:1], keys[5:10], keys[::100], keys, [keys[0], keys[0]], []):
        lookup = await reader.lookup(version, wanted)
        assert found(lookup.cells) == in_cells(index, wanted)
        assert list(lookup.cells) == sorted(set(wanted))
        assert not lookup.cut


async def test_cells_without_granules_are_left_out(store: MosaicStore) -> None:
    index = small_index("a", "b")
    version = await publish(store, replace(index, cells={**index.cells, "33": ()}))
    wanted = ["12", "33", "00", "1", "120", "", "9", "1-12"]
    assert found((await store.lookup(version, wanted)).cells) == {"12": ["a", "b"]}
    assert set((await store.index(version)).cells) == {"12", "30"}


@pytest.mark.parametrize("roots", [1, 2, 8, 12])
async def test_a_look_up_by_prefix_is_what_the_index_says(engine: Engine, roots: int) -> None:
    index = random_index(roots=roots, cells=900)
    version = await publish(open_on(engine.bucket()), index)
    reader = open_on(engine.bucket())
    root = "" if roots == 1 else "1-"
    absent = ["4", "1-4", "012301230123"]
    for prefix in ["", root, f"{root}0", f"{root}13", f"{root}130", next(iter(index.cells)), *absent]:
        lookup = await reader.lookup_prefix(version, [prefix], limit=1000)
        assert found(lookup.cells) == below(index, prefix), prefix
        assert list(lookup.cells) == sorted(lookup.cells)
        assert not lookup.cut
    both = await reader.lookup_prefix(version, [f"{root}3", f"{root}1", f"{root}12"], limit=1000)
    assert found(both.cells) == dict(sorted((below(index, f"{root}3") | below(index, f"{root}1")).items()))


@pytest.mark.parametrize("limit", [1, 7, 150, 299, 300, 301])
async def test_a_look_up_by_prefix_says_when_it_was_cut(store: MosaicStore, limit: int) -> None:
    index = random_index(cells=300)
    version = await publish(store, index)
    lookup = await store.lookup_prefix(version, [""], limit=limit)
    assert found(lookup.cells) == dict(list(below(index, "").items())[:limit])
    assert lookup.cut == (limit < 300)
    halves = await store.lookup_prefix(version, ["0", "3"], limit=limit)
    expected = [list(below(index, prefix).items()) for prefix in ("0", "3")]
    assert found(halves.cells) == {key: names for part in expected for key, names in part[:limit]}
    assert halves.cut == any(len(part) > limit for part in expected)


@pytest.mark.parametrize("cells", [{"": (0,)}, {}])
async def test_a_grid_of_one_cell_and_an_empty_index(store: MosaicStore, cells: dict[str, tuple[int, ...]]) -> None:
    index = replace(small_index("a", zoom=0), cells=cells)
    version = await publish(store, index)
    assert found((await store.lookup(version, [""])).cells) == listed(index)
    assert found((await store.lookup_prefix(version, [""], limit=10)).cells) == listed(index)
    assert listed(await store.index(version)) == listed(index)


async def test_a_mosaic_without_granules_is_a_mosaic(store: MosaicStore) -> None:
    index = Index(grid_id="MarsMercatorSphere", zoom=3, granules=(), cells={})
    version = await publish(store, index)
    assert (await store.granules(version)).items == ()
    assert await store.index(version) == index
    assert await store.headers(version, ["a"], "dtm") == {}


async def test_the_order_of_granules_in_a_cell_is_kept(store: MosaicStore) -> None:
    names = [f"g{number}" for number in range(50)]
    index = replace(small_index(*names), cells={"12": tuple(range(49, -1, -1)), "13": (7, 3, 40)})
    version = await publish(store, index)
    cells = found((await store.lookup(version, ["12", "13"])).cells)
    assert cells == {"12": names[::-1], "13": ["g7", "g3", "g40"]}


async def test_a_crowded_cell_is_read_like_any_other(store: MosaicStore) -> None:
    index = small_index(*(f"g{number}" for number in range(3000)))
    version = await publish(store, index)
    assert len((await store.lookup(version, ["12"])).cells["12"]) == 3000


# Granules and headers


async def test_every_granule_is_listed_once_in_a_stable_order(engine: Engine) -> None:
    index = random_index(granules=700)
    version = await publish(open_on(engine.bucket()), index)
    store = open_on(engine.bucket())
    seen: list[str] = []
    page = await store.granules(version, limit=97)
    while True:
        assert len(page.items) <= 97
        seen.extend(ids(page.items))
        if page.next is None:
            break
        page = await store.granules(version, after=page.next, limit=97)
    assert sorted(seen) == sorted(ids(index.granules))
    assert ids((await store.granules(version, limit=1000)).items) == seen
    assert ids((await store.granules(version, limit=700)).items) == seen
    assert (await store.granules(version, limit=700)).next is None
    assert ids((await store.index(version)).granules) == seen


async def test_a_granule_comes_back_as_it_went(store: MosaicStore) -> None:
    shape = shapely.MultiPolygon([shapely.box(179 + 1 / 3, -88.1, 180, -85), shapely.box(-180, -88.1, -179.9, -85)])
    properties = {"datetime": "2020-01-01", "gsd": 0.1, "orbit": -5, "none": None, "list": [1, {"a": [True]}], "": ""}
    odd = "ESP_012/ü 火星 🪐\n'\""
    members = (
        Granule(id=odd, hrefs={"dtm": "s3://b/ü.tif", "ortho image": "x"}, footprint=shape, properties=properties),
        Granule(id="", hrefs={}, footprint=shapely.Polygon()),
    )
    index = Index(grid_id="MarsMercatorSphere", zoom=1, granules=members, cells={"1": (0, 1)})
    index = replace(index, headers={odd: {"ortho image": header()}})
    version = await publish(store, index)
    assert (await store.lookup(version, ["1"])).cells["1"] == members
    assert {member.id: member for member in (await store.granules(version)).items} == {m.id: m for m in members}
    assert await store.headers(version, [odd], "ortho image") == {odd: header()}


async def test_headers_come_back_for_those_that_have_one(engine: Engine) -> None:
    index = random_index(granules=60)
    by_id = {f"g{number}": {"dtm": header(blocks=1500, seed=number)} for number in range(0, 60, 2)}
    by_id["g1"] = {"image": replace(header(), blocks=None, palette=None, nodata=None)}
    version = await publish(open_on(engine.bucket()), replace(index, headers=by_id))
    store = open_on(engine.bucket())
    found_headers = await store.headers(version, ["g0", "g1", "g58", "absent", "g0"], "dtm")
    assert found_headers == {name: by_id[name]["dtm"] for name in ("g0", "g58")}
    blocks = found_headers["g58"].blocks
    assert blocks is not None
    assert blocks.levels[0].block_offsets.dtype == np.uint64
    assert len(blocks.levels[0].block_offsets) == 1500
    assert await store.headers(version, ["g0", "g1"], "image") == {"g1": by_id["g1"]["image"]}
    assert await store.headers(version, ["g0"], "no such asset") == {}
    assert await store.headers(version, [], "dtm") == {}
    assert (await store.index(version)).headers == by_id


@pytest.mark.parametrize(
    "source",
    [
        StacSource(href="https://stac.example/search", search={"bbox": [1, 2.5, 3, 4], "query": None}, max_items=10),
        FeaturesSource(features={"type": "FeatureCollection", "features": [{"id": 1}]}, property="path"),
        CogsSource(hrefs=("s3://a/b.tif", "c.tif")),
        MosaicJsonSource(document={"mosaicjson": "0.0.3", "tiles": {"0": ["a"]}}),
        MosaicJsonSource(href="s3://a/mosaic.json"),
    ],
)
async def test_a_manifest_comes_back_as_it_went(engine: Engine, source: Source) -> None:
    index = small_index("a")
    manifest = manifest_of(
        index,
        tms={"id": "mine", "tileMatrices": [{"id": "0", "scaleDenominator": 1.5}]},
        assets=(
            AssetProfile(
                key="dtm",
                count=3,
                dtype="int16",
                nodata=-32768,
                scales=(0.1,),
                offsets=(1.0,),
                descriptions=("ü",),
                palette={3: (1, 2, 3, 4), 1: (0, 0, 0, 0)},
                stretch=((0.5, 1.5), (-1.0, 2.0)),
                resolution=20.25,
            ),
        ),
        defaults=Defaults(title="ü", description="d", attribution="a", asset="dtm", style={"rescale": "0,1"}),
        recipe=Recipe(source=source, assets=("dtm",), tms={"id": "x"}, quadkey_zoom=9, order="-gsd", scan=False),
        report=Report(found=3, used=2, refused=(Refusal("x", "why"),), normalised={"closed": 2}, seconds=1.5),
        document={"name": "n", "own": [1, {"z": None}], "asset_prefix": "s3://"},
        software="quadmosaic 1",
        created="2024-01-01T00:00:00Z",
    )
    version = await open_on(engine.bucket()).write("jezero", manifest, index)
    await open_on(engine.bucket()).publish(MosaicRef("jezero", version.number), expected=None)
    assert (await open_on(engine.bucket()).version(MosaicRef("jezero"))).manifest == manifest


async def test_an_index_of_2000_cells_comes_back_whole(engine: Engine) -> None:
    index = random_index(roots=2, zoom=8, cells=2000, granules=800)
    version = await publish(open_on(engine.bucket()), index)
    back = await open_on(engine.bucket()).index(version)
    assert (back.grid_id, back.zoom) == (index.grid_id, index.zoom)
    assert listed(back) == listed(index)
    assert {member.id: member for member in back.granules} == {member.id: member for member in index.granules}


async def test_many_readers_at_once_read_the_same(engine: Engine) -> None:
    index = random_index(cells=900)
    version = await publish(open_on(engine.bucket()), index)
    store = open_on(engine.bucket(), head_ttl_s=60)
    keys = list(index.cells)[::3]
    lookups = await asyncio.gather(*(store.lookup(version, [key]) for key in keys))
    assert [found(lookup.cells) for lookup in lookups] == [in_cells(index, [key]) for key in keys]
