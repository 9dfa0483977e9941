"""Tables cut into parts by key prefix."""

from hypothesis import given
from hypothesis import strategies as st

from quadmosaic.storage.parts import PartRef, PartTable, split

keys_of_any_length = st.lists(st.text("0123-", max_size=7), unique=True, max_size=60).map(sorted)
limits = st.integers(1, 12)


def table(keys: list[str], limit: int) -> tuple[PartTable, dict[bytes, list[str]]]:
    """The table and, by digest, what its parts hold."""
    cuts = list(split(keys, [1] * len(keys), limit=limit))
    held = {str(number).encode(): keys[run] for number, (_, run) in enumerate(cuts)}
    refs = [PartRef(prefix, mark, len(held[mark])) for (prefix, _), mark in zip(cuts, held, strict=True)]
    return PartTable(refs), held


@given(keys_of_any_length, limits)
def test_parts_hold_every_key_once_in_order_and_are_bounded(keys: list[str], limit: int) -> None:
    cuts = list(split(keys, [1] * len(keys), limit=limit))
    assert [key for _, run in cuts for key in keys[run]] == keys
    assert all(1 <= len(keys[run]) <= limit for _, run in cuts)
    assert all(key.startswith(prefix) for prefix, run in cuts for key in keys[run])
    assert [prefix for prefix, _ in cuts] == sorted({prefix for prefix, _ in cuts})


@given(keys_of_any_length, limits)
def test_a_key_is_found_in_its_part(keys: list[str], limit: int) -> None:
    parts, held = table(keys, limit)
    for key in keys:
        ref = parts.holding(key)
        assert ref is not None
        assert key in held[ref.digest]


@given(keys_of_any_length, limits, st.text("0123-", max_size=5))
def test_keys_below_a_prefix_lie_in_the_parts_below_it(keys: list[str], limit: int, prefix: str) -> None:
    parts, held = table(keys, limit)
    found = [key for ref in parts.below(prefix) for key in held[ref.digest] if key.startswith(prefix)]
    assert found == [key for key in keys if key.startswith(prefix)]


@given(keys_of_any_length, limits, st.text("0123-", max_size=5))
def test_later_keys_lie_in_the_parts_beyond(keys: list[str], limit: int, after: str) -> None:
    parts, held = table(keys, limit)
    found = [key for ref in parts.beyond(after) for key in held[ref.digest] if key > after]
    assert found == [key for key in keys if key > after]


@given(st.lists(st.text("0123", min_size=6, max_size=6), unique=True, min_size=2, max_size=200), limits)
def test_one_more_key_moves_the_parts_on_its_path_only(keys: list[str], limit: int) -> None:
    new, *old = keys
    before = {(prefix, tuple(sorted(old)[run])) for prefix, run in split(sorted(old), [1] * len(old), limit=limit)}
    after = {(prefix, tuple(sorted(keys)[run])) for prefix, run in split(sorted(keys), [1] * len(keys), limit=limit)}
    gone = before - after
    assert len(gone) <= 1
    assert all(new.startswith(prefix) for prefix, _ in gone)
    assert all(prefix[: len(next(iter(gone))[0])] == next(iter(gone))[0] for prefix, _ in after - before if gone)


def test_a_key_heavier_than_the_limit_stands_alone() -> None:
    cuts = list(split(["00", "01", "1"], [100, 1, 1], limit=10))
    assert [prefix for prefix, _ in cuts] == ["00", "01", "1"]


def test_roots_of_more_than_one_digit_are_kept_apart() -> None:
    keys = [f"{root}-{cell}" for root in ("1", "10", "11", "2") for cell in "0123"]
    parts, held = table(sorted(keys), 4)
    assert [key for ref in parts.below("1-") for key in held[ref.digest]] == ["1-0", "1-1", "1-2", "1-3"]


def test_an_empty_table_holds_nothing() -> None:
    parts = PartTable([])
    assert parts.holding("0") is None
    assert parts.below("") == parts.beyond("") == ()
