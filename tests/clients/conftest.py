"""What the tests of real clients share: programs that may be absent, and the demo as a service."""

import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from fixtures_server import serving
from quadmosaic import bootstrap
from quadmosaic.cli.demo import make_mosaic
from quadmosaic.config import Settings
from quadmosaic.services.builds import silent

NODE_MODULES = Path(__file__).parents[2] / "node_modules"


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Path of a program; the test is skipped, with the reason, where the system lacks it."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Base URL of the demo's mosaic, coarser than on a laptop, with the viewer's libraries served beside it."""
    folder = tmp_path_factory.mktemp("demo")
    if not NODE_MODULES.is_dir():
        pytest.skip("node_modules is not there: npm ci")
    settings = Settings(store=str(folder / "store"), viewer_assets=str(NODE_MODULES))
    make_mosaic(folder, settings, silent, pixel_m=160)
    with serving(bootstrap.http_app(settings, metrics=True)) as url:
        yield url
