"""What a month of a deployment costs, line by line: quantities out of its usage, times the prices of a list."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from quadmosaic.domain.access import AccessMode
from quadmosaic.domain.prices import PriceList
from quadmosaic.domain.usage import Holdings, Usage

MILLION = 1e6
MONTH_S = 730 * 3600
GB = 1 << 30
GATEWAY_STEP = 512 << 10
"""An HTTP API counts a reply as a request for each such part of it."""
IDLE_POLLS = MONTH_S / 20 * 5
"""Lambda asks a queue that is empty five at a time, twenty seconds each."""
QUEUE_CALLS = 3
"""Send, receive, delete."""
BYTES_PER_CELL, BYTES_PER_GRANULE, BYTES_PER_HEADER = 30, 150, 2700
"""In the table, compressed; a header record is that of one asset of one granule."""
WRITE_UNIT, READ_UNIT = 1024, 8192
"""Bytes; of reads that need not be the latest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """`quantity` of `unit` at `dollars_each` for `per` of them, before steps and free allowances: `dollars`."""

    group: str
    what: str
    quantity: float
    unit: str
    dollars_each: float
    per: float
    dollars: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """`monthly` lines, and those that arise `once`, for the first build of all mosaics."""

    monthly: tuple[Line, ...]
    once: tuple[Line, ...]
    tiles: float

    @property
    def total(self) -> float:
        """Dollars a month."""
        return sum(line.dollars for line in self.monthly)

    @property
    def total_once(self) -> float:
        """Dollars for the first builds."""
        return sum(line.dollars for line in self.once)

    @property
    def per_million_tiles(self) -> float | None:
        """Dollars for a million tiles, what is paid without any tile included; None where there are no tiles."""
        return self.total / self.tiles * MILLION if self.tiles else None


type Quantity = tuple[str, str, float]
"""What for, the name of the price, and how much."""


def estimate(usage: Usage, prices: PriceList, *, free_tier: bool = False) -> Estimate:
    """Every line, those of nothing included; lines of one price use up its steps and free allowance in their order.

    Raises Invalid (field "prices") for a list that lacks a price.
    """
    used: dict[str, float] = {}

    def lines(group: str, quantities: Iterator[Quantity]) -> Iterator[Line]:
        for what, name, quantity in quantities:
            price, before = prices.named(name), used.get(name, 0.0)
            used[name] = before + quantity
            dollars = price.of(used[name], free_tier=free_tier) - price.of(before, free_tier=free_tier)
            yield Line(
                group=group, what=what, quantity=quantity, unit=price.unit, dollars_each=price.dollars, per=price.per,
                dollars=dollars,
            )  # fmt: skip

    monthly = (
        *lines("delivery", _delivery(usage)),
        *lines("drawing", _drawing(usage)),
        *lines("building", _building(usage)),
        *lines("keeping", _keeping(usage)),
        *lines("watching", _watching(usage)),
    )
    return Estimate(monthly=monthly, once=tuple(lines("first build", _first_build(usage))), tiles=usage.traffic.tiles)


def next_million(usage: Usage, prices: PriceList, *, free_tier: bool = False) -> float:
    """What a million tiles more would cost."""
    more = replace(usage, traffic=replace(usage.traffic, tiles=usage.traffic.tiles + MILLION))
    return estimate(more, prices, free_tier=free_tier).total - estimate(usage, prices, free_tier=free_tier).total


def _delivery(usage: Usage) -> Iterator[Quantity]:
    traffic = usage.traffic
    sent = traffic.tiles * traffic.reply_kb * 1000 / GB
    if traffic.cdn:
        yield "requests to the CDN", "cloudfront_requests", traffic.tiles
        yield "data out of the CDN", "cloudfront_out", sent
    else:
        yield "data out of the gateway", "internet_out", sent
    if traffic.waf:
        yield "firewall", "waf_acls", 1
        yield "firewall's rules", "waf_rules", traffic.waf_rules
        yield "requests it looks at", "waf_requests", traffic.tiles


