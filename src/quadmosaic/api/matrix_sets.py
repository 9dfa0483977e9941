"""Tile matrix sets: which there are, by body, and their definitions."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from quadmosaic.api.services import Services, UsesServices, grid_for
from quadmosaic.api.urls import absolute
from quadmosaic.domain import bodies, grids
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.grids import load

router = APIRouter(tags=["ogc"])

DEFINITIONS_MAX_AGE_S = 86_400
_PAGE = 1000


@router.get("/tileMatrixSets")
async def matrix_sets(
    request: Request,
    services: UsesServices,
    body: Annotated[str | None, Query(description="like Mars; the bodies of all mosaics when absent")] = None,
) -> dict[str, object]:
    """Tile matrix sets of a body, by name: there are a thousand, and reading them all would take a minute."""
    listed = await _bodies(services) if body is None else (_known_body(body),)
    return {"tileMatrixSets": [_listed(request, name, grid_id) for name in listed for grid_id in grids.ids(name)]}


@router.get("/tileMatrixSets/{tms}")
async def matrix_set(
    services: UsesServices,
    tms: str,
    mosaic: Annotated[str | None, Query(description="the mosaic whose own set it is, where it is no known one")] = None,
) -> JSONResponse:
    """A definition, as OGC's TileMatrixSet 2.0 JSON."""
    grid = load(tms) if mosaic is None else grid_for(await services.mosaics.version(mosaic), tms)
    return JSONResponse(grid.document, headers={"Cache-Control": f"public, max-age={DEFINITIONS_MAX_AGE_S}"})


async def _bodies(services: Services) -> tuple[str, ...]:
    found: set[str] = set()
    after: str | None = None
    while True:
        page = await services.mosaics.page(after=after, limit=_PAGE)
        found.update(version.manifest.body for version in page.items)
        if page.next is None:
            return tuple(sorted(found))
        after = page.next


def _known_body(text: str) -> str:
    name = bodies.body_named(text)
    if name is None:
        raise Invalid(f"there is no body named {text!r}", field="body")
    return name


def _listed(request: Request, body: str, grid_id: str) -> dict[str, object]:
    href = absolute(request, f"/tileMatrixSets/{grid_id}")
    links = [{"rel": "self", "href": href, "type": "application/json", "title": f"definition of {grid_id}"}]
    return {"id": grid_id, "title": grid_id, "body": body, "links": links}
