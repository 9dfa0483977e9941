"""What a person sees on standard error while a command works."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from quadmosaic.domain.mosaic import Report
from quadmosaic.services.builds import Progress as OnProgress
from quadmosaic.services.builds import silent

SHOWN_REFUSALS = 10


@contextmanager
def progress_bars(*, quiet: bool) -> Iterator[OnProgress]:
    """Bars on standard error, one per step; nothing at all when quiet."""
    if quiet:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=False) as bars:
        steps: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int | None) -> None:
            if step not in steps:
                steps[step] = bars.add_task(step, total=total)
            bars.update(steps[step], completed=done, total=total)

        yield show


def tell(report: Report, *, quiet: bool) -> None:
    """What a build did: granules, cells, advice, and every kind of change and refusal."""
    if quiet:
        return
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    median, p95, most = report.granules_per_cell
    console.print(
        f"{report.used} of {report.found} granules in {report.cells} cells "
        f"({median} a cell in the median, {p95} at the 95th percentile, {most} at most), {report.seconds:.1f} s"
    )
    if report.advice:
        console.print(report.advice)
    for change, count in report.normalised.items():
        console.print(f"footprints normalised ({change}): {count}")
    if report.unread:
        console.print(f"files whose header could not be read: {report.unread}")
    for refusal in report.refused[:SHOWN_REFUSALS]:
        console.print(f"refused {refusal.granule_id}: {refusal.reason}")
    if len(report.refused) > SHOWN_REFUSALS:
        console.print(f"... and {len(report.refused) - SHOWN_REFUSALS} more refused")
