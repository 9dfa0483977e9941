"""Paths as keys of a DynamoDB table: a folder is a partition and a name its sort key, but parts are spread.

A part lies in one of sixteen partitions by its digest, so neither a build nor a crowd of readers meets the limits of a
single partition; its sort key reads `{version}/{table}.{quadkey prefix}.{digest}`.
"""

import re
from dataclasses import dataclass

_PART = re.compile(r"(.*/parts)/(\d+/[^/]*([0-9a-f])[0-9a-f]{31})")
_PARTS = re.compile(r"(.*/parts)(?:/(\d+))?")
_SPREAD = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Key:
    """The primary key of one item."""

    partition: str
    sort: str


@dataclass(frozen=True, slots=True)
class Range:
    """The items of one partition whose sort keys begin with `prefix`."""

    partition: str
    prefix: str


def key_of(path: str) -> Key:
    part = _PART.fullmatch(path)
    if part is not None:
        return Key(f"{part[1]}#{part[3]}", part[2])
    folder, _, name = path.rpartition("/")
    return Key(folder or "/", name)


def path_of(key: Key) -> str:
    folder = key.partition.partition("#")[0]
    return key.sort if folder == "/" else f"{folder}/{key.sort}"


def ranges_of(folder: str) -> tuple[Range, ...]:
    """Where to look for all that lies below a folder; folders hold no folders but those of parts."""
    parts = _PARTS.fullmatch(folder)
    if parts is None:
        return (Range(folder, ""),)
    prefix = "" if parts[2] is None else f"{parts[2]}/"
    return tuple(Range(f"{parts[1]}#{shard}", prefix) for shard in _SPREAD)
