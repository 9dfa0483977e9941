"""Scanning: the header records of a mosaic's files, read concurrently, and the granules that are ruled out."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyproj

from quadmosaic.domain import bodies
from quadmosaic.domain.errors import Invalid, QuadmosaicError
from quadmosaic.domain.granules import Granule, Header, Refusal
from quadmosaic.ports import GranuleReader

CONCURRENT_SCANS = 16

type Headers = Mapping[str, Mapping[str, Header]]
"""By granule id and asset key."""


@dataclass(kw_only=True)
class Scan:
    """Headers that were read, granules that cannot be, and how many files did not answer.

    The `foreign` ones of the refused lie on another body.
    """

    headers: dict[str, dict[str, Header]] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unread: int = 0


async def scan_files(
    reader: GranuleReader,
    granules: Sequence[Granule],
    known: Headers,
    *,
    body: str,
    on_file: Callable[[int, int], None],
) -> Scan:
    """Read the header of every file whose record is not `known`, at most CONCURRENT_SCANS at once.

    A file out of reach is counted and left for the reader to try; one that must not be fetched, is no raster or lies on
    another body refuses its granule.
    """
    scan = Scan(headers={granule_id: dict(records) for granule_id, records in known.items()})
    waiting = [
        (granule, key, href)
        for granule in granules
        for key, href in granule.hrefs.items()
        if key not in scan.headers.get(granule.id, {})
    ]
    places = asyncio.Semaphore(CONCURRENT_SCANS)
    refused: dict[str, str] = {}
    done = 0

    async def read(granule: Granule, key: str, href: str) -> None:
        nonlocal done
        try:
            async with places:
                scan.headers.setdefault(granule.id, {})[key] = await reader.scan(href)
        except Invalid as error:
            refused.setdefault(granule.id, f"asset {key!r}: {error.message}")
        except QuadmosaicError:
            scan.unread += 1
        done += 1
        on_file(done, len(waiting))

    async with asyncio.TaskGroup() as tasks:
        for granule, key, href in waiting:
            tasks.create_task(read(granule, key, href))
    foreign = _foreign(granules, scan.headers, body)
    scan.refused = [*(Refusal(*each) for each in refused.items()), *foreign]
    scan.foreign = [refusal.granule_id for refusal in foreign]
    return scan


def _foreign(granules: Sequence[Granule], headers: Headers, body: str) -> list[Refusal]:
    """Granules whose files say that they lie on another body."""
    bodies_of_crs = {
        header.crs: bodies.body_of(pyproj.CRS(header.crs))
        for records in headers.values()
        for header in records.values()
    }
    refusals = []
    for granule in granules:
        found = {bodies_of_crs[header.crs] for header in headers.get(granule.id, {}).values()} - {body, None}
        if found:
            refusals.append(Refusal(granule.id, f"lies on {found.pop()}, and the mosaic on {body}"))
    return refusals
