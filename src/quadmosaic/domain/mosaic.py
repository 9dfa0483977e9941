"""Mosaic, recipe and version: a name with a recipe, built into immutable versions of which one is the head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from quadmosaic.domain.granules import Bounds, Granule, Header, Json, JsonObject, Refusal
from quadmosaic.domain.sources import Source

type Quadkey = str


type Compatibility = Literal["refuse", "skip", "group"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a build may become; one that would lose more than `max_shrink` of its granules or cells waits for a word."""

    max_granules: int | None = None
    max_cells: int | None = None
    max_shrink: float = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to build a mosaic.

    `tms` is an id or a TileMatrixSet document, None for the default; `order` is "source", "newest", "best-resolution"
    or the name of a property, with a leading "-" for descending; `assets` empty means the only one there is.
    `compatibility` is for files whose bands or data type are not those of most: refuse the build, skip the granule,
    or group them under an asset key of their own. `includes` (a FeatureCollection) and `excludes` (granule ids) are
    what people added and removed by hand.
    """

    source: Source
    assets: tuple[str, ...] = ()
    tms: str | JsonObject | None = None
    quadkey_zoom: int | Literal["auto"] = "auto"
    minzoom: int | None = None
    maxzoom: int | None = None
    order: str = "source"
    scan: bool = True
    compatibility: Compatibility = "skip"
    limits: Limits = field(default_factory=Limits)
    includes: JsonObject | None = None
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """What a mosaic is served with when the request does not say; `style` holds query parameters by name."""

    title: str | None = None
    description: str | None = None
    attribution: str | None = None
    asset: str | None = None
    style: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetProfile:
    """What the granules' files under one asset key have in common, from the header records that were read.

    `stretch` is a (low, high) pair of raw values per band for 8-bit views. Both are empty while nothing was read.
    """

    key: str
    count: int | None = None
    dtype: str | None = None
    nodata: float | None = None
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    descriptions: tuple[str, ...] = ()
    palette: dict[int, tuple[int, int, int, int]] | None = None
    stretch: tuple[tuple[float, float], ...] = ()
    resolution: float | None = None
    """Finest pixel size in metres on the ground."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """Quadkey -> granules, as positions in `granules`, best first. `headers` are by granule id and asset key.

    A large one has granules, cells and headers that are decoded when they are looked at.
    """

    grid_id: str
    zoom: int
    granules: Sequence[Granule]
    cells: Mapping[Quadkey, tuple[int, ...]]
    headers: Mapping[str, Mapping[str, Header]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a build did. `normalised` counts changes to footprints by their name, `unread` files without a header."""

    found: int = 0
    used: int = 0
    refused: tuple[Refusal, ...] = ()
    normalised: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    cells: int = 0
    granules_per_cell: tuple[int, int, int] = (0, 0, 0)
    """Median, 95th percentile and maximum."""
    advice: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """All of a version but its index.

    `bounds` and `center` are lon/lat degrees of the body; `tms` is the grid's document where it is not a known one.
    """

    body: str
    grid_id: str
    tms: JsonObject | None = None
    quadkey_zoom: int
    minzoom: int
    maxzoom: int
    bounds: Bounds
    center: tuple[float, float, int]
    assets: tuple[AssetProfile, ...]
    defaults: Defaults = field(default_factory=Defaults)
    recipe: Recipe | None = None
    report: Report = field(default_factory=Report)
    document: Mapping[str, Json] = field(default_factory=dict)
    """Keys of an imported MosaicJSON document that are not ours, returned on export."""
    software: str = ""
    created: str = ""

    @property
    def default_asset(self) -> str:
        return self.defaults.asset or self.assets[0].key

    def asset(self, key: str) -> AssetProfile | None:
        return next((asset for asset in self.assets if asset.key == key), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One immutable build: `number` is for people, `digest` (of the content) for machines."""

    name: str
    number: int
    digest: str
    manifest: Manifest

    @property
    def label(self) -> str:
        """`name@number`, the immutable way to say it."""
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class MosaicRef:
    """How a request names a mosaic: `name` for the head, `name@number` for a version."""

    name: str
    number: int | None = None
