"""Parts of a sorted table: where to cut it by key prefix, and which parts hold a key or a prefix."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec

_AFTER_ALL = "\U0010ffff"


class PartRef(msgspec.Struct, array_like=True, frozen=True):
    """One part: all keys of the table that begin with `prefix`, its content's digest, and how many keys it holds.

    `owner` is the number of the version that wrote it, 0 while nobody has.
    """

    prefix: str
    digest: bytes
    count: int
    owner: int = 0


def split(keys: Sequence[str], weights: Sequence[int], *, limit: int) -> Iterator[tuple[str, slice]]:
    """Cut sorted, unique keys into runs of a common prefix that weigh at most `limit`; a heavier key stands alone.

    The cut depends on the keys and weights below a prefix alone, so a small change moves few of them.
    """
    if not keys:
        return
    sums = [0, *accumulate(weights)]
    todo = [("", 0, len(keys))]
    while todo:
        prefix, start, stop = todo.pop()
        if sums[stop] - sums[start] <= limit or stop - start == 1:
            yield prefix, slice(start, stop)
        elif keys[start] == prefix:
            yield prefix, slice(start, start + 1)
            todo.extend(reversed(_children(keys, prefix, start + 1, stop)))
        else:
            todo.extend(reversed(_children(keys, prefix, start, stop)))


def _children(keys: Sequence[str], prefix: str, start: int, stop: int) -> list[tuple[str, int, int]]:
    found = []
    while start < stop:
        longer = keys[start][: len(prefix) + 1]
        end = bisect_left(keys, longer + _AFTER_ALL, start, stop)
        found.append((longer, start, end))
        start = end
    return found


class PartTable:
    """The parts of one table, in key order; a key lies in the part with the longest prefix that it begins with."""

    def __init__(self, refs: Sequence[PartRef]) -> None:
        self.refs = tuple(refs)
        self._prefixes = [ref.prefix for ref in self.refs]
        self._by_prefix = dict(zip(self._prefixes, self.refs, strict=True))
        self._longest = max(map(len, self._prefixes), default=0)

    def holding(self, key: str) -> PartRef | None:
        """The part that has `key`, if any has."""
        lengths = range(min(len(key), self._longest), -1, -1)
        found = (self._by_prefix.get(key[:length]) for length in lengths)
        return next((ref for ref in found if ref is not None), None)

    def below(self, prefix: str) -> tuple[PartRef, ...]:
        """The parts that have keys beginning with `prefix`, in order."""
        start = bisect_left(self._prefixes, prefix)
        stop = bisect_left(self._prefixes, prefix + _AFTER_ALL, start)
        if start < stop:
            return self.refs[start:stop]
        around = self.holding(prefix)
        return () if around is None else (around,)

    def beyond(self, key: str) -> tuple[PartRef, ...]:
        """The parts that can have keys sorting behind `key`, in order."""
        later = self.refs[bisect_right(self._prefixes, key) :]
        around = self.holding(key)
        return later if around is None else (around, *later)
