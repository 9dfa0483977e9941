"""Tiles beside TiTiler: the same COGs behind the same range server, requests taken in turn, one table.

    uv run python benchmarks/tiles.py make FOLDER
    uv run python benchmarks/tiles.py conf FOLDER --port 8090 --log ACCESS_LOG > nginx.conf  # nginx -c nginx.conf
    uv run python benchmarks/tiles.py run FOLDER --files http://HOST:8090 --log ACCESS_LOG

The range server should be a real round trip away (40 ms in the targets): another host, or a network namespace with a
delay. `--log` is its access log, from which requests and bytes are counted. Cold is the first visit of fresh processes,
warm the second; "first" is the first tile of these processes alone, whatever its state. Figures are per tile.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from file_server import conf
from sides import Mosaic, Server, build, servers
from store_calls import store_calls
from tile_scenes import SCENES, make

from quadmosaic.domain.grids import Tile

DEPTHS = (1, 4, 16)
OFFSETS = (0, 2, -3)
TILES = 12
USERS = 16
CROWD_TILES = 24


@dataclass(frozen=True, kw_only=True)
class Case:
    """A mosaic, at a zoom so many above that of its pixels."""

    mosaic: Mosaic
    offset: int

    @property
    def title(self) -> str:
        return f"{self.mosaic.name} z{self.zoom}"

    @property
    def zoom(self) -> int:
        return self.mosaic.scene.zoom + self.offset

    def tiles(self, count: int) -> list[Tile]:
        """Tiles where all strips overlap."""
        dice = random.Random(7)
        return [self.mosaic.tile_at(dice.uniform(0.4, 0.8), dice.uniform(0.25, 0.8), self.zoom) for _ in range(count)]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Per tile: CPU ms, median latency ms, requests, kB; all HEADs counted."""

    cpu: float
    latency: float
    requests: float
    heads: int
    kilobytes: float


def measure(
    pair: Sequence[Server], case: Case, tiles: Sequence[Tile], work: Path, log: Path, *, users: int
) -> dict[str, Measure]:
    """Ask both for the same tiles, in turn (one user) or one side after the other (many)."""
    taken: dict[str, list[float]] = {server.name: [] for server in pair}
    before = {server.name: server.cpu_seconds() for server in pair}
    start = log.stat().st_size
    if users == 1:
        with httpx.Client(timeout=120) as client:
            for tile in tiles:
                for server in pair:
                    started = time.perf_counter()
                    client.get(server.url(case.mosaic, work, tile)).raise_for_status()
                    taken[server.name].append((time.perf_counter() - started) * 1000)
    else:
        for server in pair:
            taken[server.name] = asyncio.run(_crowd(server, case, tiles, work, users))
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


async def _crowd(server: Server, case: Case, tiles: Sequence[Tile], work: Path, users: int) -> list[float]:
    async with httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=users)) as client:
        waiting, seconds = iter(tiles), []

        async def user() -> None:
            for tile in waiting:
                started = time.perf_counter()
                (await client.get(server.url(case.mosaic, work, tile))).raise_for_status()
                seconds.append((time.perf_counter() - started) * 1000)

        await asyncio.gather(*(user() for _ in range(users)))
        return seconds


def cases(only: Sequence[str]) -> list[Case]:
    """By scene, zoom and depth; with `only`, those whose titles begin so."""
    places = [(4, offset) for offset in OFFSETS] + [(depth, 0) for depth in DEPTHS if depth != 4]
    every = [
        Case(mosaic=Mosaic(scene=scene, depth=depth), offset=offset) for scene in SCENES for depth, offset in places
    ]
    return [case for case in every if not only or case.title.startswith(tuple(only))]


def run(folder: Path, files: str, log: Path, chosen: Sequence[Case], *, passes: int) -> None:
    """The table."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        build(folder, work, files, list(dict.fromkeys(case.mosaic for case in chosen)))
        print(f"{'tile':<24}{'state':<7}{'users':>5} {'CPU ms: ours':>13}{'peer':>8}{'ratio':>7} {'p50 ms: ours':>13}"
              f"{'peer':>8}{'ratio':>7} {'requests':>9}{'peer':>6}{'HEAD':>6}{'peer':>6} {'kB':>7}{'peer':>7}",
              flush=True)  # fmt: skip
        for case in chosen:
            _run_case(case, work, log, passes)


def _run_case(case: Case, work: Path, log: Path, passes: int) -> None:
    rows: dict[tuple[str, int], list[dict[str, Measure]]] = {}
    peaks: dict[str, list[float]] = {}
    for _ in range(passes):
        alone, crowd = case.tiles(TILES), case.tiles(CROWD_TILES)
        visits = {
            1: (("first", alone[:1]), ("cold", alone[1:]), ("warm", alone)),
            USERS: (("cold", crowd), ("warm", crowd)),
        }
        for users, states in visits.items():
            with servers(work) as pair:
                for state, tiles in states:
                    found = measure(pair, case, tiles, work, log, users=users)
                    rows.setdefault((state, users), []).append(found)
                for server in pair:
                    peaks.setdefault(server.name, []).append(server.peak_mb())
    for (state, users), taken in rows.items():
        _print_row(case, state, users, taken)
    calls = asyncio.run(store_calls(case.mosaic, case.tiles(TILES), work))
    told = ", ".join(f"{state} {own[0]:.1f} ({own[1]:.1f})" for state, own in calls.by_state().items())
    peak = ", ".join(f"{name} {max(found):.0f}" for name, found in peaks.items())
    print(f"{'':<24}peak MB: {peak}; our store calls (waves): {told}", flush=True)


def _print_row(case: Case, state: str, users: int, found: Sequence[dict[str, Measure]]) -> None:
    def median(name: str, field: str) -> float:
        return statistics.median(getattr(each[name], field) for each in found)

    cpu, peer_cpu = median("ours", "cpu"), median("peer", "cpu")
    wait, peer_wait = median("ours", "latency"), median("peer", "latency")
    print(
        f"{case.title:<24}{state:<7}{users:>5} {cpu:>13.1f}{peer_cpu:>8.0f}{peer_cpu / max(cpu, 0.1):>6.0f}x "
        f"{wait:>13.0f}{peer_wait:>8.0f}{peer_wait / wait:>6.1f}x {median('ours', 'requests'):>9.1f}"
        f"{median('peer', 'requests'):>6.1f}{median('ours', 'heads'):>6.0f}{median('peer', 'heads'):>6.0f} "
        f"{median('ours', 'kilobytes'):>7.0f}{median('peer', 'kilobytes'):>7.0f}",
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
    parser.add_argument("--only", nargs="*", default=[], help='like mars-ortho-4 or "earth-utm-16 z13"')
    options = parser.parse_args()
    if options.step == "make":
        make(options.folder)
    elif options.step == "conf":
        print(conf(options.folder, options.log, options.port))
    else:
        run(options.folder, options.files.rstrip("/"), options.log, cases(options.only), passes=options.passes)


if __name__ == "__main__":
    main()
