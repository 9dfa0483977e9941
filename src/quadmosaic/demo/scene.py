"""Makes the demo scene: ten overlapping strips as COGs and the STAC items that describe them."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np

from quadmosaic.demo.cogs import write_cog
from quadmosaic.demo.items import TITLES, asset_path, make_asset, make_item
from quadmosaic.demo.strips import Strip, rasters
from quadmosaic.demo.terrain import Ground, make_ground
from quadmosaic.domain.granules import Json, JsonObject

REVISION = 1
"""Counts changes to what a seed gives; a scene of another revision is made anew."""

_LAYOUT = (
    (76.62, 16.62, 3.9),
    (77.58, 18.55, 1.7),
    (76.41, 17.88, 3.7),
    (77.68, 18.02, 1.6),
    (77.28, 17.55, 3.3),
    (76.92, 17.35, 3.0),
    (77.16, 18.85, 1.8),
    (76.58, 18.85, 1.6),
    (77.53, 16.95, 3.6),
    (76.88, 15.90, 2.4),
)
"""Centre longitude, centre latitude and length of each strip, degrees."""


def make_scene(
    folder: Path,
    *,
    seed: int = 20211,
    pixel_m: float = 40.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the scene below `folder` unless a complete one of this seed is there; the path of its items.json.

    `pixel_m` is the images' pixel size, the DTMs' is twice that: 40 makes 55 MB, 320 a toy for tests.
    `progress` is told steps done and steps in all. items.json is written last, so a scene with one is complete.
    """
    folder = folder.resolve()
    stamp: JsonObject = {"seed": seed, "revision": REVISION, "pixel_m": pixel_m}
    items_path = folder / "items.json"
    strips = plan_strips(seed)
    steps = _Steps(total=1 + len(strips) * len(TITLES), report=progress)
    if _is_complete(items_path, stamp):
        steps.finish()
        return items_path
    folder.mkdir(parents=True, exist_ok=True)
    ground = make_ground(seed, pixel_km=pixel_m / 1000)
    steps.advance()
    items: list[Json] = [_write_strip(folder, ground, strip, steps) for strip in strips]
    document: JsonObject = {"type": "FeatureCollection", "scene": stamp, "features": items}
    unfinished = items_path.with_suffix(".part")
    unfinished.write_text(json.dumps(document, indent=1))
    unfinished.replace(items_path)
    return items_path


def plan_strips(seed: int) -> tuple[Strip, ...]:
    """The strips of a scene: the layout is fixed, what their cameras saw and their names are drawn."""
    rng = np.random.default_rng([seed, 1])
    return tuple(
        Strip(
            id=_observation_pair(rng, lon, lat),
            lon=lon,
            lat=lat,
            length=length,
            offset=round(float(rng.normal(0, 22)), 2),
            gain=float(rng.uniform(1.25, 1.85)),
            haze=float(rng.uniform(0.0, 0.09)),
            sun=(float(rng.uniform(255, 300)), float(rng.uniform(34, 52))),
        )
        for lon, lat, length in _LAYOUT
    )


def _observation_pair(rng: np.random.Generator, lon: float, lat: float) -> str:
    """An id like CTX stereo pairs have: phase, orbit, latitude, mode and corner of either image."""

    def observation(phase: int, orbit: int) -> str:
        latitude = 1800 + round(lat * 10) + int(rng.integers(-2, 3))
        corner = f"{math.floor(lat):02d}N{360 - math.ceil(lon):03d}W"
        return f"P{phase:02d}_{orbit:06d}_{latitude}_{rng.choice(['XI', 'XN'])}_{corner}"

    first = int(rng.integers(1500, 9000))
    second = first + int(rng.integers(60, 1400))
    return "__".join(observation(1 + (orbit - 1400) // 450, orbit) for orbit in (first, second))


class _Steps:
    """Counts steps done and tells whoever wants to know, from the zeroth on."""

    def __init__(self, *, total: int, report: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._report = 0, total, report
        self._tell()

    def advance(self) -> None:
        self._done += 1
        self._tell()

    def finish(self) -> None:
        self._done = self._total
        self._tell()

    def _tell(self) -> None:
        if self._report is not None:
            self._report(self._done, self._total)


def _write_strip(folder: Path, ground: Ground, strip: Strip, steps: _Steps) -> JsonObject:
    layers = rasters(ground, strip)
    assets: JsonObject = {}
    for raster in layers:
        path = asset_path(folder, strip.id, raster.key)
        path.parent.mkdir(exist_ok=True)
        assets[raster.key] = make_asset(path, raster, size=write_cog(path, raster))
        steps.advance()
    return make_item(strip, assets, layers[0])


def _is_complete(items_path: Path, stamp: JsonObject) -> bool:
    """Whether the folder holds this very scene: same stamp, and every file where the items say, at its size."""
    try:
        document = json.loads(items_path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    if document.get("scene") != stamp:
        return False
    assets = [
        (asset_path(items_path.parent, item["id"], key), asset)
        for item in document["features"]
        for key, asset in item["assets"].items()
    ]
    return all(
        unquote(urlsplit(asset["href"]).path) == str(path)
        and path.is_file()
        and path.stat().st_size == asset["file:size"]
        for path, asset in assets
    )
