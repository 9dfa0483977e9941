"""Doubts: which known files are asked after, although the source says nothing new of them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime

from quadmosaic.domain.builds import Build, Status
from quadmosaic.domain.mosaic import Version
from quadmosaic.domain.rechecks import share_of, shares_due
from quadmosaic.services.jobs import Jobs

RECHECK_DAYS = 30
_RECENT = 20

type IsDoubtful = Callable[[str, Collection[str]], bool]
"""Asked with what names a file or a granule, and its hrefs."""


@dataclass(frozen=True, kw_only=True)
class Doubts:
    """Each file is asked after again every `recheck_days` days (0: never), and those of `stale` hrefs at once."""

    jobs: Jobs
    stale: Callable[[], Collection[str]] = frozenset
    recheck_days: int = RECHECK_DAYS
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def of(self, build: Build, head: Version | None) -> IsDoubtful:
        """Those of one build; a rescan doubts everything."""
        if build.rescan:
            return lambda _name, _hrefs: True
        last = None if head is None else await self._last_build(build, head)
        days = self.recheck_days
        due, stale = shares_due(days=days, last=last, today=self.now().date()), frozenset(self.stale())
        return lambda name, hrefs: (bool(due) and share_of(name, days=days) in due) or not stale.isdisjoint(hrefs)

    async def _last_build(self, build: Build, head: Version) -> date:
        """When a build last came to its end."""
        for each in (await self.jobs.builds(build.name, limit=_RECENT)).items:
            if each.id != build.id and each.status in (Status.SUCCEEDED, Status.UNCHANGED) and each.finished:
                return datetime.fromisoformat(each.finished).date()
        return datetime.fromisoformat(head.manifest.created).date()
