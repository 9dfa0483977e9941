"""Commands that make a mosaic.json: from COGs, from features, from a STAC search; and the one that checks it."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from quadmosaic import bootstrap
from quadmosaic.cli import options
from quadmosaic.cli.progress import progress_bars, tell
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.mosaic import Defaults, Recipe
from quadmosaic.domain.mosaicjson import read_json, write
from quadmosaic.domain.mosaicjson_faults import faults
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.domain.searches import validate_search
from quadmosaic.domain.sources import CogsSource, FeaturesSource, StacSource
from quadmosaic.services.drafts import Draft


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("create")(create)
    app.command("create-from-features")(create_from_features)
    app.command("create-from-stac")(create_from_stac)
    app.command("validate")(validate)


def create(
    file: options.Input = "-",  # type: ignore[assignment]
    tms: options.Tms = None,
    minzoom: options.MinZoom = None,
    maxzoom: options.MaxZoom = None,
    quadkey_zoom: options.QuadkeyZoom = "auto",
    order: options.Order = "source",
    name: options.Name = None,
    description: options.Description = None,
    attribution: options.Attribution = None,
    output: options.Output = None,
    quiet: options.Quiet = False,
) -> None:
    """Make a mosaic.json from a list of COGs, one path or URL a line.

    Example: `ls /data/*.tif | quadmosaic create --tms MarsMercatorSphere -o mosaic.json`
    """
    source = CogsSource(hrefs=_hrefs(file.read()))
    recipe = options.recipe_of(
        source, assets=None, tms=tms, minzoom=minzoom, maxzoom=maxzoom, quadkey_zoom=quadkey_zoom,
        order=order, scan=True,
    )  # fmt: skip
    _create(recipe, options.defaults_of(name, description, attribution), output=output, quiet=quiet)


def create_from_features(
    file: options.Input = "-",  # type: ignore[assignment]
    property_name: Annotated[
        str | None, typer.Option("--property", help="Property that holds the file's href.")
    ] = None,
    asset: options.Assets = None,
    tms: options.Tms = None,
    minzoom: options.MinZoom = None,
    maxzoom: options.MaxZoom = None,
    quadkey_zoom: options.QuadkeyZoom = "auto",
    order: options.Order = "source",
    name: options.Name = None,
    description: options.Description = None,
    attribution: options.Attribution = None,
    output: options.Output = None,
    scan: options.Scan = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a mosaic.json from a GeoJSON FeatureCollection or a STAC ItemCollection.

    Example: `quadmosaic create-from-features items.json --asset image --tms MarsMercatorSphere --quadkey-zoom 9`
    """
    features = read_json(file.read())
    if not isinstance(features, dict):
        raise Invalid("not a FeatureCollection", field="features")
    recipe = options.recipe_of(
        FeaturesSource(features=features, property=property_name), assets=asset, tms=tms, minzoom=minzoom,
        maxzoom=maxzoom, quadkey_zoom=quadkey_zoom, order=order, scan=scan,
    )  # fmt: skip
    _create(recipe, options.defaults_of(name, description, attribution), output=output, quiet=quiet)


