"""Cold start: a fresh process to the first tile of the Lambda handler, beside TiTiler's handler, in turn.

    uv run python benchmarks/cold_start.py [--passes 10] [--files http://HOST:PORT --folder FOLDER]
    uv run --with titiler.application python benchmarks/cold_start.py --whole

A small scene is made and served by nginx on this machine, unless `--files` says where `--folder` (as made by
`tiles.py make`) is served as `tiles.py conf` says. Both sides have .pyc files of the kind that a bundle has, which are
never checked, in a folder of their own. Memory is the process's peak; "again" is the same tile, warm.
The peer is TiTiler's mosaic routes alone; with `--whole` it is the application that TiTiler's own deployment runs.
"""

import argparse
import json
import os
import py_compile
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from file_server import SIDES, ranges
from sides import HERE, Mosaic, build, environment
from tile_scenes import SCENES, Scene, make

MODULES = {"ours": "lambda_handler.api", "peer": "titiler_lambda"}
WHOLE, WHOLE_PREFIX = "titiler_whole", "/mosaicjson"
TITLES = {"ours": "quadmosaic", "peer": "TiTiler"}
PLACE = (0.5, 0.5)
DEPTH = 4


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the events, the store and the .pyc files are; `whole` is the peer's entire application."""

    work: Path
    whole: bool = False

    @property
    def environment(self) -> dict[str, str]:
        told = environment(self.work)
        path = os.pathsep.join([str(HERE.parent), str(HERE), *filter(None, [told.get("PYTHONPATH")])])
        return told | {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(self.work / "pyc")}

    def start(self, side: str, *options: str) -> tuple[dict[str, Any], str]:
        """One fresh process's figures, and what it wrote beside them."""
        command = [
            sys.executable,
            *options,
            str(HERE / "first_tile.py"),
            WHOLE if self.whole and side == "peer" else MODULES[side],
            str(self.work / f"{side}.event"),
        ]
        started = time.perf_counter()
        done = subprocess.run(command, env=self.environment, cwd=self.work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{TITLES[side]} failed:\n{done.stderr}")
        figures = json.loads(done.stdout)
        if figures["status"] != 200:
            raise SystemExit(f"{TITLES[side]} answered {figures['status']}: {figures['headers']}")
        return figures | {"total_s": figures["done"] - started}, done.stderr

    def compile(self, side: str) -> None:
        """Unchecked .pyc files of all that a side imports."""
        files, _ = self.start(side)
        prefix, sys.pycache_prefix = sys.pycache_prefix, str(self.work / "pyc")
        for file in files["files"]:
            if file.endswith(".py"):
                py_compile.compile(file, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        sys.pycache_prefix = prefix


def event(path: str, query: str) -> dict[str, Any]:
    """A GET as API Gateway's HTTP API sends it (payload 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"accept": "*/*", "host": "maps.example.com", "x-forwarded-proto": "https"},
        "requestContext": {
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }


def prepare(folder: Path, work: Path, files: str, scene: Scene, *, whole: bool) -> Bench:
    """Both mosaics, both events, and .pyc files."""
    mosaic = Mosaic(scene=scene, depth=DEPTH)
    build(folder, work, files, [mosaic])
    tile = mosaic.tile_at(*PLACE, zoom=scene.zoom)
    bench = Bench(work=work, whole=whole)
    for side in SIDES:
        path, query = mosaic.path(side, work, tile)
        path = f"{WHOLE_PREFIX}{path}" if whole and side == "peer" else path
        (work / f"{side}.event").write_text(json.dumps(event(path, query)))
        bench.compile(side)
    return bench


def report(bench: Bench, passes: int) -> None:
    """The table, medians of interleaved passes."""
    taken: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for number in range(passes):
        for side in SIDES if number % 2 else reversed(SIDES):
            taken[side].append(bench.start(side)[0])
    rows = {
        "process start to first tile, s": "total_s",
        "  of it imports (init), s": "import_s",
        "  of it the first tile, s": "tile_s",
        "the tile again, s": "again_s",
        "CPU to first tile, s": "cpu_s",
        "  of it imports, s": "import_cpu_s",
        "peak memory, MB": "peak_mb",
        "modules after import": "modules_imported",
        "modules after the first tile": "modules",
    }
    print(f"{f'median of {passes} passes':<34}{'quadmosaic':>11}{'TiTiler':>9}{'ratio':>7}")
    for title, key in rows.items():
        ours, peer = (statistics.median(each[key] for each in taken[side]) for side in SIDES)
        digits = 3 if key.endswith("_s") else 0
        print(f"{title:<34}{ours:>11.{digits}f}{peer:>9.{digits}f}{peer / ours:>6.1f}x", flush=True)


def report_imports(bench: Bench, side: str, *, most: int = 10) -> None:
    """The packages and modules that take longest to import, by -X importtime (which slows imports down)."""
    lines = [line.split("|") for line in bench.start(side, "-X", "importtime")[1].splitlines() if "|" in line]
    own = {
        name.strip(): int(head.split(":")[1]) / 1000 for head, _, name in lines if head.split(":")[1].strip().isdigit()
    }
    packages: dict[str, float] = defaultdict(float)
    for name, milliseconds in own.items():
        packages[name.split(".")[0]] += milliseconds
    print(f"\n-X importtime, {TITLES[side]}: {sum(own.values()):.0f} ms in {len(own)} modules; own time, ms")
    for package, module in zip(_longest(packages, most), _longest(own, most), strict=True):
        print(f"  {package[1]:7.1f} {package[0]:<24} {module[1]:7.1f} {module[0]}")


def _longest(times: dict[str, float], most: int) -> Sequence[tuple[str, float]]:
    return sorted(times.items(), key=lambda item: -item[1])[:most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--files", help="where --folder is served; nginx on this machine when absent")
    parser.add_argument("--folder", type=Path, help="scenes; a small one is made when absent")
    parser.add_argument("--whole", action="store_true", help="beside TiTiler's whole application")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, scene = options.folder, SCENES[0]
        if folder is None:
            folder, scene = Path(place) / "scenes", replace(scene, width=1500, height=2000)
            make(folder, [scene], depth=DEPTH)
        work = Path(place) / "work"
        work.mkdir()
        with ranges(folder, options.files) as files:
            bench = prepare(folder, work, files, scene, whole=options.whole)
            report(bench, options.passes)
            for side in SIDES:
                report_imports(bench, side)


if __name__ == "__main__":
    main()
