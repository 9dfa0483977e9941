"""What a killed writer leaves in a local folder: half-written files beside the objects, and empty folders."""

import os
import re
from pathlib import Path

_STAGED = re.compile(r".*#\d+")
"""obstore writes `name#1` and renames it; a # in an object's own name is escaped."""


def clear_staging(folder: Path, before: float) -> int:
    """Remove half-written files last touched before that moment, and empty folders; answers how many files."""
    removed = 0
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if _STAGED.fullmatch(name) and _older(Path(parent, name), before):
                Path(parent, name).unlink(missing_ok=True)
                removed += 1
        for name in folders:
            _remove_empty(Path(parent, name), before)
    return removed


def _older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False


def _remove_empty(folder: Path, before: float) -> None:
    if _older(folder, before) and not any(folder.iterdir()):
        try:
            folder.rmdir()
        except OSError:
            # Someone just wrote into it, or removed it.
            return
