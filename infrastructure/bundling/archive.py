"""The zip of a folder, the same bytes for the same files: entries in order, without dates."""

import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
FILE_MODE, LIBRARY_MODE = 0o100644, 0o100755


def pack(root: Path, to: Path) -> None:
    """Write the zip."""
    part = to.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in files(root):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), EPOCH)
            entry.external_attr = (LIBRARY_MODE if ".so" in path.name else FILE_MODE) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=6)
    part.replace(to)


def files(root: Path) -> list[Path]:
    """Every file, in order."""
    return sorted(
        (path for path in root.rglob("*") if path.is_file()), key=lambda path: path.relative_to(root).as_posix()
    )
