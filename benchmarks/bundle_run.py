"""What the bundles cost to run: `python benchmarks/bundle_run.py [--tiles N]`.

The x86_64 zips, unpacked, each in a plain Python with Lambda's runtime client and on an account of moto: seconds and
memory of a start, seconds of a restore's first tiles, milliseconds a tile takes, and a build from POST to tile.
"""

import argparse
import statistics
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from infrastructure.bundle import bundle  # noqa: E402

from bundle_trial import TILE, Trial, document, get, post, recipe  # noqa: E402
from lambda_runtime import Answer, Function  # noqa: E402
from moto_cloud import cloud  # noqa: E402
from registries import tokens_setting  # noqa: E402

FUNCTIONS = ("api", "registry", "build")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What the bundles cost to run.")
    parser.add_argument("--tiles", type=int, default=200, help="tiles to time")
    tiles = parser.parse_args().tiles
    with tempfile.TemporaryDirectory() as name, cloud(tokens_setting()) as account:
        folder = Path(name)
        for function in FUNCTIONS:
            with zipfile.ZipFile(bundle(function, "x86_64")) as archive:
                archive.extractall(folder / "bundles" / function)
        run(Trial(cloud=account, bundles=folder / "bundles", folder=folder), tiles)


def run(trial: Trial, tiles: int) -> None:
    """One of everything, and many tiles."""
    with trial.start("registry") as registry, trial.start("build") as builder:
        print(f"registry  init {registry.init_s:5.2f} s  {registry.peak_mb:4.0f} MB")
        print(f"build     init {builder.init_s:5.2f} s  {builder.peak_mb:4.0f} MB")
        posted = post(registry, recipe("m", trial.scenes(3)))
        print(f"POST /mosaics            {_told(posted)}")
        trial.deliver(builder)
        build = document(get(registry, "/mosaics/m/builds"))["builds"][0]
        print(f"build by message         {build['status']} in {build['seconds']} s, {builder.peak_mb:.0f} MB")
    with trial.start("api") as tiler:
        print(f"api       init {tiler.init_s:5.2f} s  {tiler.peak_mb:4.0f} MB")
        print(f"first tile after init    {_told(get(tiler, f'/mosaics/m@1/{TILE}.png'))}, {tiler.peak_mb:.0f} MB")
    with trial.start("api", snapstart=True) as tiler:
        print(f"snapshot  init {tiler.init_s:5.2f} s  {tiler.peak_mb:4.0f} MB")
        tiler.restore()
        print(f"restore hooks            {tiler.restore_s * 1000:.0f} ms")
        print(f"first tile after restore {_told(get(tiler, f'/mosaics/m@1/{TILE}.png'))}, {tiler.peak_mb:.0f} MB")
        for extension in ("png", "jpg", "webp", "tif"):
            print(f"{tiles} tiles, {extension:4} {_spread(tiler, f'/mosaics/m@1/{TILE}.{extension}', tiles)}")
        print(f"{tiles} times healthz  {_spread(tiler, '/healthz', tiles)}")
        print(f"memory at the end        {tiler.peak_mb:.0f} MB")


def _told(answer: Answer) -> str:
    return f"{answer.value['statusCode']} in {answer.seconds * 1000:.0f} ms"


def _spread(tiler: Function, path: str, count: int) -> str:
    times = [get(tiler, path).seconds * 1000 for _ in range(count)]
    cuts = statistics.quantiles(times, n=20)
    return f"median {statistics.median(times):5.1f} ms, 95 % within {cuts[-1]:5.1f} ms"


if __name__ == "__main__":
    main()
