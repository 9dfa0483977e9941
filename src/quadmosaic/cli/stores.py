"""Commands that work on a store: register, list, show, and those on versions and for export."""

import asyncio
import json
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from quadmosaic import bootstrap
from quadmosaic.api.documents import version_info, version_summary
from quadmosaic.cli import export, history, options, registry
from quadmosaic.cli.history import AsJson
from quadmosaic.cli.progress import progress_bars, tell
from quadmosaic.cli.service import listed, service
from quadmosaic.config import Settings
from quadmosaic.domain.asset_keys import DEFAULT_ASSET
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.mosaic import Version
from quadmosaic.domain.mosaicjson import parse, read_json
from quadmosaic.domain.names import parse_ref, validate_name
from quadmosaic.ports import MosaicStore
from quadmosaic.services.drafts import Draft, publish, require_free
from quadmosaic.services.mosaics import Mosaics


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("register")(register_mosaic)
    app.command("list")(list_mosaics)
    app.command("show")(show)
    history.register(app)
    export.register(app)


def settings_for(store: str | None) -> Settings:
    """Settings whose store is the option's, where it was given."""
    return Settings() if store is None else Settings(store=store)


def register_mosaic(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A mosaic.json, gzipped or not: a file, s3://, https://, or dynamodb://region/table:mosaic of "
            "cogeo-mosaic.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Name in the store: a-z, 0-9 and hyphens; a POST's body may say it.")
    ] = None,
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
    title: Annotated[str | None, typer.Option("--title", help="Title for people.")] = None,
    asset: Annotated[
        str | None, typer.Option("--asset", help="Key to give the document's files: data, if none is given.")
    ] = None,
    scan: options.Scan = True,
    quiet: options.Quiet = False,
) -> None:
    """Put a mosaic.json, a mosaic of cogeo-mosaic's DynamoDB table, or what the body of a POST says, into a store.

    Example: `quadmosaic register mosaic.json --name jezero`
    """
    settings = settings_for(store)
    body = _body(settings, source, endpoint)
    if body is not None:
        told = _told(body, name=name, title=title, asset=asset, scan=scan)
        registry.post(told, store=store, endpoint=endpoint, token=token, name=name, quiet=quiet)
        return
    if name is None:
        raise Invalid("is missing: --name jezero", field="name")
    validate_name(name)
    outside = bootstrap.adapters(settings)

    async def run() -> tuple[Version, Draft]:
        await require_free(outside.store, name)
        document = parse(await bootstrap.mosaic_document(settings, source))
        defaults = replace(options.defaults_of(title, None, None), asset=asset or DEFAULT_ASSET)
        with progress_bars(quiet=quiet) as progress:
            importing = bootstrap.builder(outside.reader).imported(document, defaults, scan=scan, progress=progress)
            draft = await importing
        return await publish(outside.store, name, draft), draft

    version, draft = asyncio.run(run())
    tell(draft.manifest.report, quiet=quiet)
    print(version.label)


def list_mosaics(
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
    as_json: AsJson = False,
) -> None:
    """List the mosaics of a store or of a service.

    Example: `quadmosaic list --store ./quadmosaic-data`
    """
    if endpoint is None:
        found = asyncio.run(_heads(bootstrap.adapters(settings_for(store)).store))
    else:
        found = list(listed(service(Settings(), endpoint=endpoint, token=token), "/mosaics?limit=1000", "mosaics"))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    columns = ("name", "version", "body", "granules", "cells", "created", "title")
    table = Table(*columns)
    for one in found:
        table.add_row(*(str(one[column]) for column in columns))
    Console(markup=False).print(table)


def show(
    mosaic: Annotated[str, typer.Argument(metavar="NAME or NAME@VERSION")],
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
) -> None:
    """Show all that is known of a mosaic, as JSON; a service tells its registration and schedule too.

    Example: `quadmosaic show jezero@1`
    """
    ref = parse_ref(mosaic)
    if endpoint is None:
        mosaics = Mosaics(store=bootstrap.adapters(settings_for(store)).store)
        document: dict[str, Any] = version_info(asyncio.run(mosaics.version(mosaic)))
    else:
        label = ref.name if ref.number is None else f"{ref.name}@{ref.number}"
        document = service(Settings(), endpoint=endpoint, token=token)("GET", f"/mosaics/{label}", None).document
    print(json.dumps(document, indent=2))


def _told(body: JsonObject, *, name: str | None, title: str | None, asset: str | None, scan: bool) -> JsonObject:
    """The body with what the options say. Raises Invalid (fields "asset" and "name")."""
    if "source" in body and asset is not None:
        raise Invalid("is for a document's files: this body says its assets itself", field="asset")
    if title is None and asset is None and scan:
        return body
    told: JsonObject = body if "source" in body else {"source": {"type": "mosaicjson", "document": body}}
    if "source" not in body:
        if name is None:
            raise Invalid("is missing: --name jezero", field="name")
        told |= {"name": name}
    given: JsonObject = {"title": title, "assets": None if asset is None else [asset], "scan": None if scan else False}
    return {**told, **{key: value for key, value in given.items() if value is not None}}


def _body(settings: Settings, source: str, endpoint: str | None) -> JsonObject | None:
    """What is to be posted: the JSON body of a POST, or any document that goes to an endpoint."""
    is_file = "://" not in source
    if not is_file and endpoint is None:
        return None
    document = read_json(asyncio.run(bootstrap.mosaic_document(settings, source)))
    if not isinstance(document, dict):
        raise Invalid(f"{source} holds no object", field="source")
    return document if endpoint is not None or "source" in document else None


async def _heads(store: MosaicStore) -> list[dict[str, Any]]:
    """As the service lists them."""
    mosaics = Mosaics(store=store)
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = await mosaics.page(after=after)
        found += [version_summary(version) for version in page.items]
        after = page.next
        if after is None:
            return found
