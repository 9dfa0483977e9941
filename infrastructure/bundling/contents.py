"""What each function carries: of all that the project depends on, what its code never imports stays out."""

from dataclasses import dataclass

COMMANDS = frozenset({"markdown-it-py", "mdurl", "prometheus-client", "pygments", "rich", "shellingham", "typer"})
SERVER = frozenset({"uvicorn"})
PICTURES = frozenset({"pillow"})
"""planetcantile wants it for its documentation; of planetcantile only the files are used."""
FILTERS = frozenset({"cql2"})
NOWHERE = COMMANDS | SERVER | PICTURES
RASTERS = frozenset({"affine", "async-tiff", "color-operations", "imagecodecs", "numexpr", "rasterio", "rio-tiler"})
CATALOGS = frozenset({"charset-normalizer", "pystac", "pystac-client", "requests"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """`without` names distributions of the lock that the function does not import; `extras` are the project's own."""

    without: frozenset[str] = NOWHERE
    extras: tuple[str, ...] = ()
    has_rasters: bool = True


FUNCTIONS = {
    "api": Contents(),
    "registry": Contents(without=NOWHERE | RASTERS | CATALOGS, has_rasters=False),
    "build": Contents(without=NOWHERE | FILTERS),
}
ARCHITECTURES = ("arm64", "x86_64")
PYTHON = (3, 13)
MOST_MB = 230
"""Unpacked; Lambda's own limit is 250."""
GLIBC = (2, 34)
"""That of Amazon Linux 2023, on which Lambda's Python 3.13 runs."""
