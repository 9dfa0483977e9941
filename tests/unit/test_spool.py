"""The spool: granules and headers of a build come back from the disk as they were."""

import os
import resource
import threading
from pathlib import Path

import pytest
import shapely

from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.granules import BlockTables, Granule, Header, Level, LevelKind
from quadmosaic.services import spool
from quadmosaic.services.spool import Footprints, Granules, Headers, Spool


def granule(number: int) -> Granule:
    properties = {"datetime": "2024-01-01", "nested": {"a": [1, 2.5, None, True]}, "noise": "x" * 200}
    return Granule(
        id=f"g{number}",
        hrefs={"dtm": f"s3://b/{number}.tif"},
        footprint=shapely.box(number % 170, 0, number % 170 + 1, 2),
        properties=properties,
    )


def header(seed: int, *, blocks: int = 500) -> Header:
    level = Level(
        kind=LevelKind.IMAGE, width=100, height=100, block_width=16, block_height=16, compression=8, predictor=1,
        photometric=1, offsets=bytes([seed % 256]) * 8 * blocks, byte_counts=os.urandom(8 * blocks),
    )  # fmt: skip
    tables = BlockTables(
        big_endian=False, planar=False, bits_per_sample=(8,), sample_format=(1,), extra_samples=(), levels=(level,)
    )
    return Header(
        width=100, height=100, dtype="uint8", count=1, nodata=float("inf"), crs="IAU_2015:49900",
        transform=(1.0, 0.0, float(seed), 0.0, -1.0, 0.0), palette={0: (1, 2, 3, 4)}, etag=f'"{seed}"', blocks=tables,
    )  # fmt: skip


def test_granules_come_back_whole_wherever_one_looks() -> None:
    given = [granule(number) for number in range(25_000)]
    spooled = Granules(given)
    assert len(spooled) == len(given)
    assert list(spooled) == given
    assert [spooled[at] for at in (0, 17, 24_999, -1, 17)] == [given[at] for at in (0, 17, 24_999, -1, 17)]
    assert spooled[10:20:3] == given[10:20:3]
    with pytest.raises(IndexError):
        spooled[25_000]


def test_a_disk_that_takes_only_a_part_is_said_and_nothing_is_mixed_up() -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    spooled, given = Spool(), [bytes([number]) * (1 << 20) for number in range(8)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.IN_MEMORY + (1 << 19), limit[1]))
    try:
        for raw in given[:4]:
            spooled.add(raw)
        with pytest.raises(Unavailable, match="temporary files"):
            spooled.add(given[4])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    for raw in given[5:]:
        spooled.add(raw)
    assert [spooled.read(number) for number in range(8)] == given


def test_what_is_more_than_memory_may_hold_lies_on_the_disk() -> None:
    def open_files() -> list[str]:
        return [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    before = len([name for name in open_files() if "(deleted)" in name])
    few, many = Granules(map(granule, range(10))), Granules(map(granule, range(spool.IN_MEMORY // 200)))
    assert len([name for name in open_files() if "(deleted)" in name]) == before + 1
    del many
    assert len([name for name in open_files() if "(deleted)" in name]) == before
    assert few[3] == granule(3)


def test_some_are_taken_in_another_order_and_one_is_changed() -> None:
    spooled = Granules(map(granule, range(100)))
    taken = spooled.taken([5, 3, 99])
    taken.change(1, granule(1000))
    assert list(taken) == [granule(5), granule(1000), granule(99)]
    assert spooled[3] == granule(3)
    assert Footprints(taken)[0] == granule(5).footprint
    assert Footprints(taken)[0:2] == [granule(5).footprint, granule(1000).footprint]
    assert Footprints(spooled).bounds() == (0, 0, 100, 2)


def test_headers_come_back_by_id_and_asset() -> None:
    given = {f"g{n}": {"dtm": header(n), "image": header(n + 1)} for n in range(700)}
    spooled = Headers(given)
    assert dict(spooled) == given
    assert dict(spooled["g5"]) == given["g5"]
    assert "nobody" not in spooled
    with pytest.raises(KeyError):
        spooled["nobody"]


def test_a_new_header_counts_and_others_stay() -> None:
    spooled = Headers({"a": {"dtm": header(1), "image": header(2)}})
    newer = header(3)
    spooled.add("a", {"image": newer})
    spooled.add("b", {"dtm": newer})
    assert spooled["a"]["image"] == newer
    assert set(spooled["a"]) == {"dtm", "image"}
    spooled["c"] = spooled["a"]
    assert dict(spooled["c"]) == dict(spooled["a"])
    spooled.drop(["a", "nobody"])
    assert set(spooled) == {"b", "c"}


def test_two_threads_may_read() -> None:
    spooled = Granules(map(granule, range(30_000)))
    wrong: list[int] = []

    def look(start: int) -> None:
        wrong.extend(at for at in range(start, 30_000, 7) if spooled[at].id != f"g{at}")

    threads = [threading.Thread(target=look, args=(start,)) for start in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