def create_from_stac(
    url: Annotated[str, typer.Argument(metavar="URL", help="Root of a STAC API.")],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", help="Collection id; repeat for more.")
    ] = None,
    bbox: Annotated[str | None, typer.Option("--bbox", help="minlon,minlat,maxlon,maxlat in degrees.")] = None,
    intersects: Annotated[Path | None, typer.Option("--intersects", help="File with a GeoJSON geometry.")] = None,
    datetime: Annotated[str | None, typer.Option("--datetime", help="Time or interval, as in STAC.")] = None,
    filter_: Annotated[str | None, typer.Option("--filter", help="CQL2 text.")] = None,
    max_items: Annotated[int | None, typer.Option("--max-items", help="Stop after so many items.")] = None,
    asset: options.Assets = None,
    tms: options.Tms = None,
    minzoom: options.MinZoom = None,
    maxzoom: options.MaxZoom = None,
    quadkey_zoom: options.QuadkeyZoom = "auto",
    order: options.Order = "source",
    name: options.Name = None,
    description: options.Description = None,
    attribution: options.Attribution = None,
    output: options.Output = None,
    scan: options.Scan = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a mosaic.json, or one per asset, from a STAC search.

    Example: `quadmosaic create-from-stac https://stac.astrogeology.usgs.gov/api --collection
    mro_ctx_controlled_usgs_dtms --bbox 76.58,17.38,78.58,19.38 --asset dtm --asset image -o jezero_{asset}.json`
    """
    search = _search(collection, bbox, intersects, datetime, filter_)
    recipe = options.recipe_of(
        StacSource(href=url, search=search, max_items=max_items), assets=asset, tms=tms, minzoom=minzoom,
        maxzoom=maxzoom, quadkey_zoom=quadkey_zoom, order=order, scan=scan,
    )  # fmt: skip
    _create(recipe, options.defaults_of(name, description, attribution), output=output, quiet=quiet)


def validate(file: Annotated[Path, typer.Argument(metavar="FILE", help="A mosaic.json, gzipped or not.")]) -> None:
    """Check a MosaicJSON document against its specification and its tile matrix set; name every fault.

    Example: `quadmosaic validate mosaic.json`
    """
    document = read_json(file.read_bytes())
    found = faults(document)
    for fault in found:
        print(f"{fault.field}: {fault.message}")
    if found:
        raise typer.Exit(2)
    print(f"{file} is valid")


def _hrefs(content: bytes) -> tuple[str, ...]:
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        raise Invalid("not a text with one path or URL a line", field="file") from None
    return tuple(line.strip() for line in lines if line.strip())


def _search(
    collections: list[str] | None, bbox: str | None, intersects: Path | None, datetime: str | None, cql2: str | None
) -> JsonObject:
    search: JsonObject = {}
    if collections:
        search["collections"] = list(collections)
    if bbox:
        try:
            search["bbox"] = [float(edge) for edge in bbox.split(",")]
        except ValueError:
            raise Invalid(f"{bbox!r} is not minlon,minlat,maxlon,maxlat", field="bbox") from None
    if intersects:
        search["intersects"] = _geometry(intersects)
    if datetime:
        search["datetime"] = datetime
    if cql2:
        search |= {"filter": cql2, "filter-lang": "cql2-text"}
    validate_search(search, field="search")
    return search


def _geometry(file: Path) -> JsonObject:
    try:
        geometry = read_json(file.read_bytes())
    except Invalid as error:
        raise Invalid(f"{file} {error.message}", field="intersects") from error
    if not isinstance(geometry, dict):
        raise Invalid(f"{file} holds no GeoJSON geometry", field="intersects")
    inner = geometry.get("geometry")
    return inner if geometry.get("type") == "Feature" and isinstance(inner, dict) else geometry


def _create(recipe: Recipe, defaults: Defaults, *, output: str | None, quiet: bool) -> None:
    if len(recipe.assets) > 1 and "{asset}" not in (output or ""):
        raise Invalid("with several assets the file name must contain {asset}", field="output")
    settings = Settings(store="memory://")
    builder = bootstrap.builder(bootstrap.adapters(settings).reader, settings)
    with progress_bars(quiet=quiet) as progress:
        draft = asyncio.run(builder.draft(recipe, defaults, progress=progress))
    tell(draft.manifest.report, quiet=quiet)
    for profile in draft.manifest.assets:
        _write(draft, profile.key, output)


def _write(draft: Draft, asset: str, output: str | None) -> None:
    document = from_index(draft.index, draft.manifest, asset=asset)
    if output is None:
        sys.stdout.buffer.write(write(document, indent=True) + b"\n")
        return
    path = Path(output.replace("{asset}", asset))
    path.write_bytes(write(document, indent=path.suffix != ".gz", compress=path.suffix == ".gz"))
