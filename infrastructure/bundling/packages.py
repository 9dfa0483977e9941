"""The packages of a bundle: those of the lock for Lambda's platform, and the project itself."""

import re
import shutil
from pathlib import Path

from infrastructure.bundling.contents import GLIBC, PYTHON, Contents
from infrastructure.bundling.faults import BundleFault
from infrastructure.bundling.tools import MACHINES, run, uv

PROJECT = Path(__file__).parents[2]
_NAME = re.compile(r"^([a-z0-9][a-z0-9._-]*)==", re.MULTILINE)


def install(contents: Contents, architecture: str, target: Path) -> None:
    """Fill the folder with packages, exactly as locked. Raises BundleFault."""
    target.mkdir(parents=True)
    requirements = target.with_name(f"{target.name}.txt")
    requirements.write_text(_requirements(contents))
    _install(architecture, target, "--require-hashes", "-r", requirements)
    wheels = target.with_name(f"{target.name}.wheels")
    run([uv(), "build", "--quiet", "--wheel", "--project", PROJECT, "--out-dir", wheels, PROJECT])
    (wheel,) = wheels.glob("*.whl")
    _install(architecture, target, wheel)
    shutil.copytree(PROJECT / "lambda_handler", target / "lambda_handler", ignore=shutil.ignore_patterns("__pycache__"))


def _requirements(contents: Contents) -> str:
    """The lock as a requirements file. Raises BundleFault for a package that is left out and was never in."""
    command: list[str | Path] = [
        uv(),
        "export",
        "--quiet",
        "--locked",
        "--project",
        PROJECT,
        "--no-dev",
        "--no-emit-project",
    ]
    command += ["--no-header", "--no-annotate", *(f"--extra={extra}" for extra in contents.extras)]
    locked = set(_NAME.findall(run(command)))
    unknown = contents.without - locked
    if unknown:
        raise BundleFault(f"{', '.join(sorted(unknown))}: left out of bundles, and in no lock any more")
    omitted = [f"--no-emit-package={name}" for name in sorted(contents.without)]
    return run([*command, *omitted])


def _install(architecture: str, target: Path, *what: str | Path) -> None:
    platform = f"{MACHINES[architecture]}-manylinux_{GLIBC[0]}_{GLIBC[1]}"
    python = f"{PYTHON[0]}.{PYTHON[1]}"
    where: list[str | Path] = ["--python-platform", platform, "--python-version", python, "--target", target]
    run([uv(), "pip", "install", "--quiet", *where, "--no-deps", "--only-binary=:all:", "--link-mode=copy", *what])
