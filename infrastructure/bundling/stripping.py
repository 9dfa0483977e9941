"""Symbols and debugging information, which shared libraries carry and nothing at run time reads."""

from collections.abc import Sequence
from pathlib import Path

from infrastructure.bundling.tools import run, strip

_AT_ONCE = 100


def strip_all(paths: Sequence[Path], architecture: str) -> None:
    """Take them off. Raises BundleFault where GNU strip is missing."""
    program = strip(architecture)
    for start in range(0, len(paths), _AT_ONCE):
        run([program, "--strip-unneeded", *paths[start : start + _AT_ONCE]])
