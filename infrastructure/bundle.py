"""The zips of the Lambda functions: `uv run python infrastructure/bundle.py [FUNCTION ...] [--architecture ARCH]`.

Installed from the lock for Lambda's platform, pruned, stripped, compiled, checked and packed, without Docker, the
same bytes every time. A zip is made anew when what it is made from has changed.
"""

import argparse
import hashlib
import shutil
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
if __name__ == "__main__":
    # As a script Python looks beside this file, where names like `tokens` are ours.
    sys.path[0] = str(PROJECT)

from infrastructure.bundling.archive import pack  # noqa: E402
from infrastructure.bundling.bytecode import compile_all  # noqa: E402
from infrastructure.bundling.checks import MEGABYTE, check  # noqa: E402
from infrastructure.bundling.contents import ARCHITECTURES, FUNCTIONS, Contents  # noqa: E402
from infrastructure.bundling.expat import libexpat  # noqa: E402
from infrastructure.bundling.faults import BundleFault, Lacking  # noqa: E402
from infrastructure.bundling.libraries import libraries, unneeded  # noqa: E402
from infrastructure.bundling.packages import install  # noqa: E402
from infrastructure.bundling.pruning import prune  # noqa: E402
from infrastructure.bundling.stripping import strip_all  # noqa: E402

OUTPUT = PROJECT / "dist" / "lambda"
INPUTS = (
    "uv.lock",
    "pyproject.toml",
    "src/**/*",
    "lambda_handler/*.py",
    "infrastructure/bundling/*.py",
    "infrastructure/bundle.py",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A zip, and what its table says of it."""

    path: Path
    function: str
    architecture: str
    files: int
    unpacked_bytes: int
    seconds: float

    @property
    def row(self) -> str:
        packed = self.path.read_bytes()
        digest = hashlib.sha256(packed).hexdigest()
        sizes = f"{self.unpacked_bytes / MEGABYTE:8.1f} {len(packed) / MEGABYTE:7.1f}"
        return f"{self.function:9} {self.architecture:7} {self.files:6} {sizes} {self.seconds:6.1f}  {digest}"


HEADER = f"{'function':9} {'arch':7} {'files':>6} {'unpacked':>8} {'zip MB':>7} {'s':>6}  sha256"


def bundle(function: str, architecture: str) -> Path:
    """The zip, made unless it is there and up to date. Raises BundleFault with what to do about it.

    One that was made with --unstripped is taken where none can be stripped.
    """
    path = OUTPUT / f"{function}-{architecture}.zip"
    if _is_fresh(path, inputs_digest()):
        return path
    try:
        return make(function, architecture).path
    except Lacking:
        if _is_fresh(path, inputs_digest(stripped=False)):
            return path
        raise


def make(function: str, architecture: str, *, output: Path = OUTPUT, stripped: bool = True) -> Made:
    """Make the zip, or copy that of a function with the same contents. Raises BundleFault."""
    started, digest = time.perf_counter(), inputs_digest(stripped=stripped)
    path = output / f"{function}-{architecture}.zip"
    twins = [output / f"{twin}-{architecture}.zip" for twin in FUNCTIONS if FUNCTIONS[twin] == FUNCTIONS[function]]
    twin = next((each for each in twins if each != path and _is_fresh(each, digest)), None)
    if twin is None:
        stage = output / "stages" / path.stem
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        _fill(stage / "task", FUNCTIONS[function], architecture, cache=stage.parent, stripped=stripped)
        pack(stage / "task", path)
        shutil.rmtree(stage)
    else:
        shutil.copyfile(twin, path)
    _note(path).write_text(digest)
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    return Made(
        path=path,
        function=function,
        architecture=architecture,
        files=len(entries),
        unpacked_bytes=sum(entry.file_size for entry in entries),
        seconds=time.perf_counter() - started,
    )


def _fill(root: Path, contents: Contents, architecture: str, *, cache: Path, stripped: bool) -> None:
    """Everything that goes into the zip, checked."""
    install(contents, architecture, root)
    prune(root)
    for library in unneeded(libraries(root)):
        library.unlink()
    if stripped:
        strip_all([library.path for library in libraries(root)], architecture)
    if contents.has_rasters:
        (root / "lib").mkdir()
        shutil.copyfile(libexpat(architecture, cache), root / "lib" / "libexpat.so.1")
    compile_all(root)
    check(root, architecture)


def _note(path: Path) -> Path:
    """Where it says what a zip was made from."""
    return path.with_suffix(".inputs")


def _is_fresh(path: Path, digest: str) -> bool:
    return path.exists() and _note(path).exists() and _note(path).read_text() == digest


def inputs_digest(*, stripped: bool = True) -> str:
    """Changes with whatever a bundle is made from."""
    total = hashlib.sha256(b"" if stripped else b"unstripped")
    for pattern in INPUTS:
        for path in sorted(PROJECT.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                total.update(f"{path.relative_to(PROJECT)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def main() -> None:
    """Make what is asked for, and tell of it."""
    parser = argparse.ArgumentParser(description="Make the zips of the Lambda functions in dist/lambda.")
    parser.add_argument("functions", nargs="*", default=[*FUNCTIONS], metavar="FUNCTION", help=" ".join(FUNCTIONS))
    parser.add_argument("--architecture", choices=ARCHITECTURES, help="one of both")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the zips")
    parser.add_argument("--unstripped", action="store_true", help="go on where GNU strip is missing")
    told = parser.parse_args()
    for function in told.functions:
        if function not in FUNCTIONS:
            parser.error(f"{function!r} is none of {', '.join(FUNCTIONS)}")
    print(HEADER)
    try:
        for architecture in [told.architecture] if told.architecture else ARCHITECTURES:
            for function in told.functions:
                made = make(function, architecture, output=told.output, stripped=not told.unstripped)
                print(made.row, flush=True)
    except BundleFault as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main()
