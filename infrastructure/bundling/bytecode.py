"""Bytecode, made beforehand since Lambda's folder cannot be written to, and taken as it is, its source unseen.

Of packages only the bytecode stays, which halves them; our own code keeps its source for the log's tracebacks.
"""

import sys
from pathlib import Path

from infrastructure.bundling.contents import PYTHON
from infrastructure.bundling.faults import BundleFault
from infrastructure.bundling.tools import run

OWN = ("quadmosaic", "lambda_handler")
TASK = "/var/task"
"""Where Lambda unpacks the bundle."""
_COMPILE = """
import compileall, py_compile, sys
root, task, *own = sys.argv[1:]
for legacy in (False, True):
    for name in sorted(__import__("os").listdir(root)):
        compiled = compileall.compile_file if name.endswith(".py") else compileall.compile_dir
        if (name in own) != legacy and not compiled(
            f"{root}/{name}", legacy=legacy, quiet=2, force=True, stripdir=root, prependdir=task,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        ):
            sys.exit(f"{name} cannot be compiled")
"""


def compile_all(root: Path) -> None:
    """Compile every module. Raises BundleFault."""
    if sys.version_info[:2] != PYTHON:
        version = ".".join(map(str, PYTHON))
        raise BundleFault(f"bytecode for Python {version} is made by that Python: uv run --python {version} ...")
    # Sets among the constants are written in the order of their hashes.
    run([sys.executable, "-I", "-c", _COMPILE, root, TASK, *OWN], environment={"PYTHONHASHSEED": "0"})
    for path in root.rglob("*.py"):
        if path.relative_to(root).parts[0] not in OWN:
            path.unlink()
