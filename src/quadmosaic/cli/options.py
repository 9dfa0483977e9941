"""Options that several commands share, and what they mean."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.mosaic import Defaults, Recipe
from quadmosaic.domain.sources import Source

Tms = Annotated[str | None, typer.Option("--tms", help="Tile matrix set: an id, or a file with its document.")]
MinZoom = Annotated[int | None, typer.Option("--minzoom", help="Lowest zoom of the map.")]
MaxZoom = Annotated[int | None, typer.Option("--maxzoom", help="Highest zoom of the map.")]
QuadkeyZoom = Annotated[str, typer.Option("--quadkey-zoom", help="Zoom of the index, or auto to have one chosen.")]
Order = Annotated[
    str,
    typer.Option("--order", help="Best first: source, newest, best-resolution, or a property (-property: largest)."),
]
Name = Annotated[str | None, typer.Option("--name", help="Name of the mosaic.")]
Description = Annotated[str | None, typer.Option("--description", help="What it shows.")]
Attribution = Annotated[str | None, typer.Option("--attribution", help="Whom to credit.")]
Output = Annotated[
    str | None, typer.Option("-o", "--output", help="File to write; with several assets it contains {asset}.")
]
Assets = Annotated[list[str] | None, typer.Option("--asset", help="Asset key; repeat for several.")]
Scan = Annotated[bool, typer.Option("--scan/--no-scan", help="Read the files' headers and a sample of their pixels.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no report.")]


def _said(context: typer.Context, option: str) -> bool:
    """Was the option given on the command line, and not by the environment?"""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _store(context: typer.Context, value: str | None) -> str | None:
    """Raise Invalid for a command that names both places; the two are looked at in the order they are given in."""
    if _said(context, "store") and _said(context, "endpoint"):
        raise Invalid("give --store or --endpoint, not both", field="endpoint")
    return value


def _endpoint(context: typer.Context, value: str | None) -> str | None:
    """A store on the command line counts more than an endpoint in the environment."""
    _store(context, None)
    return None if _said(context, "store") else value


Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="QUADMOSAIC_STORE",
        callback=_store,
        help="A folder, file:///folder, s3://bucket/prefix or dynamodb://region/table?documents=s3://bucket/prefix.",
        show_default=False,
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        envvar="QUADMOSAIC_ENDPOINT",
        callback=_endpoint,
        help="Address of a running service, instead of a store.",
    ),
]
Token = Annotated[str | None, typer.Option("--token", envvar="QUADMOSAIC_TOKEN", help="Write token for the endpoint.")]
Input = Annotated[typer.FileBinaryRead, typer.Argument(metavar="[FILE or -]", help="Standard input when absent or -.")]


def tms_of(text: str | None) -> str | JsonObject | None:
    """An id as it is, a file as the document in it. Raises Invalid (field "tms")."""
    if text is None or not text.endswith(".json"):
        return text
    try:
        document = json.loads(Path(text).read_text())
    except (OSError, ValueError) as error:
        raise Invalid(f"cannot read {text}: {error}", field="tms") from error
    if not isinstance(document, dict):
        raise Invalid(f"{text} holds no TileMatrixSet", field="tms")
    return document


def zoom_of(text: str) -> int | Literal["auto"]:
    """A number or `auto`. Raises Invalid (field "quadkey_zoom")."""
    if text == "auto":
        return "auto"
    if not text.isdecimal():
        raise Invalid(f"{text!r} is neither a zoom nor auto", field="quadkey_zoom")
    return int(text)


def recipe_of(
    source: Source,
    *,
    assets: list[str] | None,
    tms: str | None,
    minzoom: int | None,
    maxzoom: int | None,
    quadkey_zoom: str,
    order: str,
    scan: bool,
) -> Recipe:
    """The recipe that the options describe."""
    return Recipe(
        source=source,
        assets=tuple(assets or ()),
        tms=tms_of(tms),
        quadkey_zoom=zoom_of(quadkey_zoom),
        minzoom=minzoom,
        maxzoom=maxzoom,
        order=order,
        scan=scan,
    )


def defaults_of(name: str | None, description: str | None, attribution: str | None) -> Defaults:
    """The serving defaults that the options name."""
    return Defaults(title=name, description=description, attribution=attribution)
