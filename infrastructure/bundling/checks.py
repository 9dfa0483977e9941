"""What must hold of a bundle before it is packed."""

from pathlib import Path

from infrastructure.bundling.archive import files
from infrastructure.bundling.contents import GLIBC, MOST_MB
from infrastructure.bundling.faults import BundleFault
from infrastructure.bundling.libraries import Library, libraries, missing
from infrastructure.bundling.tools import MACHINES

MACHINE_NAMES = {"x86_64": "X86-64", "aarch64": "AArch64"}
PAGE_BYTES = 4096
MEGABYTE = 1_000_000


def check(root: Path, architecture: str) -> None:
    """Raises BundleFault with all that is wrong."""
    found = libraries(root)
    faults = [
        *(
            f"{name} is needed by {user}, and neither in the bundle nor in Lambda"
            for name, user in missing(found).items()
        ),
        *(fault for library in found for fault in _faults(library, architecture)),
    ]
    size = unpacked_bytes(root) / MEGABYTE
    if size > MOST_MB:
        faults.append(f"it has {size:.0f} MB unpacked, more than {MOST_MB}")
    if faults:
        raise BundleFault("the bundle cannot run on Lambda:\n" + "\n".join(faults))


def unpacked_bytes(root: Path) -> int:
    """Of all files together."""
    return sum(path.stat().st_size for path in files(root))


def _faults(library: Library, architecture: str) -> list[str]:
    name, faults = library.path.name, []
    if MACHINE_NAMES[MACHINES[architecture]] not in library.machine:
        faults.append(f"{name} is for {library.machine}")
    newest = max(library.glibc, default=(0,))
    if newest > GLIBC:
        faults.append(f"{name} wants GLIBC {'.'.join(map(str, newest))}")
    for offset, address, alignment in library.segments:
        if alignment < PAGE_BYTES or (address - offset) % alignment:
            faults.append(f"{name} cannot be mapped: {offset:#x} at {address:#x}, aligned to {alignment:#x}")
    return faults
