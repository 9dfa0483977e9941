"""The two sides of a comparison: equal mosaics of equal files, a process of each, a tile's address at both.

Both read the files as objects of S3, each from a bucket of its own name, which the range server stands in for.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pyproj
from file_server import SIDES, answers, free_port
from tile_scenes import Scene

from quadmosaic import bootstrap
from quadmosaic.config import BucketSettings, Settings
from quadmosaic.domain import grids
from quadmosaic.domain.grids import Tile
from quadmosaic.domain.mosaic import Defaults, Recipe
from quadmosaic.domain.mosaicjson import write
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.domain.sources import FeaturesSource
from quadmosaic.services.drafts import publish

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Mosaic:
    """The first `depth` strips of a scene."""

    scene: Scene
    depth: int

    @property
    def name(self) -> str:
        return f"{self.scene.name}-{self.depth}"

    def tile_at(self, across: float, down: float, zoom: int) -> Tile:
        """The tile at so much of the first strip's width and height, 0 to 1 from its left top."""
        scene, grid = self.scene, grids.load(self.scene.tms)
        x = scene.left + scene.width * scene.pixel * across
        y = scene.top - scene.height * scene.pixel * down
        gx, gy = _to_grid(scene.crs, grid.id).transform(x, y)
        side = grid.cell_size(zoom)
        return Tile(x=int((gx - grid.origin[0]) // side), y=int((grid.origin[1] - gy) // side), z=zoom)

    def path(self, side: str, work: Path, tile: Tile) -> tuple[str, str]:
        """Path and query of a tile's PNG at a side."""
        stretch = "rescale=-3400,-2600" if self.scene.dtype == "float32" else "rescale=0,255"
        place = f"{self.scene.tms}/{tile.z}/{tile.x}/{tile.y}.png"
        if side == "ours":
            return f"/mosaics/{self.name}/tiles/{place}", stretch
        return f"/tiles/{place}", f"{stretch}&url={work / (self.name + '.json')}"


@cache
def _to_grid(crs: str, tms: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(crs, grids.load(tms).crs, always_xy=True)


def build(folder: Path, work: Path, files: str, mosaics: Sequence[Mosaic]) -> None:
    """Every mosaic on both sides: ours in the store `work`/store, the peer's as `work`/NAME.json, on equal files."""
    _address_of(work).write_text(files)

    async def all_of_them() -> None:
        outside = bootstrap.adapters(settings(work))
        for mosaic in mosaics:
            scene = mosaic.scene
            items = json.loads((folder / scene.name / "items.json").read_text())
            items["features"] = items["features"][: mosaic.depth]
            for side in SIDES:
                features = json.loads(json.dumps(items))
                for feature in features["features"]:
                    feature["properties"]["path"] = f"s3://{side}/{feature['properties']['path']}"
                recipe = Recipe(source=FeaturesSource(features=features), tms=scene.tms, scan=side == "ours")
                draft = await bootstrap.builder(outside.reader).draft(recipe, Defaults())
                key = draft.manifest.assets[0].key
                if side == "ours":
                    await publish(outside.store, mosaic.name, draft)
                else:
                    path = work / f"{mosaic.name}.json"
                    path.write_bytes(write(from_index(draft.index, draft.manifest, asset=key)))

    asyncio.run(all_of_them())


def _address_of(work: Path) -> Path:
    """The file that says where the range server is."""
    return work / "files"


def settings(work: Path) -> Settings:
    """Our side's."""
    endpoint = _address_of(work).read_text()
    return Settings(store=str(work / "store"), buckets={side: BucketSettings(endpoint=endpoint) for side in SIDES})


def environment(work: Path) -> dict[str, str]:
    """What the processes of both sides have to know: ours its settings, GDAL where S3 is."""
    own = settings(work)
    endpoint = urlsplit(_address_of(work).read_text())
    return os.environ | {
        "QUADMOSAIC_STORE": own.store,
        "QUADMOSAIC_BUCKETS": json.dumps({name: bucket.model_dump() for name, bucket in own.buckets.items()}),
        "QUADMOSAIC_LOG_LEVEL": "WARNING",
        "AWS_S3_ENDPOINT": endpoint.netloc,
        "AWS_HTTPS": "YES" if endpoint.scheme == "https" else "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_NO_SIGN_REQUEST": "YES",
        "AWS_REGION": "us-west-2",
    }


@dataclass(frozen=True, kw_only=True)
class Server:
    """A side's process, with its address."""

    name: str
    process: subprocess.Popen[bytes]
    base: str

    def url(self, mosaic: Mosaic, work: Path, tile: Tile) -> str:
        return self.base + "?".join(mosaic.path(self.name, work, tile))

    def cpu_seconds(self) -> float:
        """To the nanosecond, threads that have ended included: the clock that clock_getcpuclockid(3) names."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def peak_mb(self) -> float:
        return self._status_mb("VmHWM")

    def resident_mb(self) -> float:
        return self._status_mb("VmRSS")

    def _status_mb(self, field: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) / 1024


@contextmanager
def servers(work: Path) -> Iterator[tuple[Server, Server]]:
    """Two fresh processes, one worker each: ours first."""
    ports = {"ours": free_port(), "peer": free_port()}
    commands = {
        "ours": ["-m", "quadmosaic", "serve", "--port", str(ports["ours"])],
        "peer": ["-m", "uvicorn", "titiler_app:app", "--port", str(ports["peer"]), "--log-level", "warning"],
    }
    running = []
    for name in SIDES:
        with (work / f"{name}.log").open("w") as log:
            command = [sys.executable, *commands[name]]
            process = subprocess.Popen(command, env=environment(work), cwd=HERE, stdout=log, stderr=log)
        running.append(Server(name=name, process=process, base=f"http://127.0.0.1:{ports[name]}"))
    try:
        for server in running:
            if not answers(f"{server.base}/healthz", server.process):
                raise SystemExit((work / f"{server.name}.log").read_text())
        yield running[0], running[1]
    finally:
        for server in running:
            server.process.terminate()
            server.process.wait()
