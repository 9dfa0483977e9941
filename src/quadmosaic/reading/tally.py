"""Counts of what the fast reader did, for metrics and benchmarks."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class Tally:
    """Since the reader began: granules read fast, left out as covered, and read by the fallback, by reason.

    `blocks` were decoded, `cached_blocks` were not; `requests` fetched `fetched_bytes`.
    """

    fast: int = 0
    covered: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    fetched_bytes: int = 0
    blocks: int = 0
    cached_blocks: int = 0
