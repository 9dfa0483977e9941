"""libexpat, which GDAL's wheels want and Lambda lacks, compiled by zig for an old enough C library."""

import hashlib
import io
import sys
import tarfile
import urllib.request
from pathlib import Path, PurePosixPath
from urllib.error import URLError

from infrastructure.bundling.contents import GLIBC
from infrastructure.bundling.faults import BundleFault, Lacking
from infrastructure.bundling.tools import MACHINES, run, uv

VERSION = "2.8.3"
SOURCES = (
    f"https://deb.debian.org/debian/pool/main/e/expat/expat_{VERSION}.orig.tar.gz",
    f"https://github.com/libexpat/libexpat/archive/refs/tags/R_{VERSION.replace('.', '_')}.tar.gz",
    "https://snapshot.debian.org/file/634727e5c97647ddaa90687d33e3a8324d317fcc",
)
"""Debian keeps the first only until its next version, and the last for good."""
DIGEST = "0d1ca195208798a7fc0fd27e2d7b0cb4e596191cf0ba5e929eb43ed48d1e7417"
"""SHA-256 of names and contents of the sources, however they were packed."""
ZIG = "ziglang==0.17.0"
UNITS = ("xmlparse.c", "xmlrole.c", "xmltok.c", "random_getrandom.c")
CONFIG = """\
#define BYTEORDER 1234
#define HAVE_GETRANDOM 1
#define XML_CONTEXT_BYTES 1024
#define XML_DTD 1
#define XML_GE 1
#define XML_NS 1
"""
"""What expat's own configure finds on Linux."""
LARGEST_BYTES = 20 << 20
PATIENCE_S = 60


def libexpat(architecture: str, cache: Path) -> Path:
    """The library, compiled once. Raises BundleFault when its source cannot be had, or is another one."""
    made = cache / f"libexpat-{VERSION}-{architecture}.so"
    if not made.exists():
        sources = cache / f"expat-{VERSION}"
        if not sources.exists():
            _unpack(sources)
        part = made.with_suffix(".part")
        _compile(sources, architecture, part)
        part.rename(made)
    return made


def _compile(sources: Path, architecture: str, to: Path) -> None:
    target = f"{MACHINES[architecture]}-linux-gnu.{GLIBC[0]}.{GLIBC[1]}"
    options = ["-shared", "-fPIC", "-O2", "-g0", "-fvisibility=hidden", "-DXML_ENABLE_VISIBILITY=1", f"-I{sources}"]
    link = ["-Wl,-soname,libexpat.so.1", "-Wl,--build-id=none", "-s"]
    zig = [uv(), "run", "--quiet", "--no-project", "--python", sys.executable, "--with", ZIG]
    units = [sources / unit for unit in UNITS]
    run([*zig, "python", "-m", "ziglang", "cc", "-target", target, *options, *link, "-o", to, *units])


def _unpack(to: Path) -> None:
    files = {"expat_config.h": CONFIG.encode(), **_source_files()}
    part = to.with_suffix(".part")
    part.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (part / name).write_bytes(content)
    part.rename(to)


def _source_files() -> dict[str, bytes]:
    """C sources and headers by name, from the first address that has them."""
    refusals = []
    for url in SOURCES:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as reply:
                packed = reply.read(LARGEST_BYTES)
        except (URLError, TimeoutError) as error:
            refusals.append(f"{url}: {error}")
            continue
        files = _library_files(packed)
        found = digest(files)
        if found != DIGEST:
            raise BundleFault(f"{url} is not the expat {VERSION} that is known: its digest is {found}")
        return files
    raise Lacking("the source of libexpat cannot be had:\n" + "\n".join(refusals))


def _library_files(packed: bytes) -> dict[str, bytes]:
    files = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if path.parent.name == "lib" and path.suffix in (".c", ".h"):
                content = archive.extractfile(member)
                assert content is not None
                files[path.name] = content.read()
    return files


def digest(files: dict[str, bytes]) -> str:
    """One digest of all files."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return total.hexdigest()
