"""The x86_64 bundles, unpacked once for all tests, where this machine can make and run them."""

import platform
import sys
import zipfile
from pathlib import Path

import pytest
from infrastructure.bundle import bundle
from infrastructure.bundling.contents import FUNCTIONS, PYTHON
from infrastructure.bundling.faults import Lacking

HERE = (sys.platform, platform.machine(), sys.version_info[:2])
ON_LAMBDA = ("linux", "x86_64", PYTHON)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one folder for each function."""
    if HERE != ON_LAMBDA:
        pytest.skip(f"the bundles are for {ON_LAMBDA}, and this is {HERE}")
    folder = tmp_path_factory.mktemp("bundles")
    for name in FUNCTIONS:
        try:
            path = bundle(name, "x86_64")
        except Lacking as fault:
            pytest.skip(str(fault))
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / name)
    return folder
