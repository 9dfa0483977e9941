"""The command that estimates what a month on AWS costs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from quadmosaic.cli.history import AsJson
from quadmosaic.domain.access import AccessMode
from quadmosaic.domain.costs import Estimate, Line, estimate, next_million
from quadmosaic.domain.prices import PriceList, own_prices, parse_prices
from quadmosaic.domain.usage import Architecture, Drawing, Holdings, Traffic, Usage, Watching

TRAFFIC, DRAWING, HOLDINGS, WATCHING = Traffic(), Drawing(), Holdings(), Watching()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cost")(cost)


def cost(
    tiles: Annotated[float, typer.Option("--tiles", help="Tiles asked for in a month.")] = TRAFFIC.tiles,
    cdn: Annotated[bool, typer.Option("--cdn/--no-cdn", help="CloudFront in front.")] = TRAFFIC.cdn,
    hits: Annotated[float, typer.Option("--hits", help="Percent that the CDN answers itself.")] = TRAFFIC.hit_percent,
    reply_kb: Annotated[float, typer.Option("--reply-kb", help="kB of a reply.")] = TRAFFIC.reply_kb,
    waf: Annotated[bool, typer.Option("--waf/--no-waf", help="A firewall in front of the CDN.")] = TRAFFIC.waf,
    waf_rules: Annotated[int, typer.Option("--waf-rules", help="Its rules.")] = TRAFFIC.waf_rules,
    tile_ms: Annotated[float, typer.Option("--tile-ms", help="Billed ms of drawing a tile.")] = DRAWING.tile_ms,
    memory_mb: Annotated[int, typer.Option("--memory-mb", help="Memory of the tiler.")] = DRAWING.memory_mb,
    architecture: Annotated[
        Architecture, typer.Option("--architecture", help="Processor of the functions.")
    ] = DRAWING.architecture,
    snapstart: Annotated[
        bool, typer.Option("--snapstart/--no-snapstart", help="Start the tiler from a snapshot.")
    ] = DRAWING.snapstart,
    snapshots: Annotated[
        int, typer.Option("--snapshots", help="Published versions of the tiler, each with its snapshot.")
    ] = DRAWING.snapshots,
    cold: Annotated[
        float, typer.Option("--cold", help="Percent of drawn tiles that start a process.")
    ] = DRAWING.cold_percent,
    init_ms: Annotated[float, typer.Option("--init-ms", help="Billed ms of a start.")] = DRAWING.init_ms,
    read_units: Annotated[
        float, typer.Option("--read-units", help="Read units of DynamoDB for a drawn tile.")
    ] = DRAWING.read_units,
    gets: Annotated[float, typer.Option("--gets", help="GETs of COGs for a drawn tile.")] = DRAWING.gets,
    read_kb: Annotated[float, typer.Option("--read-kb", help="kB of COGs for a drawn tile.")] = DRAWING.read_kb,
    source: Annotated[
        AccessMode, typer.Option("--source", help="How COGs are read: an anonymous read is paid by the bucket's owner.")
    ] = DRAWING.source,
    same_region: Annotated[
        bool, typer.Option("--same-region/--other-region", help="Are the COGs in the region of the functions?")
    ] = DRAWING.same_region,
    mosaics: Annotated[float, typer.Option("--mosaics", help="Mosaics.")] = HOLDINGS.mosaics,
    granules: Annotated[float, typer.Option("--granules", help="Granules of each.")] = HOLDINGS.granules,
    cells: Annotated[
        float | None, typer.Option("--cells", help="Index cells of each; 3.2 for a granule when absent.")
    ] = HOLDINGS.cells,
    assets: Annotated[float, typer.Option("--assets", help="Files of a granule.")] = HOLDINGS.assets,
    rebuilds: Annotated[float, typer.Option("--rebuilds", help="Builds of each in a month.")] = HOLDINGS.rebuilds,
    changed: Annotated[
        float, typer.Option("--changed", help="Granules that are new or replaced at each build.")
    ] = HOLDINGS.changed,
    scan_ms: Annotated[float, typer.Option("--scan-ms", help="Builder's ms for a new file.")] = HOLDINGS.scan_ms,
    builder_mb: Annotated[int, typer.Option("--builder-mb", help="Memory of the builder.")] = HOLDINGS.builder_mb,
    log_kb: Annotated[float, typer.Option("--log-kb", help="kB of logs for a drawn tile.")] = WATCHING.log_kb,
    log_days: Annotated[float, typer.Option("--log-days", help="Days for which logs are kept.")] = WATCHING.log_days,
    xray: Annotated[bool, typer.Option("--xray/--no-xray", help="Trace with X-Ray.")] = WATCHING.xray,
    traced: Annotated[
        float, typer.Option("--traced", help="Percent of drawn tiles that are traced beside one a second.")
    ] = WATCHING.traced_percent,
    alarms: Annotated[
        int, typer.Option("--alarms", help="Metrics that alarms look at; one on a sum looks at each of its terms.")
    ] = WATCHING.alarms,
    metrics: Annotated[int, typer.Option("--metrics", help="Metrics of our own.")] = WATCHING.metrics,
    dashboards: Annotated[int, typer.Option("--dashboards", help="Dashboards.")] = WATCHING.dashboards,
    secrets: Annotated[int, typer.Option("--secrets", help="Secrets.")] = WATCHING.secrets,
    free_tier: Annotated[
        bool, typer.Option("--free-tier/--no-free-tier", help="Subtract what every account has free of charge.")
    ] = False,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="Another list of prices, in the form of prices.toml.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what a month on AWS costs, line by line, from the use and a dated list of prices.

    Example: `quadmosaic cost --tiles 5000000 --hits 90 --mosaics 3 --granules 20000`
    """
    usage = Usage(
        traffic=Traffic(
            tiles=tiles, cdn=cdn, hit_percent=hits, reply_kb=reply_kb, waf=waf, waf_rules=waf_rules
        ),
        drawing=Drawing(
            tile_ms=tile_ms, memory_mb=memory_mb, architecture=architecture, snapstart=snapstart, snapshots=snapshots,
            cold_percent=cold, init_ms=init_ms, read_units=read_units, gets=gets, read_kb=read_kb, source=source,
            same_region=same_region,
        ),
        holdings=Holdings(
            mosaics=mosaics, granules=granules, cells=cells, assets=assets, rebuilds=rebuilds, changed=changed,
            scan_ms=scan_ms, builder_mb=builder_mb,
        ),
        watching=Watching(
            log_kb=log_kb, log_days=log_days, xray=xray, traced_percent=traced, alarms=alarms, metrics=metrics,
            dashboards=dashboards, secrets=secrets,
        ),
    )  # fmt: skip
    listed = own_prices() if prices is None else parse_prices(prices.read_text("utf-8"))
    found = estimate(usage, listed, free_tier=free_tier)
    more = next_million(usage, listed, free_tier=free_tier)
    if as_json:
        print(json.dumps(_document(usage, listed, found, more, free_tier=free_tier), indent=2))
    else:
        _print(listed, found, more, free_tier=free_tier)


