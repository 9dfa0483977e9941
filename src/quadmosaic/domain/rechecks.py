"""Rechecks: which files that are known a build asks after again, so that each has its turn within so many days."""

from datetime import date
from hashlib import blake2b


def shares_due(*, days: int, last: date | None, today: date) -> frozenset[int]:
    """The shares, of `days`, whose turn came after `last`; one share a day, and none where `days` is 0."""
    if days < 1 or last is None:
        return frozenset()
    passed = min(max((today - last).days, 0), days)
    return frozenset((today.toordinal() - back) % days for back in range(passed))


def share_of(granule_id: str, *, days: int) -> int:
    """The share a granule belongs to, for good."""
    hashed = blake2b(granule_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed, "big") % days
