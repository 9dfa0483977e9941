"""Which versions to keep: decided from what was listed, before anything is touched."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quadmosaic.storage.heads import Head


@dataclass(frozen=True, kw_only=True, slots=True)
class Stock:
    """All that lies in the current life of a mosaic; times are in seconds since the epoch.

    `records` and `writing` say when a version was recorded and when its writing began, `taken` when its number was
    taken, `bases` what an unpublished version builds on, `served` which versions were the head lately.
    """

    head: Head
    published: frozenset[int]
    served: frozenset[int]
    records: Mapping[int, float]
    writing: Mapping[int, float]
    taken: Mapping[int, float]
    bases: Mapping[int, int] = field(default_factory=dict)

    @property
    def known(self) -> frozenset[int]:
        """Versions that have left anything."""
        return frozenset(self.records) | frozenset(self.writing)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Keep the last `last` published versions, those since `young_since`, and what is written since `alive_since`."""

    last: int
    young_since: float
    alive_since: float


def kept(stock: Stock, rule: Rule) -> frozenset[int]:
    """The numbers that must stay: a published version, one that may be published yet, and what that one shares."""
    head = stock.head
    visible = sorted((n for n in stock.published if not head.swept(n)), reverse=True)
    stay = {*visible[: rule.last], *(n for n in visible if n in stock.served)}
    stay |= {n for n in visible if stock.records.get(n, 0.0) >= rule.young_since}
    if head.version is not None:
        stay.add(head.version)
    times = (stock.records, stock.writing, stock.taken)
    hidden = {n for known in times for n in known} - stock.published
    alive = {n for n in hidden if not head.swept(n) and max(t.get(n, 0.0) for t in times) >= rule.alive_since}
    bases = {stock.bases[n] for n in alive if n in stock.bases}
    return frozenset(stay | alive | {n for n in bases if not head.swept(n)})


def next_head(stock: Stock, stay: frozenset[int]) -> Head | None:
    """The head that announces the sweep; None where nothing more is swept by it."""
    goners = {n for n in stock.known - stay if not stock.head.swept(n)}
    if not goners:
        return None
    # Numbers beyond the listing belong to writers of this moment.
    floor = max(stock.head.floor, max(stock.known | stay) + 1)
    return stock.head.sweeping(floor=floor, kept=stay)
