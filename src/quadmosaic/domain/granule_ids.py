"""Granule ids for files that come without one: the name of the file, and of its folders where names repeat."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

_FOLDERS = 3
"""How many folder names an id may borrow before it takes a digest."""


def granule_ids(hrefs: Iterable[str]) -> dict[str, str]:
    """One id per distinct href, the same whatever the order of the hrefs.

    `.../S1/dtm.tif` and `.../S2/dtm.tif` become `S1-dtm` and `S2-dtm`; files that no folder tells apart (`a.tif?v=1`
    and `a.tif?v=2`) end in a digest of their href.
    """
    names = {href: _names(href) for href in hrefs}
    depth = dict.fromkeys(names, 1)
    for _ in range(_FOLDERS):
        for href in _clashing(_joined(names, depth)):
            depth[href] += 1
    ids = _joined(names, depth)
    return ids | {href: f"{ids[href]}-{_digest(href)}".lstrip("-") for href in _clashing(ids)}


def _names(href: str) -> tuple[str, ...]:
    """Folders, the file without its suffix last; none of what is no address."""
    try:
        split = urlsplit(href)
    except ValueError:
        return ()
    path = PurePosixPath(unquote(split.path) or split.netloc)
    return (*(part for part in path.parts[:-1] if part != "/"), path.stem)


def _joined(names: dict[str, tuple[str, ...]], depth: dict[str, int]) -> dict[str, str]:
    return {href: "-".join(parts[-depth[href] :]) for href, parts in names.items()}


def _clashing(ids: dict[str, str]) -> list[str]:
    counts = Counter(ids.values())
    return [href for href, granule_id in ids.items() if not granule_id or counts[granule_id] > 1]


def _digest(href: str) -> str:
    return hashlib.sha256(href.encode()).hexdigest()[:8]
