"""What all tests share: where the real rasters and STAC items are, and that nothing is skipped in CI."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

pytest_plugins = ("fixtures_server", "fixtures_command", "fixtures_bundles")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real rasters and STAC items."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real rasters and STAC items are not beside this checkout (../shared/data)")
    return SHARED_DATA


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skipped test is a failure: what CI does not run, nobody runs."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
