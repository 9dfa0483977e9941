"""How API Gateway's HTTP API finds the route of a request: the most specific one, greedy variables last."""

import re
from collections.abc import Iterable

_RANKS = (("+}", 2), ("}", 1))


def route_of(keys: Iterable[str], method: str, path: str) -> str | None:
    """The key of the route, like `GET /mosaics/{mosaic}`; None where the gateway itself answers 404."""
    found = [key for key in keys if key.partition(" ")[0] == method and _pattern(key).fullmatch(path)]
    return min(found, key=_rank, default=None)


def _pattern(key: str) -> re.Pattern[str]:
    path = key.partition(" ")[2]
    parts = re.split(r"(\{\w+\+?\})", path)
    return re.compile(
        "".join(".+" if part.endswith("+}") else "[^/]+" if part.endswith("}") else re.escape(part) for part in parts)
    )


def _rank(key: str) -> tuple[bool, list[int]]:
    """Exact routes before greedy ones; then literals before variables, from the left."""
    segments = key.partition(" ")[2].split("/")
    return key.endswith("+}"), [
        next((rank for end, rank in _RANKS if segment.endswith(end)), 0) for segment in segments
    ]
