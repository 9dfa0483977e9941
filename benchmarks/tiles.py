"""Tiles beside TiTiler: the same COGs behind the same range server, requests taken in turn, one table.

    uv run python benchmarks/tiles.py make FOLDER
    uv run python benchmarks/tiles.py conf FOLDER --port 8090 --log ACCESS_LOG > nginx.conf  # nginx -c nginx.conf
    uv run python benchmarks/tiles.py run FOLDER --files http://HOST:8090 --log ACCESS_LOG

The range server should be a real round trip away (40 ms in the targets): another host, or a network namespace with a
delay. `--log` is its access log, from which requests and bytes are counted.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tile_scenes import SCENES, Scene, make

from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.domain import grids
from quadmosaic.domain.grids import Tile
from quadmosaic.domain.mosaic import Defaults, Recipe
from quadmosaic.domain.mosaicjson import write
from quadmosaic.domain.mosaicjson_index import from_index
from quadmosaic.domain.sources import FeaturesSource
from quadmosaic.services.builds import publish

DEPTHS = (1, 4, 16)
OFFSETS = (0, 2, -3)
TILES = 12
TICKS = os.sysconf("SC_CLK_TCK")

CONF = """worker_processes 2; daemon on; pid {log}.pid; error_log {log}.errors;
events {{ worker_connections 1024; }}
http {{ log_format bytes '$uri $request_method $bytes_sent'; access_log {log} bytes; keepalive_requests 100000;
server {{ listen {port}; location /ours/ {{ alias {folder}/; }} location /peer/ {{ alias {folder}/; }} }} }}
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """One of the two, with its tile URL."""

    name: str
    process: subprocess.Popen[bytes]
    base: str

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@dataclass(frozen=True, kw_only=True)
class Case:
    """A mosaic of some depth, at a zoom."""

    scene: Scene
    depth: int
    offset: int

    @property
    def mosaic(self) -> str:
        return f"{self.scene.name}-{self.depth}"

    def tiles(self) -> list[Tile]:
        """Tiles where all strips overlap."""
        import pyproj

        scene, grid, dice = self.scene, grids.load(self.scene.tms), random.Random(7)
        zoom = scene.zoom + self.offset
        to_grid = pyproj.Transformer.from_crs(scene.crs, grid.crs, always_xy=True)
        found = []
        for _ in range(TILES):
            x = scene.left + scene.width * scene.pixel * dice.uniform(0.4, 0.8)
            y = scene.top - scene.height * scene.pixel * dice.uniform(0.25, 0.8)
            gx, gy = to_grid.transform(x, y)
            side = grid.cell_size(zoom)
            found.append(Tile(x=int((gx - grid.origin[0]) // side), y=int((grid.origin[1] - gy) // side), z=zoom))
        return found


def build(folder: Path, work: Path, files: str) -> None:
    """Both mosaics of every scene and depth: ours in a store, the peer's as mosaic.json, on equal files."""

    async def all_of_them() -> None:
        outside = bootstrap.adapters(Settings(store=str(work / "store")))
        for scene in SCENES:
            for depth in DEPTHS:
                items = json.loads((folder / scene.name / "items.json").read_text())
                items["features"] = items["features"][:depth]
                for side in ("ours", "peer"):
                    features = json.loads(json.dumps(items))
                    for feature in features["features"]:
                        feature["properties"]["path"] = f"{files}/{side}/{feature['properties']['path']}"
                    recipe = Recipe(source=FeaturesSource(features=features), tms=scene.tms, scan=side == "ours")
                    draft = await bootstrap.builder(outside.reader).draft(recipe, Defaults())
                    key = draft.manifest.assets[0].key
                    if side == "ours":
                        await publish(outside.store, f"{scene.name}-{depth}", draft)
                    else:
                        path = work / f"{scene.name}-{depth}.json"
                        path.write_bytes(write(from_index(draft.index, draft.manifest, asset=key)))

    asyncio.run(all_of_them())


@contextmanager
def servers(work: Path) -> Iterator[tuple[Server, Server]]:
    """Two fresh processes, one worker each."""
    environment = os.environ | {"QUADMOSAIC_STORE": str(work / "store"), "QUADMOSAIC_LOG_LEVEL": "WARNING"}
    commands = {
        "ours": [sys.executable, "-m", "quadmosaic", "serve", "--port", "8611"],
        "peer": [sys.executable, "-m", "uvicorn", "titiler_app:app", "--port", "8612", "--log-level", "warning"],
    }
    running = []
    for (name, command), port in zip(commands.items(), (8611, 8612), strict=True):
        process = subprocess.Popen(
            command, env=environment, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        running.append(Server(name=name, process=process, base=f"http://127.0.0.1:{port}"))
    try:
        for server in running:
            _await_health(server)
        yield running[0], running[1]
    finally:
        for server in running:
            server.process.terminate()
            server.process.wait()


def _await_health(server: Server) -> None:
    for _ in range(300):
        try:
            httpx.get(f"{server.base}/healthz")
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"{server.name} did not start")


def url(server: Server, case: Case, work: Path, tile: Tile) -> str:
    rescale = "-3400,-2600" if case.scene.dtype == "float32" else "0,255"
    path = f"{case.scene.tms}/{tile.z}/{tile.x}/{tile.y}.png?rescale={rescale}"
    if server.name == "ours":
        return f"{server.base}/mosaics/{case.mosaic}/tiles/{path}"
    return f"{server.base}/tiles/{path}&url={work / (case.mosaic + '.json')}"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Per tile: CPU ms, median latency ms, requests, kB; all HEADs counted."""

    cpu: float
    latency: float
    requests: float
    heads: int
    kilobytes: float


def measure(pair: Sequence[Server], case: Case, work: Path, log: Path, *, users: int) -> dict[str, Measure]:
    """Ask both for the same tiles, in turn (one user) or one after the other (many)."""
    taken: dict[str, list[float]] = {server.name: [] for server in pair}
    before = {server.name: server.cpu_seconds() for server in pair}
    start = log.stat().st_size
    if users == 1:
        with httpx.Client(timeout=120) as client:
            for tile in case.tiles():
                for server in pair:
                    started = time.perf_counter()
                    client.get(url(server, case, work, tile)).raise_for_status()
                    taken[server.name].append((time.perf_counter() - started) * 1000)
    else:
        for server in pair:
            taken[server.name] = asyncio.run(_crowd(server, case, work, users))
    after = {server.name: server.cpu_seconds() for server in pair}
    time.sleep(0.3)
    lines = [line.split() for line in log.read_bytes()[start:].decode().splitlines()]
    result = {}
    for server in pair:
        own = [line for line in lines if line[0].startswith(f"/{server.name}/")]
        count = len(taken[server.name])
        result[server.name] = Measure(
            cpu=(after[server.name] - before[server.name]) * 1000 / count,
            latency=statistics.median(taken[server.name]),
            requests=len(own) / count,
            heads=sum(line[1] == "HEAD" for line in own),
            kilobytes=sum(int(line[2]) for line in own) / count / 1000,
        )
    return result


async def _crowd(server: Server, case: Case, work: Path, users: int) -> list[float]:
    async with httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=users)) as client:

        async def one(tile: Tile) -> float:
            started = time.perf_counter()
            (await client.get(url(server, case, work, tile))).raise_for_status()
            return (time.perf_counter() - started) * 1000

        return list(await asyncio.gather(*(one(tile) for tile in case.tiles() for _ in range(2))))


def run(folder: Path, files: str, log: Path, *, passes: int) -> None:
    """The table: cold is each pass's first visit in fresh processes, warm the second."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        build(folder, work, files)
        cases = [Case(scene=scene, depth=4, offset=offset) for scene in SCENES for offset in OFFSETS]
        cases += [Case(scene=scene, depth=depth, offset=0) for scene in SCENES for depth in (1, 16)]
        print(f"{'tile':<24}{'state':<7}{'users':>5} {'CPU ms: ours':>13}{'peer':>8}{'ratio':>7} {'p50 ms: ours':>13}"
              f"{'peer':>8}{'ratio':>7} {'requests':>9}{'peer':>6}{'HEAD':>6} {'kB':>7}{'peer':>7}")  # fmt: skip
        for case in cases:
            rows: dict[tuple[str, int], list[dict[str, Measure]]] = {}
            for _ in range(passes):
                with servers(work) as pair:
                    for state, users in (("cold", 1), ("warm", 1), ("warm", 16)):
                        rows.setdefault((state, users), []).append(measure(pair, case, work, log, users=users))
                    peak = {server.name: server.peak_mb() for server in pair}
            for (state, users), found in rows.items():
                _print_row(case, state, users, found)
            print(f"{'':<24}peak MB: ours {peak['ours']:.0f}, peer {peak['peer']:.0f}", flush=True)


def _print_row(case: Case, state: str, users: int, found: Sequence[dict[str, Measure]]) -> None:
    def median(name: str, field: str) -> float:
        return statistics.median(getattr(each[name], field) for each in found)

    cpu, peer_cpu = median("ours", "cpu"), median("peer", "cpu")
    wait, peer_wait = median("ours", "latency"), median("peer", "latency")
    label = f"{case.mosaic} z{case.scene.zoom + case.offset}"
    print(
        f"{label:<24}{state:<7}{users:>5} {cpu:>13.1f}{peer_cpu:>8.0f}{peer_cpu / max(cpu, 0.1):>6.0f}x "
        f"{wait:>13.0f}{peer_wait:>8.0f}{peer_wait / wait:>6.1f}x {median('ours', 'requests'):>9.1f}"
        f"{median('peer', 'requests'):>6.1f}{median('ours', 'heads'):>6.0f} {median('ours', 'kilobytes'):>7.0f}"
        f"{median('peer', 'kilobytes'):>7.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("make", "conf", "run"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", default="http://127.0.0.1:8090")
    parser.add_argument("--log", type=Path, default=Path("access.log"))
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    if options.step == "make":
        make(options.folder)
    elif options.step == "conf":
        print(CONF.format(folder=options.folder.resolve(), log=options.log.resolve(), port=options.port))
    else:
        run(options.folder, options.files.rstrip("/"), options.log, passes=options.passes)


if __name__ == "__main__":
    main()
