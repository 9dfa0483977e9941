"""Commands on the versions of a mosaic: versions, changes, publish, delete, sweep."""

import asyncio
import json
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from quadmosaic import bootstrap
from quadmosaic.api.documents import version_summary
from quadmosaic.cli import options
from quadmosaic.cli.progress import progress_bars
from quadmosaic.cli.service import listed, service
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Invalid, NotFound
from quadmosaic.domain.mosaic import Version
from quadmosaic.domain.names import parse_ref, validate_name
from quadmosaic.ports import KEEP_VERSIONS, KEEP_YOUNGER, SPARE, MosaicStore, SweepReport

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Ref = Annotated[str, typer.Argument(metavar="NAME@VERSION")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, command in (
        ("versions", versions),
        ("changes", changes),
        ("publish", publish),
        ("delete", delete),
        ("sweep", sweep),
    ):
        app.command(name)(command)


def store_of(store: str | None) -> MosaicStore:
    """The store of the option, or else of the environment."""
    return bootstrap.adapters(Settings() if store is None else Settings(store=store)).store


def versions(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of a mosaic, newest first; * marks the one that is served.

    Example: `quadmosaic versions jezero`
    """
    validate_name(name)
    if endpoint is None:
        found = asyncio.run(_history(store_of(store), name))
    else:
        call = service(Settings(), endpoint=endpoint, token=token)
        found = list(listed(call, f"/mosaics/{name}/versions?limit=1000", "versions"))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("version", "", "created", "granules", "cells", "digest", "title")
    for one in found:
        mark = "*" if one["head"] else ""
        row = (one["version"], mark, one["created"], one["granules"], one["cells"], one["digest"][:12], one["title"])
        table.add_row(*map(str, row))
    Console(markup=False).print(table)


def changes(
    old: Annotated[str, typer.Argument(metavar="NAME@OLD")],
    new: Annotated[str, typer.Argument(metavar="NAME@NEW")],
    store: options.Store = None,
    as_json: AsJson = False,
) -> None:
    """Say which granules and cells were added, removed and changed from one version to another.

    Example: `quadmosaic changes jezero@1 jezero@2`
    """

    async def compare(outside: MosaicStore) -> dict[str, tuple[str, ...]]:
        before, after = [await outside.version(parse_ref(text)) for text in (old, new)]
        return asdict(await outside.changes(before, after))

    found = asyncio.run(compare(store_of(store)))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for kind, keys in found.items():
        some = ", ".join(keys[:10]) + (", ..." if len(keys) > 10 else "")
        print(f"{kind.replace('_', ' ')}: {len(keys)}{' (' + some + ')' if keys else ''}")


def publish(
    mosaic: Ref,
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
    as_json: AsJson = False,
) -> None:
    """Serve another version of a mosaic, an older one for example.

    Example: `quadmosaic publish jezero@3`
    """
    ref = parse_ref(mosaic)
    if ref.number is None:
        raise Invalid(f"is missing: {ref.name}@1", field="version")

    async def move(outside: MosaicStore) -> int | None:
        try:
            before: int | None = await outside.head(ref.name)
        except NotFound:
            before = None
        await outside.publish(ref, expected=before)
        return before

    if endpoint is None:
        before = asyncio.run(move(store_of(store)))
    else:
        call = service(Settings(), endpoint=endpoint, token=token)
        before = call("GET", f"/mosaics/{ref.name}", None).document.get("version")
        call("POST", f"/mosaics/{ref.name}/versions/{ref.number}/publish", None)
    print(json.dumps({"name": ref.name, "version": ref.number, "before": before}) if as_json else mosaic)


def delete(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    store: options.Store = None,
    endpoint: options.Endpoint = None,
    token: options.Token = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a mosaic and all its versions.

    Example: `quadmosaic delete jezero --yes`
    """
    validate_name(name)
    if not yes:
        typer.confirm(f"Delete {name} and all its versions?", abort=True, err=True)
    settings = Settings() if store is None else Settings(store=store)
    service(settings, endpoint=endpoint, token=token)("DELETE", f"/mosaics/{name}", None)
    print(json.dumps({"deleted": name}) if as_json else f"{name} is deleted")


def sweep(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this mosaic.")] = None,
    store: options.Store = None,
    keep: Annotated[int, typer.Option("--keep", min=1, help="Published versions to keep.")] = KEEP_VERSIONS,
    younger_than: Annotated[
        float, typer.Option("--younger-than", min=0, help="Days for which any version is kept.")
    ] = KEEP_YOUNGER.total_seconds() / 86_400,
    spare: Annotated[
        float, typer.Option("--spare", min=0, help="Minutes for which writers and readers at work are spared.")
    ] = SPARE.total_seconds() / 60,
    quiet: options.Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Remove old versions and what killed builds left, and nothing that a version which stays needs.

    Example: `quadmosaic sweep --keep 5 --younger-than 30`
    """

    async def run(outside: MosaicStore) -> SweepReport:
        with progress_bars(quiet=quiet) as progress:
            progress("sweeping", 0, None)
            report = await outside.sweep(
                name, keep=keep, younger_than=timedelta(days=younger_than), spare=timedelta(minutes=spare)
            )
            progress("sweeping", report.objects, report.objects)
        return report

    report = asyncio.run(run(store_of(store)))
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(f"removed {len(report.published)} old versions, {len(report.unpublished)} unfinished ones, "
          f"{report.objects} objects")  # fmt: skip
    for label in (*report.published, *report.unpublished):
        print(label)


async def _history(store: MosaicStore, name: str) -> list[dict[str, Any]]:
    """As the service lists it."""
    found: list[Version] = []
    after: str | None = None
    while True:
        page = await store.versions(name, after=after)
        found += page.items
        after = page.next
        if after is None:
            head = await store.head(name)
            return [version_summary(one) | {"head": one.number == head} for one in found]
