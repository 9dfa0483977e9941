"""Shared libraries: what they need and how they are laid out, as readelf tells it; and those that nobody needs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.bundling.tools import readelf, run

SYSTEM = frozenset(
    {
        "ld-linux-aarch64.so.1",
        "ld-linux-x86-64.so.2",
        "libc.so.6",
        "libdl.so.2",
        "libgcc_s.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "libresolv.so.2",
        "librt.so.1",
        "libstdc++.so.6",
        "libutil.so.1",
        "libz.so.1",
    }
)
"""Libraries of Amazon Linux 2023 as Lambda's Python runtime has it."""
_AT_ONCE = 100
_TOLD = ("--wide", "--file-header", "--segments", "--dynamic", "--version-info")


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """`segments` are (offset, address, alignment) of what is mapped; `glibc` are the versions of the C library."""

    path: Path
    machine: str
    needed: frozenset[str]
    glibc: frozenset[tuple[int, ...]]
    segments: tuple[tuple[int, int, int], ...]


def libraries(root: Path) -> tuple[Library, ...]:
    """Every shared library below a folder, in order."""
    paths = sorted(path for path in root.rglob("*") if ".so" in path.name and path.is_file() and _is_elf(path))
    found: list[Library] = []
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        # It names the files only when there are several.
        told = run([readelf(), *_TOLD, *some, some[0]])
        texts = re.split(r"^File: ", told, flags=re.MULTILINE)[1:]
        by_name = {text.partition("\n")[0].strip(): text for text in texts}
        found += [_parsed(path, by_name[str(path)]) for path in some]
    return tuple(found)


def unneeded(found: Sequence[Library]) -> list[Path]:
    """Libraries in the `.libs` folders of wheels that no extension module leads to."""
    shared = {library.path.name: library for library in found if library.path.parent.name.endswith(".libs")}
    waiting = [library for library in found if library not in shared.values()]
    reached: set[str] = set()
    while waiting:
        for name in waiting.pop().needed & (shared.keys() - reached):
            reached.add(name)
            waiting.append(shared[name])
    return [library.path for name, library in shared.items() if name not in reached]


def missing(found: Sequence[Library]) -> Mapping[str, str]:
    """Libraries that nothing provides, each with one that needs it."""
    there = {library.path.name for library in found} | SYSTEM
    return {name: library.path.name for library in found for name in sorted(library.needed - there)}


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _parsed(path: Path, text: str) -> Library:
    loads = re.findall(r"^\s+LOAD\s+(0x\S+)\s+(0x\S+)\s.*\s(0x\S+)$", text, re.MULTILINE)
    machine = re.search(r"^\s+Machine:\s+(.+)$", text, re.MULTILINE)
    return Library(
        path=path,
        machine=machine[1].strip() if machine else "",
        needed=frozenset(re.findall(r"\(NEEDED\).*\[(.+)\]", text)),
        glibc=frozenset(
            tuple(map(int, version.split("."))) for version in re.findall(r"Name: GLIBC_([0-9.]+)\s", text)
        ),
        segments=tuple((int(offset, 16), int(address, 16), int(align, 16)) for offset, address, align in loads),
    )
