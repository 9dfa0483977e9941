"""The mosaic tutorial in one curl, on a real STAC API server: what came out, in how many seconds and requests.

uv run python benchmarks/tutorial.py [--stac pgstac|rustac] [--data ../shared/data/stac] [--pictures FOLDER] [--wait]

`pgstac` is stac-fastapi-pgstac on a PostgreSQL of its own (Debian: postgresql-15 postgresql-15-postgis-3), `rustac` is
`rustac serve`; uv fetches both. The files are made up, at the items' keys, and are read as s3://astrogeo-ard through
the endpoint setting. `--pictures` takes the viewer's pictures of the layers (node, npm ci and chromium), `--wait` goes
on serving.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import tutorial_run as run
from stac_servers import Missing
from tutorial_scene import ASSETS, write_tutorial_scene

ROOT = Path(__file__).parents[1]
NODE_MODULES = ROOT / "node_modules"
DRIVER = ROOT / "tests" / "clients" / "viewer" / "layers.mjs"


def main() -> None:
    options = parsed()
    with tempfile.TemporaryDirectory() as folder:
        bucket, store = Path(folder, "bucket"), Path(folder, "store")
        write_tutorial_scene(bucket, run.items_of(options.data))
        started = time.perf_counter()
        viewer_assets = NODE_MODULES if NODE_MODULES.is_dir() else None
        try:
            with run.tutorial(options.stac, options.data, bucket, store, viewer_assets=viewer_assets) as it:
                print(f"{options.stac} at {it.stac}, quadmosaic at {it.href}: {time.perf_counter() - started:.1f} s")
                report(it)
                if options.pictures is not None:
                    take_pictures(it, options.pictures)
                if options.wait:
                    input(f"{it.href}/mosaics/jezero/map.html; Enter ends it\n")
        except Missing as error:
            sys.exit(str(error))


def report(it: run.Tutorial) -> None:
    """Both boxes, and a tile of each layer."""
    body = run.body_of(it, name="jezero", bbox=run.TEN)
    print(f"\ncurl --json '{json.dumps(body)}' {it.href}/mosaics\n")
    tell_post(run.post(it, body))
    expected, found = run.names(it.seed["tiles"]), run.names(run.mosaic_json(it, "jezero", "image")["tiles"])
    alike = sum(found.get(quadkey) == files for quadkey, files in expected.items())
    print(f"quadkeys equal {len(expected.keys() & found.keys())}/{len(expected)}, "
          f"{len(found.keys() - expected.keys())} others; "
          f"lists of files equal, order included, {alike}/{len(expected)}")  # fmt: skip
    for asset in ASSETS:
        began = time.perf_counter()
        values, valid = run.drawn_tile(it, "jezero", asset)
        seconds = time.perf_counter() - began
        wanted, is_wanted = run.expected_tile(it, run.DELTA, asset)
        same = ((values == wanted) | ~is_wanted) & (valid == is_wanted)
        place = f"{run.TMS}/{run.DELTA.z}/{run.DELTA.x}/{run.DELTA.y}"
        print(f"layer {asset:<10} {values.dtype} tile {place}: {valid.mean():.1%} valid, "
              f"{same.mean():.3%} of pixels as in the files, {seconds:.2f} s")  # fmt: skip
    print(f"\nbbox {','.join(map(str, run.NINE))}, in pages of 4:")
    tell_post(run.post(it, run.body_of(it, name="nine", bbox=run.NINE, page=4)))


def tell_post(posted: run.Posted) -> None:
    """What a POST was answered with, and what it took."""
    if "granules" not in posted.document:
        sys.exit(f"{posted.status}: {json.dumps(posted.document)}")
    told = posted.document["last_build"]["report"]
    ranges = [asked.span for asked in posted.asked if asked.method == "GET" and asked.span is not None]
    print(f"{posted.status} in {posted.seconds:.2f} s: {posted.document['granules']} items, "
          f"{posted.document['cells']} quadkeys, assets {', '.join(a['key'] for a in posted.document['assets'])}, "
          f"{told['scanned']} headers scanned; the bucket was asked {len(posted.asked)} times, {len(ranges)} of them "
          f"for ranges, together {sum(stop - start for start, stop in ranges) / 1e6:.1f} MB")  # fmt: skip


def take_pictures(it: run.Tutorial, folder: Path) -> None:
    """Each layer in the viewer."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["node", str(DRIVER), it.href, "jezero", str(folder)], check=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stac", choices=list(run.SERVERS), default="rustac")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "stac")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--wait", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
