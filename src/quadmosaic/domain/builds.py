"""Builds as records: how far each is, what it did, and what it differs in from the version before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

GET_USD = 0.4e-6
SECOND_USD = 1769 / 1024 * 0.0000133334
"""A function with one vCPU, and a GET of S3: what a build would cost on AWS."""


class Status(StrEnum):
    """Where a build is; the last four are final, but a held one may still be confirmed."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    HELD = "held"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self not in (Status.QUEUED, Status.RUNNING)


class Step(StrEnum):
    """The steps of a build, in order."""

    CRAWL = "crawl"
    SCAN = "scan"
    COVER = "cover"
    PUBLISH = "publish"
    DONE = "done"


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A granule that was left out, and why."""

    granule: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildReport:
    """What a build did, against the version that was published when it covered.

    `skipped` names the first few of `skipped_count`. `requests` and `bytes` are those of the catalog, of headers
    and of the sampled pixels; `cost_usd` is what time and requests cost on AWS. `held` says why a build waits for a
    word.
    """

    found: int = 0
    used: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    skipped: tuple[Skipped, ...] = ()
    skipped_count: int = 0
    cells: int = 0
    cells_changed: int = 0
    cells_removed: int = 0
    scanned: int = 0
    reused: int = 0
    unread: int = 0
    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    normalised: Mapping[str, int] = field(default_factory=dict)
    advice: str | None = None
    held: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Why a build failed, fit for the client; `status` is that of the error."""

    detail: str
    status: int
    field: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """One attempt to build the `revision`-th registration of a mosaic.

    `base` is the head when it began, `version` the number that it wrote. `worker` works on it until `leased_until`.
    Times are ISO 8601.
    """

    name: str
    id: str
    revision: int
    trigger: str
    status: Status = Status.QUEUED
    step: Step = Step.CRAWL
    created: str = ""
    started: str | None = None
    finished: str | None = None
    progress: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    messages: int = 0
    base: int | None = None
    version: int | None = None
    digest: str | None = None
    report: BuildReport | None = None
    fault: Fault | None = None
    confirmed: bool = False
    dry_run: bool = False
    rescan: bool = False
    worker: str | None = None
    leased_until: str | None = None


def cost_usd(*, seconds: float, requests: int) -> float:
    """What so much work costs on AWS, transfer excluded."""
    return round(seconds * SECOND_USD + requests * GET_USD, 6)


def shrinks_too_far(
    report: BuildReport, *, by_hand: int, granules_before: int, cells_before: int, max_shrink: float
) -> str | None:
    """Why a build should wait for a word: it would lose more than a share of the granules or cells.

    Of the granules so many are removed `by_hand`, for which someone gave their word already.
    """
    lost = report.removed - by_hand
    # Cells go with the granules that somebody removed.
    lost_cells = report.cells_removed if lost or not by_hand else 0
    for what, gone, before in (("granules", lost, granules_before), ("cells", lost_cells, cells_before)):
        if before and gone / before > max_shrink:
            return f"{gone} of {before} {what} would go, more than {max_shrink:.0%}: confirm the build to publish it"
    return None
