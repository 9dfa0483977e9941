"""What `quadmosaic cost` assumes by default, measured: reads, units and bytes of a tile, of a build and of a log line.

    uv run python benchmarks/tiles.py make FOLDER
    uv run python benchmarks/costs.py FOLDER [--granules 10000] [--files http://HOST:8090/ours]

Read and write units are counted from the items that pass, by DynamoDB's rules: 4 KB or a part of it is a read unit,
half one where an older copy will do; 1 KB or a part of it a write unit. With `--files`, an address of the folder some
milliseconds away, the scenes are also built from there and timed; a tile's milliseconds are those of
`benchmarks/tiles.py run`.
"""

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from store_engines import store_url
from store_size import covered, strips
from tile_scenes import SCENES
from tiles import OFFSETS, Case

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from file_server import RangeServer
from indexes import header, manifest_of

from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.domain.granules import Header
from quadmosaic.domain.mosaic import Defaults, MosaicRef, Recipe
from quadmosaic.domain.sources import FeaturesSource
from quadmosaic.services.drafts import publish
from quadmosaic.storage.dynamodb_client import Table
from quadmosaic.storage.objects import open_store

DEPTH = 4
FORMATS = ("png", "jpg", "webp", "tif")
READ_UNIT, WRITE_UNIT = 4096, 1024
ASSETS = {"orthoimage": (640, 120_000), "dtm": (45, 600_000)}
"""Blocks of 512 with overviews, and bytes of one: a CTX orthoimage of 6000 x 20000, and its DTM of 1500 x 5000."""
LOOK_UPS = 40
NAME = "large"


@dataclass
class Units:
    """Read and write units, calls and bytes of a table."""

    read: float = 0.0
    written: int = 0
    bytes: int = 0
    calls: list[str] = field(default_factory=list)

    def note(self, operation: str, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        self.calls.append(operation)
        if operation == "batch_get_item":
            for name, request in asked["RequestItems"].items():
                each = 1.0 if request.get("ConsistentRead") else 0.5
                found = answer["Responses"].get(name, [])
                self.read += each * (sum(ceil(size(item) / READ_UNIT) for item in found))
                self.read += each * (len(request["Keys"]) - len(found))
        elif operation in ("get_item", "query"):
            items = answer.get("Items", [answer["Item"]] if "Item" in answer else [])
            self.read += max(1, ceil(sum(map(size, items)) / READ_UNIT)) * (1.0 if asked.get("ConsistentRead") else 0.5)
        elif operation == "put_item":
            self._write(asked["Item"])
        elif operation == "batch_write_item":
            for requests in asked["RequestItems"].values():
                for request in requests:
                    self._write(request.get("PutRequest", {}).get("Item", {}))

    def _write(self, item: Mapping[str, Any]) -> None:
        self.bytes += size(item)
        self.written += max(1, ceil(size(item) / WRITE_UNIT))


def size(item: Mapping[str, Any]) -> int:
    """As DynamoDB counts it, nearly."""
    return sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())


@contextmanager
def counted() -> Iterator[Units]:
    """Counts what this process asks of any table."""
    units, call = Units(), Table._call

    def counting(table: Table, operation: str, parameters: Mapping[str, Any]) -> Any:
        answer = call(table, operation, parameters)
        units.note(operation, parameters, answer)
        return answer

    Table._call = counting  # type: ignore[method-assign]
    try:
        yield units
    finally:
        Table._call = call  # type: ignore[method-assign]


async def build_scenes(folder: Path, files: str, url: str) -> None:
    """A mosaic of each scene, and how long the builder takes for a file of it."""
    outside = bootstrap.adapters(Settings(store=url))
    for scene in SCENES:
        started = time.perf_counter()
        items = json.loads((folder / scene.name / "items.json").read_text())
        items["features"] = items["features"][:DEPTH]
        for feature in items["features"]:
            feature["properties"]["path"] = f"{files}/{feature['properties']['path']}"
        recipe = Recipe(source=FeaturesSource(features=items), tms=scene.tms, scan=True)
        draft = await bootstrap.builder(outside.reader).draft(recipe, Defaults())
        await publish(outside.store, f"{scene.name}-{DEPTH}", draft)
        print(f"{scene.name}: {(time.perf_counter() - started) * 1000 / DEPTH:.0f} ms of building for a file")


async def replies(url: str, server: RangeServer) -> None:
    """Reply bytes by format, and what was read of the COGs: by a process that has no block yet, and by one that has."""
    print(f"{'tiles':<22}{'zoom':>5}" + "".join(f"{name + ' kB':>10}" for name in FORMATS)
          + f"{'GETs':>8}{'read kB':>9}{'warm GETs':>11}{'warm kB':>9}")  # fmt: skip
    for scene in SCENES:
        for offset in OFFSETS:
            case = Case(scene=scene, depth=DEPTH, offset=offset)
            sizes = {name: [] for name in FORMATS}
            cold, warm = [], []
            shared = client(url)
            for tile in case.tiles():
                path = f"/mosaics/{case.mosaic}/tiles/{scene.tms}/{tile.z}/{tile.x}/{tile.y}"
                for name in FORMATS:
                    answer = await shared.get(f"{path}.{name}")
                    answer.raise_for_status()
                    sizes[name].append(len(answer.content) / 1000)
                    if name == FORMATS[0]:
                        warm.append(asked(server))
                server.take()
                (await client(url).get(f"{path}.png")).raise_for_status()
                cold.append(asked(server))
            row = [statistics.mean(sizes[name]) for name in FORMATS]
            told = "".join(f"{value:>10.1f}" for value in row)
            told += f"{mean(cold, 0):>8.2f}{mean(cold, 1):>9.0f}{mean(warm, 0):>11.2f}{mean(warm, 1):>9.0f}"
            print(f"{scene.name:<22}{scene.zoom + offset:>5}{told}")