def _document(usage: Usage, listed: PriceList, found: Estimate, more: float, *, free_tier: bool) -> dict[str, object]:
    return {
        "prices": {"date": listed.date.isoformat(), "region": listed.region, "currency": listed.currency},
        "free_tier": free_tier,
        "usage": asdict(usage),
        "lines": [asdict(line) for line in found.monthly],
        "total": found.total,
        "per_million_tiles": found.per_million_tiles,
        "next_million_tiles": more,
        "once": {"lines": [asdict(line) for line in found.once], "total": found.total_once},
    }


def _print(listed: PriceList, found: Estimate, more: float, *, free_tier: bool) -> None:
    table = Table("", "for", box=None, pad_edge=False)
    for title in ("quantity", "price", "dollars"):
        table.add_column(title, justify="right")
    group = ""
    for line in (*found.monthly, *found.once):
        table.add_row(line.group if line.group != group else "", line.what, *_amounts(line))
        group = line.group
    Console(markup=False, width=110).print(table)
    free = "the free tier subtracted" if free_tier else "no free tier subtracted"
    print(f"\na month: ${found.total:,.2f}; a million tiles more: ${more:,.2f}")
    print(f"once, for the first builds: ${found.total_once:,.2f}")
    print(f"prices of {listed.date} in {listed.region}, {free}, no taxes")


def _amounts(line: Line) -> tuple[str, str, str]:
    per = "" if line.per == 1 else f"{line.per:,.0f} "
    return (
        f"{line.quantity:,.2f}".removesuffix(".00"),
        f"{line.dollars_each:g} / {per}{line.unit}",
        f"{line.dollars:,.2f}",
    )
