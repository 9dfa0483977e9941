"""What quadmosaic needs from the outside: a store, a reader of granules, a catalog of sources; and to build by itself,
a ledger of what was registered and built, a queue and a scheduler.

Read this page first. Services and routes know these protocols only; `bootstrap` chooses the adapters. The contract
suites in `tests/contract` say in detail what an adapter owes.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Harvest, Header, JsonObject, Refusal
from quadmosaic.domain.mosaic import Index, Manifest, MosaicRef, Quadkey, Version
from quadmosaic.domain.schedules import Schedule
from quadmosaic.domain.sources import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Page[T]:
    """Part of a listing; `next` goes into the following call's `after`, None at the end."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """Granule lists by cell, in cell order; `cut` is true when a stated bound left some cells out."""

    cells: Mapping[Quadkey, tuple[Granule, ...]]
    cut: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What differs between two versions: granules by id, cells by quadkey, each sorted.

    A granule has changed where its own content or a header record did, a cell where its list of granules did.
    """

    granules_added: tuple[str, ...] = ()
    granules_removed: tuple[str, ...] = ()
    granules_changed: tuple[str, ...] = ()
    cells_added: tuple[Quadkey, ...] = ()
    cells_removed: tuple[Quadkey, ...] = ()
    cells_changed: tuple[Quadkey, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepReport:
    """What a sweep removed: versions that were published, versions that never were, and objects or items in all."""

    published: tuple[str, ...] = ()
    unpublished: tuple[str, ...] = ()
    objects: int = 0


KEEP_VERSIONS = 10
KEEP_YOUNGER = timedelta(days=7)
SPARE = timedelta(hours=1)


class MosaicStore(Protocol):
    """Versions of mosaics: written invisibly, published by one atomic step, immutable ever after.

    Raises NotFound for unknown names and numbers, Conflict for a lost race, Unavailable when the engine is down,
    Broken for a format newer than this code.
    """

    async def mosaics(self, *, after: str | None = None, limit: int = 100) -> Page[str]:
        """Names that have a head, in order."""
        ...

    async def head(self, name: str) -> int:
        """The published version's number."""
        ...

    async def version(self, ref: MosaicRef) -> Version:
        """A published or pinned version; a ref without a number means the head."""
        ...

    async def versions(self, name: str, *, after: str | None = None, limit: int = 100) -> Page[Version]:
        """History, newest first."""
        ...

    async def write(self, name: str, manifest: Manifest, index: Index) -> Version:
        """Write a complete version that nobody sees until it is published.

        Writes nothing and answers the head's version where that has the same content already.
        """
        ...

    async def publish(self, ref: MosaicRef, *, expected: int | None) -> None:
        """Move the head to `ref` if it still is `expected` (None: there is no head yet), else Conflict."""
        ...

    async def delete(self, name: str) -> None:
        """Remove the mosaic and all its versions; what was written before cannot be published any more.

        That holds for a name without a head too, for which it raises NotFound.
        """
        ...

    async def lookup(self, version: Version, cells: Collection[Quadkey]) -> Lookup:
        """The granules of exactly these cells; a cell without granules is left out."""
        ...

    async def lookup_prefix(self, version: Version, prefixes: Collection[Quadkey], *, limit: int) -> Lookup:
        """The granules of all cells below these ancestors, at most `limit` cells of each."""
        ...

    async def granules(self, version: Version, *, after: str | None = None, limit: int = 100) -> Page[Granule]:
        """Every granule once, in a stable order."""
        ...

    async def headers(self, version: Version, granule_ids: Collection[str], asset: str) -> Mapping[str, Header]:
        """Header records by granule id, for those that have one."""
        ...

    async def index(self, version: Version) -> Index:
        """The whole index, for exports; not for the tile path."""
        ...

    async def changes(self, old: Version, new: Version) -> Changes:
        """What `new` has that `old` has not, and the other way round; cheap where they share much."""
        ...

    async def sweep(
        self,
        name: str | None = None,
        *,
        keep: int = KEEP_VERSIONS,
        younger_than: timedelta = KEEP_YOUNGER,
        spare: timedelta = SPARE,
    ) -> SweepReport:
        """Remove old versions, what killed writers left, and nothing that a version which stays needs.

        Of one mosaic or of all stay the head, the last `keep` published versions, those written or served as the head
        less than `younger_than` ago, and whatever was begun or was the head less than `spare` ago.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """How to read: `bidx` are 1-based bands, None for all but alpha; `nodata` overrides the files' own.

    `resampling` is used between resolutions, `reproject` between CRSs (rasterio's names). After `timeout_s` seconds
    the granules still being read count as failed. `until_full` says that the first valid value of a pixel is the one
    that counts, so that a granule need not be read where better ones are valid.
    """

    asset: str
    bidx: tuple[int, ...] | None = None
    nodata: float | None = None
    unscale: bool = False
    resampling: str = "nearest"
    reproject: str = "nearest"
    timeout_s: float | None = None
    until_full: bool = False


NO_HEADERS: Mapping[str, Header] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layer:
    """One granule read into a GeoBox.

    `bands` is (band, height, width) in the file's dtype (float32 once unscaled), `valid` says which of its values are
    valid: (1, height, width) where that is so of all bands alike, else (band, height, width). `weight` is (height,
    width) in 0..1 where a reader blends, else None.
    """

    granule: Granule
    bands: npt.NDArray[np.generic]
    valid: npt.NDArray[np.bool_]
    band_names: tuple[str, ...]
    nodata: float | None = None
    weight: npt.NDArray[np.float32] | None = None
    palette: Mapping[int, tuple[int, int, int, int]] | None = None

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Where any band is valid, (height, width)."""
        return valid_pixels(self.valid)


def valid_pixels(valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where any band is valid, (height, width), of (band, height, width)."""
    return valid[0] if len(valid) == 1 else np.asarray(valid.any(axis=0))


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A granule that could not be read, and a reason fit for the client."""

    granule: Granule
    reason: str


class GranuleReader(Protocol):
    """Pixels of granules, read into one GeoBox."""

    def read(
        self,
        granules: Sequence[Granule],
        geobox: GeoBox,
        options: ReadOptions,
        *,
        headers: Mapping[str, Header] = NO_HEADERS,
    ) -> AsyncGenerator[Layer | ReadFailure, None]:
        """One answer per granule, in order, while later ones are read already; closing the stream stops all reads.

        `headers` are the records of the asset by granule id, as far as the index has them.
        """
        ...

    async def scan(self, href: str) -> Header:
        """The header record. Raises Unavailable when out of reach, Invalid when it is no usable raster."""
        ...

    async def etag(self, href: str) -> str | None:
        """What tells this content of the file from another, without reading it; None where nothing does."""
        ...


type Scan = Callable[[str], Awaitable[Header]]
"""`GranuleReader.scan`, or what stands in for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HarvestPage:
    """Part of a source's answers; `next` is where the following call goes on, None at the end.

    `bytes` and `requests` are what it took to read, without the headers of files.
    """

    answers: tuple[Harvest | Refusal, ...]
    next: JsonObject | None
    bytes: int = 0
    requests: int = 0


class Catalog(Protocol):
    """Turns a source into a stream of granules."""

    def harvest(
        self, source: Source, *, assets: Sequence[str], body: str | None
    ) -> AsyncGenerator[Harvest | Refusal, None]:
        """Granules in the source's own order.

        Keeps the hrefs of `assets` (empty: the only raster asset there is); refuses granules of another body.
        """
        ...

    def pages(
        self,
        source: Source,
        *,
        assets: Sequence[str],
        body: str | None,
        after: JsonObject | None = None,
        scan: Scan | None = None,
    ) -> AsyncGenerator[HarvestPage, None]:
        """The same page by page, going on behind the `next` of an earlier page, in another process if need be.

        A granule that an earlier page had may come again then. `scan` gives the headers of files that the source does
        not place, in place of the catalog's own way to them, and counts itself what these take.
        """
        ...

    async def document(self, href: str, *, max_bytes: int) -> bytes:
        """A MosaicJSON document's bytes. Raises Unavailable, TooLarge, or Invalid (field "source.href")."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a stream, counted from 1."""

    number: int
    body: bytes


class Ledger(Protocol):
    """Streams of records that are only ever appended to; the last record says how things are.

    A stream's name is a path of parts of a-z, 0-9 and hyphens. Raises Unavailable when the engine is down.
    """

    async def last(self, stream: str) -> Entry | None:
        """The latest record, None where the stream does not exist."""
        ...

    async def entry(self, stream: str, number: int) -> bytes | None:
        """One record."""
        ...

    async def append(self, stream: str, body: bytes, *, after: int) -> int:
        """Add the record that follows number `after` (0: the first). Raises Conflict when someone else did."""
        ...

    async def remove(self, stream: str) -> None:
        """Remove a stream; one that is gone already is no error."""
        ...

    async def trim(self, stream: str, *, below: int) -> None:
        """Remove the records with lower numbers, but never the last one."""
        ...


class Queue(Protocol):
    """Takes messages about builds to a worker, at least once each."""

    async def send(self, *, mosaic: str, build: str, delay_s: int = 0) -> None:
        """Have a worker go on with the build."""
        ...


class Scheduler(Protocol):
    """Starts builds when their time has come."""

    async def put(self, mosaic: str, schedule: Schedule | None, *, since: datetime) -> None:
        """Set the mosaic's schedule, or take it away with None; repeating it changes nothing."""
        ...


@runtime_checkable
class Connected(Protocol):
    """What an adapter offers besides, if it keeps clients and connections."""

    def connect(self) -> None:
        """Make the clients now, which the first call would have to wait for; nothing is sent."""
        ...

    def disconnect(self) -> None:
        """Forget connections and whatever holds for seconds only: the process has slept, and is perhaps a copy."""
        ...
