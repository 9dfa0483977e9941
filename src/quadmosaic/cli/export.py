"""The export command: a mosaic as mosaic.json, or its footprints as GeoJSON."""

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from quadmosaic.api.documents import granule_feature, public_index
from quadmosaic.cli import options
from quadmosaic.cli.history import store_of
from quadmosaic.cli.progress import progress_bars
from quadmosaic.domain import grids
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import Version
from quadmosaic.domain.mosaicjson import write
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.domain.names import parse_ref
from quadmosaic.ports import MosaicStore
from quadmosaic.services.assets import asset_profile
from quadmosaic.services.builds import Progress

_PAGE = 1000


class What(StrEnum):
    """What to export."""

    MOSAICJSON = "mosaicjson"
    FOOTPRINTS = "footprints"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    mosaic: Annotated[str, typer.Argument(metavar="NAME or NAME@VERSION")],
    what: Annotated[What, typer.Option("--as", help="The index as MosaicJSON, or the granules as GeoJSON.")] = (
        What.MOSAICJSON
    ),
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write, gzipped if .gz.")] = None,
    asset: Annotated[str | None, typer.Option("--asset", help="Asset of the mosaic.json.")] = None,
    tms: Annotated[str | None, typer.Option("--tms", help="Grid of the mosaic.json, with one root.")] = None,
    store: options.Store = None,
    quiet: options.Quiet = False,
) -> None:
    """Write a mosaic as a document that other software reads, without signatures, to a file or to standard output.

    Example: `quadmosaic export jezero --as footprints -o jezero.geojson`
    """
    outside = store_of(store)

    async def run() -> None:
        version = await outside.version(parse_ref(mosaic))
        with progress_bars(quiet=quiet or output is None) as progress, _open(output) as file:
            if what is What.MOSAICJSON:
                file.write(await _mosaicjson(outside, version, asset, tms, progress))
                return
            async for piece in _footprints(outside, version, progress):
                file.write(piece)

    asyncio.run(run())


async def _mosaicjson(
    store: MosaicStore, version: Version, asset: str | None, tms: str | None, progress: Progress
) -> bytes:
    key = asset_profile(version, asset, field="asset").key
    grid = None if tms is None else grids.load(tms)
    progress("cells", 0, version.manifest.report.cells)
    index = public_index(await store.index(version))
    progress("cells", len(index.cells), len(index.cells))
    return await asyncio.to_thread(lambda: write(from_index(index, version.manifest, asset=key, grid=grid)) + b"\n")


async def _footprints(store: MosaicStore, version: Version, progress: Progress) -> AsyncIterator[bytes]:
    """A FeatureCollection in pieces, so that a large mosaic is never in memory."""
    head = {"type": "FeatureCollection", "name": version.label}
    yield json.dumps(head).removesuffix("}").encode() + b', "features": ['
    done = 0
    async for granule in _granules(store, version):
        yield (b",\n" if done else b"\n") + json.dumps(granule_feature(granule), ensure_ascii=False).encode()
        done += 1
        progress("granules", done, None)
    yield b"\n]}\n"


async def _granules(store: MosaicStore, version: Version) -> AsyncIterator[Granule]:
    after: str | None = None
    while True:
        page = await store.granules(version, after=after, limit=_PAGE)
        for granule in page.items:
            yield granule
        after = page.next
        if after is None:
            return


@contextmanager
def _open(output: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears whole or not at all."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    unfinished = output.with_name(f".{output.name}.part")
    try:
        with unfinished.open("wb") as file:
            if output.suffix == ".gz":
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield file
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
