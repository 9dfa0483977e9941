"""Ordering: which granule is on top, in one cell and across several."""

import itertools
import random

import pytest
import shapely

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule, Header, Json
from quadmosaic.domain.ordering import merged, ordered

ANYWHERE = shapely.box(0, 0, 1, 1)


def granule(name: str, **properties: Json) -> Granule:
    return Granule(id=name, hrefs={}, footprint=ANYWHERE, properties=properties)


def header(crs: str, pixel: float) -> Header:
    transform = (pixel, 0.0, 0.0, 0.0, -pixel, 0.0)
    return Header(width=9, height=9, dtype="uint8", count=1, nodata=None, crs=crs, transform=transform)


def test_source_order_is_the_order_given() -> None:
    assert ordered([granule("b"), granule("a")], "source") == (0, 1)
    assert ordered([], "newest") == ()


def test_newest_first_whatever_the_spelling_of_the_date() -> None:
    granules = [
        granule("undated"),
        granule("2019", datetime="2019-05-01T00:00:00Z"),
        granule("range", datetime=None, start_datetime="2021-01-01T00:00:00+00:00"),
        granule("late", datetime="2021-01-01T01:30:00.5+01:00"),
        granule("broken", datetime="last spring"),
        granule("again", datetime="2019-05-01T00:00:00.000000Z"),
    ]
    assert ordered(granules, "newest") == (3, 2, 1, 5, 0, 4)


def test_best_resolution_compares_metres() -> None:
    granules = [granule("gsd", gsd=20.0), granule("degrees"), granule("metres"), granule("none"), granule("odd", gsd=0)]
    headers = {
        "degrees": {"image": header("IAU_2015:49900", 0.0001)},
        "metres": {"dtm": header("IAU_2015:49910", 25.0), "image": header("IAU_2015:49910", 6.5)},
        "none": {"image": header("no CRS", 1.0)},
    }
    assert ordered(granules, "best-resolution", headers) == (1, 2, 0, 3, 4)


@pytest.mark.parametrize(
    ("order", "expected"),
    [("sun", (2, 0, 3, 1, 4)), ("-sun", (0, 3, 2, 1, 4)), ("id", (4, 3, 2, 1, 0)), ("-id", (0, 1, 2, 3, 4))],
)
def test_any_property_orders_both_ways_with_equals_in_place_and_missing_last(
    order: str, expected: tuple[int, ...]
) -> None:
    granules = [granule("e", sun=7), granule("d"), granule("c", sun=-1.5), granule("b", sun=7), granule("a", sun=None)]
    assert ordered(granules, order) == expected


def test_texts_come_after_numbers_and_lists_count_as_missing() -> None:
    granules = [granule("a", level="L2"), granule("b", level=3), granule("c", level=[1]), granule("d", level="L1")]
    assert ordered(granules, "level") == (1, 3, 0, 2)
    assert ordered(granules, "-level") == (0, 3, 1, 2)


@pytest.mark.parametrize("order", ["newest", "best-resolution", "cloud_cover", "-cloud_cover", "-", ""])
def test_an_order_that_no_granule_can_follow_is_refused(order: str) -> None:
    with pytest.raises(Invalid) as refused:
        ordered([granule("a", sun=1)], order)
    assert refused.value.field == "order"


def names(granules: tuple[Granule, ...]) -> str:
    return "".join(each.id for each in granules)


def cells(*texts: str) -> list[list[Granule]]:
    return [[granule(name) for name in text] for text in texts]


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        (("abc",), "abc"),
        ((), ""),
        (("", ""), ""),
        (("ac", "bc"), "abc"),
        (("bc", "ab"), "abc"),
        (("cd", "bc", "ab"), "abcd"),
        (("ad", "abcd"), "abcd"),
        (("x", "a", "x"), "xa"),
        (("ab", "ba"), "ab"),
        (("abc", "ca", "cd"), "abcd"),
        (("aba",), "ab"),
    ],
)
def test_lists_merge_into_one_that_agrees_with_each(lists: tuple[str, ...], expected: str) -> None:
    assert names(merged(cells(*lists))) == expected


def test_parts_of_one_order_always_merge_into_a_part_of_it() -> None:
    rng = random.Random(5)
    for _ in range(200):
        everything = "abcdefghijklmnop"
        parts = ["".join(c for c in everything if rng.random() < 0.4) for _ in range(6)]
        result = names(merged(cells(*parts)))
        assert sorted(result) == sorted(set("".join(parts)))
        for part in parts:
            assert all(result.index(a) < result.index(b) for a, b in itertools.pairwise(part))


def test_long_lists_merge_quickly() -> None:
    granules = [granule(f"{number:06}") for number in range(20_000)]
    lists = [granules[start::7] for start in range(7)]
    assert len(merged([granules, *lists])) == 20_000
