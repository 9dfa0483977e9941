"""The command that shows it all on a laptop: a synthetic scene, registered and served."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from quadmosaic import bootstrap
from quadmosaic.cli.progress import progress_bars, tell
from quadmosaic.cli.serve import Port, run
from quadmosaic.config import Settings
from quadmosaic.domain.mosaic import Defaults, Recipe, Report
from quadmosaic.domain.sources import FeaturesSource
from quadmosaic.services.builds import Progress
from quadmosaic.services.drafts import publish

NAME, TMS = "jezero", "MarsEquidistantCylindricalSphere"
ASSETS = ("image", "dtm", "orthoimage")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    data: Annotated[Path, typer.Option("--data", help="Folder for the scene and the store.")] = Path("quadmosaic-demo"),
    port: Port = 8000,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Make and register, then stop.")] = False,
) -> None:
    """Make a small synthetic scene of Jezero crater, register it as mosaic `jezero`, and serve it.

    Example: `quadmosaic demo --port 8000`
    """
    settings = Settings(store=str((data / "store").resolve()))
    with progress_bars(quiet=False) as progress:
        report = make_mosaic(data.resolve(), settings, progress)
    tell(report, quiet=False)
    base = f"http://127.0.0.1:{port}"
    print(
        f"viewer  {base}/mosaics/{NAME}/{TMS}/map.html\n"
        f"tiles   {base}/mosaics/{NAME}/tiles/{TMS}/{{z}}/{{x}}/{{y}}.png\n"
        f"QGIS    {base}/mosaics/{NAME}/WMTSCapabilities.xml?tms={TMS}\n"
        f"GDAL    {base}/mosaics/{NAME}/{TMS}/gdal.xml?service=tms&tile_format=tif&assets=dtm"
    )
    sys.stdout.flush()
    if not no_serve:
        run(settings, host="127.0.0.1", port=port)


def make_mosaic(folder: Path, settings: Settings, progress: Progress, *, pixel_m: float = 40.0) -> Report:
    """Make the scene below `folder` with images of `pixel_m` metres, and the mosaic in the settings' store."""
    from quadmosaic.demo.scene import make_scene

    items = make_scene(folder / "scene", pixel_m=pixel_m, progress=lambda done, total: progress("strips", done, total))
    recipe = Recipe(source=FeaturesSource(features=json.loads(items.read_text())), assets=ASSETS)
    defaults = Defaults(
        title="Jezero crater, synthetic",
        description="Ten overlapping strips made by quadmosaic's demo; no real terrain.",
        attribution="quadmosaic demo",
        asset="image",
    )

    async def build() -> Report:
        outside = bootstrap.adapters(settings)
        draft = await bootstrap.builder(outside.reader).draft(recipe, defaults, progress=progress)
        await publish(outside.store, NAME, draft)
        return draft.manifest.report

    return asyncio.run(build())
