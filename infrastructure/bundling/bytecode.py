"""Bytecode, made beforehand since Lambda's folder cannot be written to, and taken as it is, its source unseen.

Of packages only the bytecode stays, which halves them; our own code keeps its source for the log's tracebacks.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from infrastructure.bundling.contents import PYTHON
from infrastructure.bundling.faults import BundleFault
from infrastructure.bundling.tools import run

OWN = ("quadmosaic", "lambda_handler")
TASK = "/var/task"
"""Where Lambda unpacks the bundle."""


def compile_all(root: Path) -> None:
    """Compile every module. Raises BundleFault."""
    if sys.version_info[:2] != PYTHON:
        version = ".".join(map(str, PYTHON))
        raise BundleFault(f"bytecode for Python {version} is made by that Python: uv run --python {version} ...")
    _compile(root, [root / name for name in OWN])
    _compile(root, sorted(path for path in root.iterdir() if path.name not in OWN), "-b")
    for path in root.rglob("*.py"):
        if path.relative_to(root).parts[0] not in OWN:
            path.unlink()


def _compile(root: Path, paths: Sequence[Path], *options: str) -> None:
    """Into `__pycache__`, or beside the source with `-b`, where bytecode needs no source."""
    told = ["-q", "-f", *options, "-s", str(root), "-p", TASK, "--invalidation-mode", "unchecked-hash"]
    run([sys.executable, "-I", "-m", "compileall", *told, *paths])
