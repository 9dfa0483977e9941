"""Costs: a worked example, what must hold for every use, and the list of prices."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from quadmosaic.cli import app
from quadmosaic.domain.access import AccessMode
from quadmosaic.domain.costs import IDLE_POLLS, MONTH_S, Estimate, Line, estimate, next_million
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.prices import Price, own_prices, parse_prices
from quadmosaic.domain.usage import Architecture, Drawing, Holdings, Traffic, Usage, Watching

PRICES = own_prices()
NOTHING = Usage(
    traffic=Traffic(tiles=0),
    drawing=Drawing(snapstart=False),
    holdings=Holdings(mosaics=0),
    watching=Watching(alarms=0, metrics=0, dashboards=0, secrets=0),
)
EXAMPLE = Usage(
    traffic=Traffic(tiles=1e6, hit_percent=0, reply_kb=30),
    drawing=Drawing(
        tile_ms=150, memory_mb=1769, gets=4, read_units=4, source=AccessMode.SIGNED, snapstart=False, cold_percent=0
    ),
)
NUMBERS = [
    (group.name, field.name)
    for group in fields(Usage)
    for field in fields(getattr(Usage(), group.name))
    if isinstance(getattr(getattr(Usage(), group.name), field.name), float | int)
    and not isinstance(getattr(getattr(Usage(), group.name), field.name), bool)
]
LESS_IS_DEARER = {"hit_percent"}


def lines(found: Estimate, *groups: str) -> Iterator[Line]:
    return (line for line in found.monthly if not groups or line.group in groups)


def dollars(usage: Usage, *groups: str, free_tier: bool = False) -> float:
    return sum(line.dollars for line in lines(estimate(usage, PRICES, free_tier=free_tier), *groups))


def changed(usage: Usage, group: str, name: str, value: float) -> Usage:
    return replace(usage, **{group: replace(getattr(usage, group), **{name: value})})


def test_a_million_missed_tiles_of_the_worked_example() -> None:
    """150 ms at 1769 MB and 4 GETs: 6.8 dollars; that leaves 0.5 for the table, which is 4 read units a tile."""
    assert dollars(EXAMPLE, "drawing") == pytest.approx(6.8, abs=0.06)


def test_a_million_tiles_of_the_worked_example_with_nine_of_ten_from_the_cdn() -> None:
    """4.1 dollars; with 0.7 for the misses and 1.0 for the requests that leaves replies of 28 to 31 kB."""
    cached = replace(EXAMPLE, traffic=replace(EXAMPLE.traffic, hit_percent=90))
    assert dollars(cached, "delivery", "drawing") == pytest.approx(4.1, abs=0.06)


def test_without_a_cdn_every_tile_is_drawn_and_leaves_through_the_gateway() -> None:
    bare = replace(EXAMPLE, traffic=Traffic(tiles=1e6, hit_percent=90, cdn=False, reply_kb=30))
    assert dollars(bare, "drawing") == pytest.approx(dollars(EXAMPLE, "drawing"))
    assert [line.what for line in lines(estimate(bare, PRICES), "delivery")] == ["data out of the gateway"]


def test_nothing_costs_nothing_but_the_asking_of_an_empty_queue() -> None:
    paid = [(line.what, line.quantity) for line in lines(estimate(NOTHING, PRICES)) if line.dollars]
    assert paid == [("queue", IDLE_POLLS)]
    assert dollars(NOTHING, free_tier=True) == 0


def test_what_the_cdn_answers_is_not_drawn() -> None:
    cached = changed(Usage(drawing=Drawing(snapstart=False)), "traffic", "hit_percent", 100)
    assert dollars(cached, "drawing") == 0
    assert dollars(cached, "delivery") == dollars(Usage(), "delivery") > 0


@pytest.mark.parametrize(("group", "name"), NUMBERS)
@settings(max_examples=20)
@given(factor=st.floats(min_value=1, max_value=1.1), free_tier=st.booleans())
def test_more_use_never_costs_less(group: str, name: str, factor: float, free_tier: bool) -> None:
    usage = Usage(
        traffic=Traffic(waf=True), drawing=Drawing(source=AccessMode.REQUESTER_PAYS, same_region=False, snapstart=False)
    )
    before = getattr(getattr(usage, group), name)
    more = changed(usage, group, name, before * factor if isinstance(before, float) else before + 1)
    less, dearer = (more, usage) if name in LESS_IS_DEARER else (usage, more)
    assert dollars(less, free_tier=free_tier) <= dollars(dearer, free_tier=free_tier) + 1e-9


@given(tiles=st.floats(min_value=0, max_value=1e7), more=st.floats(min_value=0, max_value=1e7))
def test_below_the_first_step_costs_are_linear_in_tiles(tiles: float, more: float) -> None:
    base, one, two, both = (
        dollars(changed(Usage(), "traffic", "tiles", count)) for count in (0, tiles, more, tiles + more)
    )
    assert both - base == pytest.approx((one - base) + (two - base), rel=1e-9, abs=1e-6)


@given(tiles=st.floats(min_value=0, max_value=1e10))
def test_beyond_the_steps_the_next_million_is_no_dearer_than_the_first(tiles: float) -> None:
    used = changed(Usage(), "traffic", "tiles", tiles)
    assert 0 < next_million(used, PRICES) <= next_million(changed(Usage(), "traffic", "tiles", 0), PRICES) + 1e-6


@settings(max_examples=30)
@given(quantity=st.floats(min_value=0, max_value=1e9), more=st.floats(min_value=0, max_value=1e9))
@pytest.mark.parametrize("name", sorted(PRICES.prices))
def test_each_price_is_nothing_at_nothing_grows_and_gets_no_dearer(name: str, quantity: float, more: float) -> None:
    price = PRICES.prices[name]
    assert price.of(0) == 0
    assert price.of(quantity) <= price.of(quantity + more) <= price.of(quantity) + price.of(more) + 1e-6
    assert 0 <= price.of(quantity, free_tier=True) <= price.of(quantity)
    assert price.of(quantity) <= quantity * price.dollars / price.per * (1 + 1e-12)


def test_steps_and_free_allowances() -> None:
    price = Price(unit="GB", per=1, dollars=0.085, source="", free=1024, above=((10_240, 0.08),))
    assert price.of(10_240) == pytest.approx(870.4)
    assert price.of(10_340) == pytest.approx(870.4 + 8)
    assert price.of(1024, free_tier=True) == 0
    assert price.of(1034, free_tier=True) == pytest.approx(0.85)


def test_lines_of_one_price_share_its_allowance_and_its_steps() -> None:
    """Time of the tiler beyond the 400 000 free GB-s leaves nothing of them to the builder, nor to the first build."""
    usage = Usage(
        traffic=Traffic(tiles=1e7, cdn=False),
        drawing=Drawing(tile_ms=1000, snapstart=False, source=AccessMode.SIGNED),
        holdings=Holdings(mosaics=100, granules=1e5),
    )
    found = estimate(usage, PRICES, free_tier=True)
    for name in ("lambda_arm64", "lambda_requests", "dynamodb_reads", "s3_gets"):
        price = PRICES.prices[name]
        same = [
            line
            for line in (*found.monthly, *found.once)
            if (line.unit, line.per, line.dollars_each) == (price.unit, price.per, price.dollars)
        ]
        assert len(same) > 1
        whole = price.of(sum(line.quantity for line in same), free_tier=True)
        assert sum(line.dollars for line in same) == pytest.approx(whole)


def test_one_request_a_second_is_traced_and_a_share_of_the_others() -> None:
    def traces(tiles: float) -> float:
        usage = Usage(traffic=Traffic(tiles=tiles, cdn=False), watching=Watching(traced_percent=5))
        return next(line.quantity for line in lines(estimate(usage, PRICES)) if line.what == "traces")

    assert traces(1e6) == 1e6
    assert traces(MONTH_S + 1e6) == pytest.approx(MONTH_S + 50_000)


def test_time_is_billed_by_whole_milliseconds() -> None:
    assert dollars(changed(Usage(), "drawing", "tile_ms", 90.2)) == dollars(changed(Usage(), "drawing", "tile_ms", 91))


@pytest.mark.parametrize(("reply_kb", "counted"), [(0, 1), (524.288, 1), (524.3, 2), (4000, 8)])
def test_the_gateway_counts_replies_in_steps_of_512_kb(reply_kb: float, counted: int) -> None:
    usage = changed(EXAMPLE, "traffic", "reply_kb", reply_kb)
    gateway = next(line for line in lines(estimate(usage, PRICES)) if line.what == "requests to the gateway")
    assert gateway.quantity == counted * 1e6


@pytest.mark.parametrize(
    ("source", "same_region", "expected"),
    [
        (AccessMode.ANONYMOUS, False, {}),
        (AccessMode.SIGNED, True, {"reads of COGs": 4e6}),
        (AccessMode.REQUESTER_PAYS, False, {"reads of COGs": 4e6, "bytes of COGs": pytest.approx(512.2, abs=0.1)}),
    ],
)
def test_who_pays_for_reading_the_cogs(source: AccessMode, same_region: bool, expected: dict[str, float]) -> None:
    drawing = replace(EXAMPLE.drawing, source=source, same_region=same_region)
    found = lines(estimate(replace(EXAMPLE, drawing=drawing), PRICES), "drawing")
    assert {line.what: line.quantity for line in found if line.what.endswith("of COGs")} == expected


def test_a_snapshot_is_paid_while_it_is_kept_and_starts_are_paid_without_one() -> None:
    kept = estimate(changed(NOTHING, "drawing", "snapstart", True), PRICES)
    assert sum(line.dollars for line in lines(kept, "drawing")) == pytest.approx(1769 / 1024 * 730 * 3600 * 1.5046e-6)
    without = estimate(Usage(drawing=Drawing(snapstart=False, cold_percent=100, init_ms=1000)), PRICES)
    starts = next(line for line in lines(without, "drawing") if line.what == "its starts")
    assert starts.quantity == pytest.approx(100_000 * 1769 / 1024)


def test_arm_is_a_fifth_cheaper() -> None:
    times = {
        architecture: next(
            line.dollars
            for line in lines(estimate(Usage(drawing=Drawing(architecture=architecture)), PRICES), "drawing")
            if line.what == "its time"
        )
        for architecture in Architecture
    }
    assert times[Architecture.ARM64] / times[Architecture.X86_64] == pytest.approx(0.8, abs=0.001)


def test_a_rebuild_writes_no_more_than_the_whole_index() -> None:
    few, all_of_them = (
        next(
            line.quantity for line in lines(estimate(Usage(holdings=holdings), PRICES)) if line.what == "index written"
        )
        for holdings in (Holdings(changed=1), Holdings(changed=1000))
    )
    whole = next(line.quantity for line in estimate(Usage(), PRICES).once if line.what == "index written")
    assert few < all_of_them == pytest.approx(30 * whole)


def test_every_price_is_used_dated_and_has_its_source() -> None:
    everything = Usage(traffic=Traffic(waf=True), drawing=Drawing(source=AccessMode.SIGNED, same_region=False))
    other = Usage(traffic=Traffic(cdn=False), drawing=Drawing(architecture=Architecture.X86_64, snapstart=False))
    units = {
        (line.dollars_each, line.per, line.unit)
        for use in (everything, other)
        for line in estimate(use, PRICES).monthly
    }
    assert units == {(price.dollars, price.per, price.unit) for price in PRICES.prices.values()}
    assert PRICES.date > date(2026, 1, 1)
    assert all(price.source.startswith("https://aws.amazon.com/") for price in PRICES.prices.values())


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [("traffic", "hit_percent", 101), ("traffic", "tiles", -1), ("drawing", "tile_ms", float("nan"))],
)
def test_a_use_that_cannot_be_is_refused_by_its_name(group: str, name: str, value: float) -> None:
    with pytest.raises(Invalid) as refused:
        changed(Usage(), group, name, value)
    assert refused.value.field == name


@pytest.mark.parametrize(
    "fault", [{"per": 0}, {"dollars": -1}, {"above": [[5, 1], [5, 2]]}, {"unit": 1}, {"unit": None}]
)
def test_a_list_of_prices_that_makes_no_sense_is_refused(fault: dict[str, object]) -> None:
    price = {"unit": "GB", "per": 1, "dollars": 1, "source": ""} | fault
    listed = "".join(f"{name} = {json.dumps(value)}\n" for name, value in price.items())
    with pytest.raises(Invalid) as refused:
        parse_prices(f'date = 2026-01-01\nregion = "x"\ncurrency = "USD"\n[prices.a]\n{listed}')
    assert refused.value.field == "prices"


def test_a_list_that_lacks_a_price_is_refused_by_its_name() -> None:
    without = replace(PRICES, prices={name: price for name, price in PRICES.prices.items() if name != "alarms"})
    with pytest.raises(Invalid, match="alarms is not listed"):
        estimate(Usage(), without)


def test_the_command_says_every_line_and_their_sum() -> None:
    told = json.loads(CliRunner().invoke(app, ["cost", "--json", "--tiles", "2e6", "--hits", "80"]).stdout)
    assert told["total"] == pytest.approx(sum(line["dollars"] for line in told["lines"]))
    assert told["usage"]["traffic"]["tiles"] == 2e6
    assert told["total"] - 2 * told["next_million_tiles"] > 0
    text = CliRunner().invoke(app, ["cost", "--tiles", "2e6", "--hits", "80"]).stdout
    assert f"a month: ${told['total']:,.2f}" in text
    assert all(line["what"] in text for line in told["lines"])


def test_the_command_takes_another_list_of_prices(tmp_path: Path) -> None:
    other = tmp_path / "prices.toml"
    listed = (Path(__file__).parents[2] / "src/quadmosaic/domain/prices.toml").read_text()
    other.write_text(listed.replace('"us-east-1"', '"eu-west-9"').replace("dollars = 3.00", "dollars = 30.00"))
    told = json.loads(CliRunner().invoke(app, ["cost", "--json", "--prices", str(other)]).stdout)
    assert told["prices"]["region"] == "eu-west-9"
    assert told["total"] == pytest.approx(dollars(Usage()) + 27)
