"""Crawls: what a source gave, before it is put in order."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Harvest, Header, Refusal
from quadmosaic.domain.mosaic import Quadkey, Recipe, Report
from quadmosaic.services.compatibility import agree
from quadmosaic.services.manifests import version_report
from quadmosaic.services.spool import Granules, Headers

_MOST_SKIPPED = 1000
"""Granules whose files are remembered though the mosaic does not have them; those of others are read again."""


@dataclass(kw_only=True)
class Crawl:
    """What a source gave: granules in its order, refusals, counts, headers on the way.

    `groups` are asset keys that files got which are not like most; `skipped` are header records, by href, of files
    that are left out for that.
    """

    granules: Granules = field(default_factory=Granules)
    refused: list[Refusal] = field(default_factory=list)
    normalised: Counter[str] = field(default_factory=Counter)
    headers: Headers = field(default_factory=Headers)
    unread: int = 0
    groups: tuple[str, ...] = ()
    skipped: dict[str, Header] = field(default_factory=dict)

    def agree(self, recipe: Recipe) -> None:
        """Apply the recipe's policy to files whose bands or data type are not those of most."""
        agreed = agree(self.granules, self.headers, recipe.compatibility)
        for at, names in agreed.renamed.items():
            granule = self.granules[at]
            self.granules.change(at, replace(granule, hrefs=_renamed(granule.hrefs, names)))
            self.headers[granule.id] = _renamed(self.headers[granule.id], names)
        self.groups = agreed.groups
        for granule in (self.granules[at] for at in islice(agreed.refused, _MOST_SKIPPED)):
            known = self.headers[granule.id]
            self.skipped |= {href: known[key] for key, href in granule.hrefs.items() if key in known}
        self.leave_out(agreed.refused)
        self.refused += agreed.refused.values()

    def leave_out(self, positions: Collection[int]) -> None:
        """Take granules out, with their header records."""
        if positions:
            self.headers.drop(self.granules[at].id for at in positions)
            self.granules = self.granules.taken(at for at in range(len(self.granules)) if at not in positions)

    def add(self, answer: Harvest | Refusal) -> None:
        if isinstance(answer, Refusal):
            self.refused.append(answer)
            return
        self.granules.append(answer.granule)
        self.normalised.update(answer.normalised)
        if answer.headers:
            self.headers[answer.granule.id] = answer.headers

    def report(self, cells: Mapping[Quadkey, tuple[int, ...]], advice: str | None, *, seconds: float) -> Report:
        return version_report(
            cells,
            found=len(self.granules) + len(self.refused),
            refused=self.refused,
            normalised=self.normalised,
            unread=self.unread,
            advice=advice,
            seconds=seconds,
        )


def _renamed[T](by_asset: Mapping[str, T], names: Mapping[str, str]) -> dict[str, T]:
    return {names.get(key, key): value for key, value in by_asset.items()}


def require_granules(crawl: Crawl) -> None:
    """Raise Invalid (field "source") where there is none."""
    if not crawl.granules:
        reasons = "; ".join(f"{refusal.granule_id}: {refusal.reason}" for refusal in crawl.refused[:3])
        raise Invalid(f"the source gives no usable granule. {reasons}".strip(), field="source")
