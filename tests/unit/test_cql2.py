"""CQL2 conditions: which features they choose, and what is refused before it is evaluated."""

import pytest

from quadmosaic.domain.cql2 import DEEPEST, LONGEST, parse_condition
from quadmosaic.domain.errors import Invalid

FEATURE = {
    "type": "Feature",
    "id": "P01_001",
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]},
    "properties": {"gsd": 6, "name": "Jezero", "datetime": "2024-05-01T00:00:00Z", "ssys:targets": ["Mars"]},
}


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("gsd < 10", True),
        ("gsd <> 6", False),
        ("gsd <= 6 AND NOT name = 'Gale'", True),
        ("gsd IN (5, 6) OR gsd BETWEEN 1 AND 2", True),
        ("gsd NOT IN (5, 6)", False),
        ("gsd + 1 = 7", True),
        ("id LIKE 'P01%'", True),
        ("CASEI(name) = CASEI('JEZERO')", True),
        ("name IS NOT NULL", True),
        ("missing IS NULL", True),
        ("missing > 3", False),
        ("NOT missing > 3", False),
        ("missing > 3 OR gsd = 6", True),
        ("name > 3", False),
        ("datetime >= TIMESTAMP('2024-01-01T00:00:00Z')", True),
        ("T_BEFORE(datetime, TIMESTAMP('2024-01-01T00:00:00Z'))", False),
        ("S_INTERSECTS(geometry, POINT(0.5 0.5))", True),
        ("S_INTERSECTS(geometry, POINT(5 5))", False),
        ("A_CONTAINS(\"ssys:targets\", ('Mars'))", True),
        ("TRUE", True),
    ],
)
def test_features_are_chosen(text: str, chosen: bool) -> None:
    assert parse_condition(text)(FEATURE) is chosen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gsd <",
        "gsd",
        "'x'",
        "SLEEP(gsd) = 3",
        "CASEI(name, 1) = 'x'",
        '{"op": "=", "args": [{"property": "gsd"}, 6]}',
        " OR ".join(["gsd = 6"] * LONGEST),
        "(" * (DEEPEST + 1) + "gsd = 6" + ")" * (DEEPEST + 1),
        "(" * 100_000,
    ],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_condition(text)
    assert raised.value.field == "filter"


def test_a_time_that_is_none_is_refused_when_it_is_compared() -> None:
    condition = parse_condition("datetime > TIMESTAMP('yesterday')")
    with pytest.raises(Invalid) as raised:
        condition(FEATURE)
    assert raised.value.field == "filter"


@pytest.mark.parametrize("text", ["NOT " * 240 + "gsd=6", "-" * 990 + "gsd=6", "gsd" + "-1" * 490 + "=1"])
def test_the_deepest_text_that_is_taken_does_no_harm(text: str) -> None:
    assert parse_condition(text[-LONGEST:])(FEATURE) in (True, False)
