"""Commands of the registry: build, builds, schedule, granules and tokens, on a store or at an endpoint."""

import json
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from quadmosaic.cli import options
from quadmosaic.cli.replies import Call
from quadmosaic.cli.service import finished, listed, service
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Conflict, Invalid
from quadmosaic.domain.mosaicjson import read_json
from quadmosaic.domain.tokens import VERBS, mint, token_document

Name = Annotated[str, typer.Argument(metavar="NAME", help="The mosaic's name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Report what it would do, and change nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("build")(build)
    app.command("builds")(builds)
    app.command("schedule")(schedule)
    app.command("tokens")(tokens)
    granules = typer.Typer(
        help="Add, remove and list granules by hand.\n\nExample: `quadmosaic granules list jezero`",
        no_args_is_help=True,
    )
    granules.command("add")(add_granules)
    granules.command("remove")(remove_granule)
    granules.command("list")(list_granules)
    app.add_typer(granules, name="granules")


def build(
    name: Name,
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
    dry_run: DryRun = False,
    rescan: Annotated[bool, typer.Option("--rescan", help="Ask after every file whether it is the same.")] = False,
    confirm: Annotated[str | None, typer.Option("--confirm", help="Let this held build through instead.")] = None,
) -> None:
    """Build a mosaic again from its source, or let a held build through.

    Example: `quadmosaic build jezero --dry-run`
    """
    call = _call(store, endpoint, token)
    if confirm is not None:
        _tell(call, "POST", f"/mosaics/{quote(name)}/builds/{quote(confirm)}/confirm")
        return
    query = f"?dry_run={str(dry_run).lower()}&rescan={str(rescan).lower()}"
    _tell(call, "POST", f"/mosaics/{quote(name)}/builds{query}")


def builds(
    name: Name, store: options.Store = None, endpoint: options.Endpoint = None, token: options.Token = None
) -> None:
    """List the latest builds of a mosaic, newest first, as JSON.

    Example: `quadmosaic builds jezero`
    """
    _tell(_call(store, endpoint, token), "GET", f"/mosaics/{quote(name)}/builds")


def schedule(
    name: Name,
    expression: Annotated[
        str | None, typer.Argument(metavar="[EXPRESSION]", help="rate(1 day) or cron(0 10 ? * MON-FRI *).")
    ] = None,
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
    timezone: Annotated[str, typer.Option("--timezone", help="Time zone of a cron.")] = "UTC",
    off: Annotated[bool, typer.Option("--off", help="Take the schedule away.")] = False,
) -> None:
    """Show, set or take away the schedule on which a mosaic is built again.

    Example: `quadmosaic schedule jezero "rate(1 day)"`
    """
    call = _call(store, endpoint, token)
    if expression is not None and off:
        raise Invalid("give an expression or --off", field="schedule")
    if expression is not None or off:
        told = None if off else {"expression": expression, "timezone": timezone}
        document = call("PATCH", f"/mosaics/{quote(name)}", {"schedule": told}).document
    else:
        document = call("GET", f"/mosaics/{quote(name)}", None).document
    _print({"schedule": document.get("schedule"), "last_build": document.get("last_build")})


def add_granules(
    name: Name,
    sources: Annotated[list[str], typer.Argument(metavar="HREF or FILE.json ...", help="COGs, or files of items.")],
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
) -> None:
    """Add granules to a mosaic: COGs by their hrefs, or STAC items and features out of JSON files.

    Example: `quadmosaic granules add jezero s3://astrogeo-ard/mars/new.tif`
    """
    call = _call(store, endpoint, token)
    hrefs = [source for source in sources if not source.endswith((".json", ".geojson"))]
    for source in sources:
        if source not in hrefs:
            _tell(call, "POST", f"/mosaics/{quote(name)}/granules", read_json(Path(source).read_bytes()))
    if hrefs:
        _tell(call, "POST", f"/mosaics/{quote(name)}/granules", {"hrefs": [_absolute(href) for href in hrefs]})


def remove_granule(
    name: Name,
    granule: Annotated[str, typer.Argument(metavar="ID", help="The granule's id.")],
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
) -> None:
    """Remove a granule from a mosaic and from every later build of it.

    Example: `quadmosaic granules remove jezero P01_001`
    """
    _tell(_call(store, endpoint, token), "DELETE", f"/mosaics/{quote(name)}/granules/{quote(granule, safe='')}")


def list_granules(
    name: Name,
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
    bbox: Annotated[
        str | None, typer.Option("--bbox", help="west,south,east,north in degrees; west > east crosses 180.")
    ] = None,
    period: Annotated[
        str | None, typer.Option("--datetime", help="A time, or an interval like 2020-01-01T00:00:00Z/..")
    ] = None,
    condition: Annotated[
        str | None, typer.Option("--filter", help="CQL2 text on id, geometry and properties: gsd < 10")
    ] = None,
) -> None:
    """List the ids of a mosaic's granules, one a line.

    Example: `quadmosaic granules list jezero --bbox 76,17,78,19`
    """
    call = _call(store, endpoint, token)
    asked = {"bbox": bbox, "datetime": period, "filter": condition, "limit": 1000}
    query = urlencode({key: value for key, value in asked.items() if value is not None})
    for feature in listed(call, f"/mosaics/{quote(name)}/granules?{query}", "features"):
        print(feature["id"])


def tokens(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="A name for the token.")],
    names: Annotated[list[str] | None, typer.Option("--name", help="Mosaic or pattern; repeat for more.")] = None,
    verbs: Annotated[list[str] | None, typer.Option("--verb", help=f"One of {', '.join(VERBS)}; repeat.")] = None,
) -> None:
    """Make a write token: its secret on standard error, once, and its entry for QUADMOSAIC_TOKENS as JSON.

    Example: `quadmosaic tokens ci --name "jezero-*" --verb build --verb granules`
    """
    secret, token = mint(token_id, secrets.token_bytes(32), names=names or ["*"], verbs=verbs or list(VERBS))
    print(f"secret, to be kept by who writes: {secret}", file=sys.stderr)
    print(json.dumps([token_document(token)]))


def post(
    body: object, *, store: str | None, endpoint: str | None, token: str | None, name: str | None, quiet: bool
) -> None:
    """Register what a POST's body says."""
    query = "" if name is None else f"?name={quote(name)}"
    _tell(_call(store, endpoint, token), "POST", f"/mosaics{query}", body, quiet=quiet)


def _call(store: str | None, endpoint: str | None, token: str | None) -> Call:
    settings = Settings() if store is None else Settings(store=store)
    return service(settings, endpoint=endpoint, token=token)


def _tell(call: Call, method: str, path: str, body: object = None, *, quiet: bool = False) -> None:
    document = finished(call, call(method, path, body), on_progress=(lambda _: None) if quiet else _progress)
    _print(document)
    build = document.get("last_build") or document
    if build.get("status") == "held":
        confirm = f"quadmosaic build {build['name']} --confirm {build['id']}"
        raise Conflict(f"the build is held, as the mosaic would lose much; to let it through: {confirm}")


def _progress(document: dict[str, Any]) -> None:
    told = ", ".join(f"{what}: {count}" for what, count in document.get("progress", {}).items())
    print(f"{document.get('status')} {document.get('step')} {told}", file=sys.stderr)


def _print(document: object) -> None:
    print(json.dumps(document, indent=2))


def _absolute(href: str) -> str:
    """A path as the service, which may run elsewhere, would have to find it."""
    return href if "://" in href else Path(href).absolute().as_uri()
