"""What the routes work with: the use cases, handed over once by bootstrap."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from quadmosaic.domain.errors import Invalid, NotFound
from quadmosaic.domain.grids import Grid, load
from quadmosaic.domain.mosaic import Version
from quadmosaic.ports import MosaicStore
from quadmosaic.services.lookup import index_grid
from quadmosaic.services.mosaics import Mosaics

if TYPE_CHECKING:
    from quadmosaic.api.writes import Writes


@dataclass(frozen=True, kw_only=True)
class Services:
    """The use cases; `head_max_age_s` is how long clients may keep what a head answered."""

    store: MosaicStore
    mosaics: Mosaics
    max_granules: int
    head_max_age_s: int = 60
    viewer_assets: str | None = None
    writes: "Writes | None" = None


def services_of(request: Request) -> Services:
    """Those of this service."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    return services_of(request)


async def _version(mosaic: str, request: Request) -> Version:
    """`mosaic` is `name` for the head or `name@number` for a version."""
    return await services_of(request).mosaics.version(mosaic)


# FastAPI would call what is not async in another thread.
UsesServices = Annotated[Services, Depends(_services)]
OfVersion = Annotated[Version, Depends(_version)]


def grid_for(version: Version, tms: str) -> Grid:
    """A grid of the mosaic's own body, its index grid included. Raises NotFound or Invalid (field "tms")."""
    own = index_grid(version.manifest)
    if tms == own.id:
        return own
    try:
        grid = load(tms)
    except NotFound as error:
        raise Invalid(error.message, field="tms") from error
    if grid.body != version.manifest.body:
        raise Invalid(f"{tms} is a grid of {grid.body}, {version.name} lies on {version.manifest.body}", field="tms")
    return grid


def zooms_on(version: Version, grid: Grid) -> tuple[int, int]:
    """The mosaic's minzoom and maxzoom as zooms of `grid` with pixels at least as fine."""
    own, manifest = index_grid(version.manifest), version.manifest
    if grid is own:
        return manifest.minzoom, manifest.maxzoom
    metres = [own.resolution(zoom) * own.metres_per_unit for zoom in (manifest.minzoom, manifest.maxzoom)]
    return grid.zoom_for(metres[0]), grid.zoom_for(metres[1])