def _drawing(usage: Usage) -> Iterator[Quantity]:
    traffic, drawing = usage.traffic, usage.drawing
    missed, memory = traffic.missed, drawing.memory_mb / 1024
    started = missed * drawing.cold_percent / 100
    processor = f"lambda_{drawing.architecture}"
    yield "requests to the gateway", "http_api_requests", missed * max(1, ceil(traffic.reply_kb * 1000 / GATEWAY_STEP))
    yield "calls of the tiler", "lambda_requests", missed
    yield "its time", processor, missed * ceil(drawing.tile_ms) / 1000 * memory
    if drawing.snapstart:
        yield "its snapshots, kept", "snapstart_cache", MONTH_S * memory * drawing.snapshots
        yield "its snapshot, restored", "snapstart_restores", started * memory
    else:
        yield "its starts", processor, started * ceil(drawing.init_ms) / 1000 * memory
    yield "look-ups", "dynamodb_reads", missed * drawing.read_units + started * drawing.first_units
    if drawing.source is not AccessMode.ANONYMOUS:
        yield "reads of COGs", "s3_gets", missed * drawing.gets
        if not drawing.same_region:
            yield "bytes of COGs", "between_regions", missed * drawing.read_kb * 1000 / GB


def _building(usage: Usage) -> Iterator[Quantity]:
    holdings = usage.holdings
    builds = holdings.mosaics * holdings.rebuilds
    changed = builds * min(holdings.changed, holdings.granules)
    size = _index_bytes(holdings)
    yield "calls of the builder", "lambda_requests", builds
    yield "its time", *_builder_time(usage, seen=builds * holdings.granules, scanned=changed * holdings.assets)
    yield "index read", "dynamodb_reads", builds * size / READ_UNIT
    yield "index written", "dynamodb_writes", min(changed * holdings.write_units_per_change, builds * size / WRITE_UNIT)
    if usage.drawing.source is not AccessMode.ANONYMOUS:
        yield "reads of COGs", "s3_gets", changed * holdings.assets * holdings.scan_gets
    yield "queue", "sqs_requests", IDLE_POLLS + builds * QUEUE_CALLS
    yield "schedules", "schedules", builds


def _first_build(usage: Usage) -> Iterator[Quantity]:
    holdings = usage.holdings
    granules = holdings.mosaics * holdings.granules
    yield "time of the builder", *_builder_time(usage, seen=granules, scanned=granules * holdings.assets)
    yield "index written", "dynamodb_writes", holdings.mosaics * _index_bytes(holdings) / WRITE_UNIT
    if usage.drawing.source is not AccessMode.ANONYMOUS:
        yield "reads of COGs", "s3_gets", granules * holdings.assets * holdings.scan_gets


def _builder_time(usage: Usage, *, seen: float, scanned: float) -> tuple[str, float]:
    holdings = usage.holdings
    seconds = (seen * holdings.look_ms + scanned * holdings.scan_ms) / 1000
    return f"lambda_{usage.drawing.architecture}", seconds * holdings.builder_mb / 1024


def _keeping(usage: Usage) -> Iterator[Quantity]:
    kept = usage.holdings.mosaics * _index_bytes(usage.holdings) / GB
    yield "table", "dynamodb_storage", kept
    yield "its recovery to any second", "dynamodb_recovery", kept


def _index_bytes(holdings: Holdings) -> float:
    """Of one mosaic; versions share all that did not change."""
    granule = BYTES_PER_GRANULE + holdings.assets * BYTES_PER_HEADER
    return holdings.granules * granule + holdings.cells_each * BYTES_PER_CELL


def _watching(usage: Usage) -> Iterator[Quantity]:
    watching, missed = usage.watching, usage.traffic.missed
    logged = missed * watching.log_kb * 1000 / GB
    yield "logs taken in", "logs_taken_in", logged
    yield "logs kept", "logs_kept", logged * watching.log_days / (MONTH_S / 86_400)
    if watching.xray:
        every_second = min(missed, MONTH_S)
        rest = missed - every_second
        yield "traces", "xray_traces", every_second + rest * watching.traced_percent / 100
    yield "alarms", "alarms", watching.alarms
    yield "metrics", "metrics", watching.metrics
    yield "dashboards", "dashboards", watching.dashboards
    yield "secrets", "secrets", watching.secrets
