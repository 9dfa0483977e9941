"""The three things quadmosaic needs from the outside: a store, a reader of granules, and a catalog of sources.

Read this page first. Services and routes know these protocols only; `bootstrap` chooses the adapters. The contract
suites in `tests/contract` say in detail what an adapter owes.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Harvest, Header, Refusal
from quadmosaic.domain.mosaic import Index, Manifest, MosaicRef, Quadkey, Version
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
        """Write a complete version that nobody sees until it is published."""
        ...

    async def publish(self, ref: MosaicRef, *, expected: int | None) -> None:
        """Move the head to `ref` if it still is `expected` (None: there is no head yet), else Conflict."""
        ...

    async def delete(self, name: str) -> None:
        """Remove the mosaic and all its versions."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """How to read: `bidx` are 1-based bands, None for all but alpha; `nodata` overrides the files' own.

    `resampling` is used between resolutions, `reproject` between CRSs (rasterio's names). After `timeout_s` seconds
    the granules still being read count as failed.
    """

    asset: str
    bidx: tuple[int, ...] | None = None
    nodata: float | None = None
    unscale: bool = False
    resampling: str = "nearest"
    reproject: str = "nearest"
    timeout_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layer:
    """One granule read into a GeoBox.

    `bands` is (band, height, width) in the file's dtype (float32 once unscaled), `mask` is (height, width), True where
    the pixel is valid, `weight` is (height, width) in 0..1 where a reader blends, else None.
    """

    granule: Granule
    bands: npt.NDArray[np.generic]
    mask: npt.NDArray[np.bool_]
    band_names: tuple[str, ...]
    nodata: float | None = None
    weight: npt.NDArray[np.float32] | None = None
    palette: Mapping[int, tuple[int, int, int, int]] | None = None


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A granule that could not be read, and a reason fit for the client."""

    granule: Granule
    reason: str


class GranuleReader(Protocol):
    """Pixels of granules, read into one GeoBox."""

    def read(
        self, granules: Sequence[Granule], geobox: GeoBox, options: ReadOptions
    ) -> AsyncGenerator[Layer | ReadFailure, None]:
        """One answer per granule, in order, while later ones are read already; closing the stream stops all reads."""
        ...

    async def scan(self, href: str) -> Header:
        """The header record. Raises Unavailable when out of reach, Invalid when it is no usable raster."""
        ...


class Catalog(Protocol):
    """Turns a source into a stream of granules."""

    def harvest(
        self, source: Source, *, assets: Sequence[str], body: str | None
    ) -> AsyncGenerator[Harvest | Refusal, None]:
        """Granules in the source's own order.

        Keeps the hrefs of `assets` (empty: the only raster asset there is); refuses granules of another body.
        """
        ...
