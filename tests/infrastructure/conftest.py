"""Synthesised stacks, shared by all tests; without node there are none."""

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from synthesis import Synthesis

type Synthesise = Callable[..., "Synthesis"]


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    """The stack of some options; the CDK runs on node, which takes seconds to start."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed, on which the CDK runs")
    from synthesis import synthesise

    known: dict[str, Synthesis] = {}

    def of(**options: object) -> "Synthesis":
        key = repr(sorted(options.items()))
        if key not in known:
            known[key] = synthesise(tmp_path_factory.mktemp("synthesis"), **options)
        return known[key]

    return of


@pytest.fixture(scope="session")
def stack(synthesised: Synthesise) -> "Synthesis":
    """The stack without any option."""
    return synthesised()
