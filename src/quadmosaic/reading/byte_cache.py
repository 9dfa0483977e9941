"""A cache bounded in bytes: least recently used out first."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator


class ByteCache[K: Hashable, V]:
    """Values by key, each with its weight in bytes; for use by one thread, the event loop's.

    A key must always mean the same value, but a value may be forgotten with `drop`.
    """

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.weight = 0

    def __iter__(self) -> Iterator[K]:
        """The keys, least recently used first."""
        return iter(self._entries)

    def get(self, key: K) -> V | None:
        """The value, which becomes the most recently used one."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, *, weight: int) -> None:
        """Keep a value, at the cost of the least recently used ones; one that is larger than the cache is not kept."""
        self.drop(key)
        if weight > self._capacity:
            return
        self._entries[key] = (value, weight)
        self.weight += weight
        while self.weight > self._capacity:
            _, (_, gone) = self._entries.popitem(last=False)
            self.weight -= gone

    def drop(self, key: K) -> None:
        """Forget a value."""
        _, weight = self._entries.pop(key, (None, 0))
        self.weight -= weight
