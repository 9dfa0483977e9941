"""A cache of immutable values, bounded in bytes: least recently used out first, one load per key at a time."""

from collections import OrderedDict
from collections.abc import Hashable

from quadmosaic.domain.flights import Flights, Load


class Cache:
    """Values by key; a load gives the value and its weight in bytes. Failed loads are not kept.

    A key must always mean the same value and type: the cache never forgets one because it changed.
    """

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._flights: Flights[object] = Flights()
        self.weight = 0

    async def get[T](self, key: Hashable, kind: type[T], load: Load[tuple[T, int]]) -> T:
        """The value, loaded now if it is not kept."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            value = entry[0]
        else:
            value = await self._flights.join(key, lambda: self._fill(key, load))
        if not isinstance(value, kind):
            raise TypeError(f"{key!r} holds a {type(value).__name__}, not a {kind.__name__}")
        return value

    async def _fill[T](self, key: Hashable, load: Load[tuple[T, int]]) -> T:
        value, weight = await load()
        if weight <= self._capacity:
            self._entries[key] = (value, weight)
            self.weight += weight
        while self.weight > self._capacity:
            _, (_, gone) = self._entries.popitem(last=False)
            self.weight -= gone
        return value