def client(url: str) -> httpx.AsyncClient:
    app = bootstrap.http_app(Settings(store=url), metrics=False)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://measured", timeout=60)


def asked(server: RangeServer) -> tuple[int, float]:
    spans = [each.span for each in server.take() if each.method == "GET"]
    return len(spans), sum(span[1] - span[0] for span in spans if span is not None) / 1000


def mean(pairs: list[tuple[int, float]], which: int) -> float:
    return statistics.mean(pair[which] for pair in pairs)


def strip_header(blocks: int, block_bytes: int, *, seed: int) -> Header:
    """A header record whose blocks lie one behind the other, as a COG's do."""
    counts = np.random.default_rng(seed).normal(block_bytes, block_bytes / 5, blocks).clip(1000).astype("<u8")
    offsets = (np.cumsum(counts) - counts + 20_000).astype("<u8")
    like = header()
    assert like.blocks is not None
    level = replace(like.blocks.levels[0], offsets=offsets.tobytes(), byte_counts=counts.tobytes(), jpeg_tables=b"")
    return replace(like, palette=None, blocks=replace(like.blocks, levels=(level,)))


async def units(url: str, granules: int) -> None:
    """Of a large mosaic whose granules have two assets with the block tables of a CTX strip."""
    members = strips(granules + 1)
    headers = {
        member.id: {asset: strip_header(*ASSETS[asset], seed=place) for asset in member.hrefs}
        for place, member in enumerate(members)
    }
    index = replace(covered(members[:-1]), headers={member.id: headers[member.id] for member in members[:-1]})
    print(f"\n{granules} granules, {len(index.cells)} cells, block tables for {len(ASSETS)} assets of each")
    print(f"{'build':<34}{'write units':>12}{'read units':>12}{'MB':>9}{'a granule':>20}{'s':>8}")
    store, before = open_store(url), None
    bare = replace(index, headers={})
    for what, written in (("no block tables", bare), ("block tables too", index),
                          ("one granule more", replace(covered(members), headers=headers))):  # fmt: skip
        name = "bare" if written is bare else NAME
        with counted() as seen:
            started = time.perf_counter()
            version = await store.write(name, manifest_of(written), written)
            await store.publish(MosaicRef(name, version.number), expected=None if name == "bare" else before)
        before = None if name == "bare" else version.number
        print(f"{what:<34}{seen.written:>12}{seen.read:>12.0f}{seen.bytes / 1e6:>9.1f}"
              f"{seen.bytes / granules:>14.0f} bytes{time.perf_counter() - started:>8.1f}")  # fmt: skip
    await look_ups(url, sorted(index.cells))


async def look_ups(url: str, places: list[str]) -> None:
    """By processes that know nothing yet, and by one that has been asked for everything."""
    chosen = places[:: max(1, len(places) // LOOK_UPS)][:LOOK_UPS]
    first, cold, tables = [], [], []
    for place in chosen:
        reader = open_store(url, head_ttl_s=60)
        with counted() as seen:
            found = await reader.version(MosaicRef(NAME))
        first.append(seen.read)
        with counted() as seen:
            lookup = await reader.lookup(found, [place])
        cold.append(seen.read)
        with counted() as seen:
            await reader.headers(found, [member.id for member in lookup.cells[place]], "orthoimage")
        tables.append(seen.read)
    for what, units_of in (
        ("a process's first look at the mosaic", first),
        ("a cell not yet read", cold),
        ("the block tables of its granules, not yet read", tables),
    ):
        print(f"read units: {what} {statistics.mean(units_of):.1f}")
    reader = open_store(url, head_ttl_s=60)
    found = await reader.version(MosaicRef(NAME))
    with counted() as seen:
        for place in places:
            lookup = await reader.lookup(found, [place])
            await reader.headers(found, [member.id for member in lookup.cells[place]], "orthoimage")
    print(f"read units: every cell once by one process {seen.read / len(places):.2f} each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--granules", type=int, default=10_000)
    parser.add_argument("--files")
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    if options.files is not None:
        asyncio.run(build_scenes(options.folder, options.files.rstrip("/"), "memory://"))
    with tempfile.TemporaryDirectory() as place, RangeServer(options.folder) as server:
        asyncio.run(build_scenes(options.folder, server.url, f"{place}/store"))
        server.take()
        asyncio.run(replies(f"{place}/store", server))
    with store_url("dynamodb") as url:
        asyncio.run(units(url, options.granules))


if __name__ == "__main__":
    main()
