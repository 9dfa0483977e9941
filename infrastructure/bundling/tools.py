"""Programs that bundling calls: uv, and GNU's strip and readelf."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infrastructure.bundling.faults import BundleFault, Lacking

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's names of architectures and everybody else's."""


def run(command: Sequence[str | Path]) -> str:
    """The standard output. Raises BundleFault with what the program said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise BundleFault(f"{' '.join(map(str, command[:4]))} failed:\n{said[-2000:]}")
    return done.stdout


def uv() -> str:
    """uv, which also runs this program mostly."""
    return os.environ.get("UV") or shutil.which("uv") or _missing("uv", "see https://docs.astral.sh/uv/")


def readelf() -> str:
    """GNU readelf, which reads every architecture."""
    return shutil.which("readelf") or _missing("readelf", "apt-get install binutils, or your system's own package")


def strip(architecture: str) -> str:
    """GNU strip for the architecture; LLVM's damages libraries that auditwheel has patched."""
    machine = MACHINES[architecture]
    names = [f"{machine}-linux-gnu-strip", *(["strip"] if platform.machine() == machine else [])]
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        package = f"binutils-{machine.replace('_', '-')}-linux-gnu"
        return _missing(names[0], f"apt-get install {package}, or go on with --unstripped")
    if "GNU" not in run([found, "--version"]):
        raise Lacking(f"{found} is not GNU strip, and others damage these libraries: go on with --unstripped")
    return found


def _missing(program: str, advice: str) -> str:
    raise Lacking(f"{program} is missing: {advice}")
