"""How much a deployment on AWS is used in a month: what a cost estimate assumes, with measured defaults."""

from dataclasses import dataclass, fields
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING

from quadmosaic.domain.access import AccessMode
from quadmosaic.domain.errors import Invalid

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Architecture(StrEnum):
    """Processors that Lambda has."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


def _check(part: "DataclassInstance", *, percents: tuple[str, ...] = ()) -> None:
    """Raises Invalid, the field named, for a number that is none, or negative, or a percentage above 100."""
    for name in (field.name for field in fields(part)):
        value = getattr(part, name)
        if isinstance(value, int | float) and not (isfinite(value) and value >= 0):
            raise Invalid("must be a number and not negative", field=name)
        if name in percents and value > 100:
            raise Invalid("is a percentage: at most 100", field=name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """What map users ask for; `hit_percent` of it is answered by the CDN, none without one."""

    tiles: float = 1_000_000
    cdn: bool = True
    hit_percent: float = 90.0
    reply_kb: float = 45.0
    waf: bool = False
    waf_rules: int = 3

    def __post_init__(self) -> None:
        _check(self, percents=("hit_percent",))

    @property
    def missed(self) -> float:
        """Tiles that are drawn."""
        return self.tiles * (1 - self.hit_percent / 100) if self.cdn else self.tiles


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """What drawing one tile takes of which nothing is remembered; `cold_percent` of tiles start a process.

    `tile_ms` are billed; `snapshots` are published versions that are kept, each with its snapshot; `first_units` are
    what a process reads before its first look-up.
    """

    tile_ms: float = 90.0
    memory_mb: int = 1769
    architecture: Architecture = Architecture.ARM64
    snapstart: bool = True
    snapshots: int = 1
    cold_percent: float = 1.0
    init_ms: float = 1500.0
    read_units: float = 7.2
    first_units: float = 13.0
    gets: float = 1.5
    read_kb: float = 550.0
    source: AccessMode = AccessMode.ANONYMOUS
    same_region: bool = True

    def __post_init__(self) -> None:
        _check(self, percents=("cold_percent",))


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """The mosaics, and how often each is built again; `changed` granules are new or replaced at each time."""

    mosaics: float = 1
    granules: float = 1000
    cells: float | None = None
    assets: float = 2
    rebuilds: float = 30
    changed: float = 10
    write_units_per_change: float = 120.0
    scan_ms: float = 200.0
    look_ms: float = 3.0
    scan_gets: float = 4.0
    builder_mb: int = 1769

    def __post_init__(self) -> None:
        _check(self)

    @property
    def cells_each(self) -> float:
        """Index cells of one mosaic; small frames touch three where nothing is said."""
        return 3.2 * self.granules if self.cells is None else self.cells


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """What is logged, traced and watched: `alarms` by the metrics they look at, `metrics` of our own.

    X-Ray traces one request a second, and `traced_percent` of the others.
    """

    log_kb: float = 1.5
    log_days: float = 30.0
    xray: bool = True
    traced_percent: float = 5.0
    alarms: int = 22
    metrics: int = 1
    dashboards: int = 1
    secrets: int = 1

    def __post_init__(self) -> None:
        _check(self, percents=("traced_percent",))


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """A month of a deployment."""

    traffic: Traffic = Traffic()
    drawing: Drawing = Drawing()
    holdings: Holdings = Holdings()
    watching: Watching = Watching()
