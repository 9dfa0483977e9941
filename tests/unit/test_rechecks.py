"""Rechecks: every granule has its turn once in so many days, however often builds run."""

from datetime import date, timedelta

import pytest

from quadmosaic.domain.rechecks import share_of, shares_due

TODAY = date(2026, 5, 17)


@pytest.mark.parametrize("every", [1, 3, 7, 30, 45])
def test_every_share_has_its_turn_and_none_twice_in_a_round(every: int) -> None:
    days, seen = 30, []
    last = TODAY
    while (last - TODAY).days < 60:
        now = last + timedelta(days=every)
        seen += sorted(shares_due(days=days, last=last, today=now))
        last = now
    counts = {share: seen.count(share) for share in range(days)}
    assert min(counts.values()) >= (60 // days if every <= days else 1)
    if every <= days:
        assert max(counts.values()) - min(counts.values()) <= 1


def test_a_second_build_of_a_day_asks_for_nothing() -> None:
    assert shares_due(days=30, last=TODAY, today=TODAY) == frozenset()
    assert shares_due(days=30, last=TODAY + timedelta(days=1), today=TODAY) == frozenset()


def test_where_nothing_was_built_or_it_is_switched_off_nothing_is_due() -> None:
    assert shares_due(days=30, last=None, today=TODAY) == frozenset()
    assert shares_due(days=0, last=TODAY - timedelta(days=99), today=TODAY) == frozenset()


def test_after_a_long_time_all_are_due() -> None:
    assert shares_due(days=30, last=TODAY - timedelta(days=400), today=TODAY) == frozenset(range(30))


def test_granules_fall_evenly_into_shares() -> None:
    counts = [0] * 10
    for number in range(10_000):
        counts[share_of(f"granule-{number}", days=10)] += 1
    assert min(counts) > 800
    assert share_of("a\ud800", days=10) in range(10)
