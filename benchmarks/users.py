"""Sixteen users at once, for twenty thousand tiles: errors, latency and memory over time, beside TiTiler.

    uv run python benchmarks/users.py FOLDER --plot PLOTS [--tiles 20000] [--peer-tiles 320] [--users 16]
        [--files http://HOST:PORT]

FOLDER is what `tiles.py make` wrote. nginx on this machine serves it, unless `--files` says where a server with the
configuration of `tiles.py conf` does so already, perhaps a real round trip away. Both sides take turns in slices of
their tiles: any zoom from two below the index's to two above it, any place, four and sixteen strips deep. An error is
any answer but an image or 204, an image in which a strip is missing, or no answer at all. One process each.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from file_server import ranges
from line_plot import Line, line_plot
from sides import Mosaic, Server, build, servers
from tile_scenes import SCENES

from quadmosaic.domain.grids import Tile

MOSAICS = tuple(Mosaic(scene=scene, depth=depth) for scene in SCENES for depth in (4, 16))
ZOOMS = range(-2, 3)
SLICES = 10
SAMPLE_S = 1.0
TITLES = {"ours": "quadmosaic", "peer": "TiTiler"}


@dataclass(kw_only=True)
class Side:
    """A server under load, and what came of it; memory is sampled in seconds of its own load."""

    server: Server
    seconds: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)
    loaded_s: float = 0.0
    cpu_s: float = 0.0

    async def load(self, asked: Sequence[tuple[Mosaic, Tile]], work: Path, users: int) -> None:
        """Ask for tiles, `users` at a time."""
        waiting = iter(asked)
        limits = httpx.Limits(max_connections=users, max_keepalive_connections=users)
        started, cpu = time.perf_counter(), self.server.cpu_seconds()
        async with httpx.AsyncClient(timeout=300, limits=limits) as client:

            async def user() -> None:
                for mosaic, tile in waiting:
                    await self._ask(client, self.server.url(mosaic, work, tile))

            sampling = asyncio.create_task(self._sample(started))
            await asyncio.gather(*(user() for _ in range(users)))
            sampling.cancel()
        self.loaded_s += time.perf_counter() - started
        self.cpu_s += self.server.cpu_seconds() - cpu
        self.memory.append((self.loaded_s, self.server.resident_mb()))

    async def _ask(self, client: httpx.AsyncClient, url: str) -> None:
        started = time.perf_counter()
        try:
            reply = await client.get(url)
        except httpx.HTTPError as error:
            self.answers[type(error).__name__] += 1
            return
        self.seconds.append(time.perf_counter() - started)
        partial = " partial" if "x-assets-skipped" in reply.headers else ""
        self.answers[f"{reply.status_code}{partial}"] += 1

    async def _sample(self, started: float) -> None:
        while True:
            self.memory.append((self.loaded_s + time.perf_counter() - started, self.server.resident_mb()))
            await asyncio.sleep(SAMPLE_S)

    @property
    def errors(self) -> int:
        return sum(count for answer, count in self.answers.items() if answer not in ("200", "204"))

    def row(self) -> str:
        median, p95, p99 = np.percentile(np.array(self.seconds) * 1000, (50, 95, 99))
        count = self.answers.total()
        return (
            f"{TITLES[self.server.name]:<11}{count:>7}{self.errors:>8}{self.answers['204']:>7}{median:>9.0f}{p95:>8.0f}"
            f"{p99:>8.0f}{max(self.seconds) * 1000:>9.0f}{count / self.loaded_s:>9.1f}{self.cpu_s * 1000 / count:>8.1f}"
            f"{self.server.resident_mb():>9.0f}{self.server.peak_mb():>9.0f}"
        )


def workload(count: int, seed: int) -> list[tuple[Mosaic, Tile]]:
    """Tiles anywhere on the mosaics."""
    dice = random.Random(seed)
    chosen = []
    for _ in range(count):
        mosaic = dice.choice(MOSAICS)
        zoom = mosaic.scene.zoom + dice.choice(ZOOMS)
        chosen.append((mosaic, mosaic.tile_at(dice.uniform(0.1, 0.9), dice.uniform(0.05, 0.95), zoom)))
    return chosen


async def run(sides: Sequence[Side], loads: Sequence[Sequence[tuple[Mosaic, Tile]]], work: Path, users: int) -> None:
    """The slices in turn, and memory after each."""
    print(f"{'slice':>5} " + "".join(f"{TITLES[side.server.name]:>11}: tiles{'MB':>7}" for side in sides), flush=True)
    for number in range(SLICES):
        for side, load in zip(sides, loads, strict=True):
            size = len(load) // SLICES
            await side.load(load[number * size : (number + 1) * size], work, users)
        told = "".join(f"{side.answers.total():>18}{side.server.resident_mb():>7.0f}" for side in sides)
        print(f"{number + 1:>5} {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plot", type=Path, required=True, help="folder for memory.svg")
    parser.add_argument("--tiles", type=int, default=20_000)
    parser.add_argument("--peer-tiles", type=int, default=320)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, ranges(options.folder, options.files) as files:
        work = Path(place)
        build(options.folder, work, files, MOSAICS)
        loads = [workload(count, seed=7) for count in (options.tiles, options.peer_tiles)]
        with servers(work) as pair:
            sides = [Side(server=server) for server in pair]
            asyncio.run(run(sides, loads, work, options.users))
            print(
                f"\n{options.users} users  {'tiles':>8}{'errors':>8}{'empty':>7}{'p50 ms':>9}{'p95':>8}{'p99':>8}"
                f"{'max':>9}{'tiles/s':>9}{'CPU ms':>8}{'MB end':>9}{'MB peak':>9}"
            )
            for side in sides:
                print(f"{side.row()}   {dict(side.answers)}")
    options.plot.mkdir(parents=True, exist_ok=True)
    lines = [Line(title=TITLES[side.server.name], points=side.memory) for side in sides]
    target = options.plot / "memory.svg"
    target.write_text(line_plot(lines, across="seconds under load", up="resident memory, MB"))
    print(f"memory over time: {target}")


if __name__ == "__main__":
    main()
