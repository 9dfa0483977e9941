"""Builds of a mosaic: history, progress, rebuilding now, letting a held one through; and granules by hand."""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from quadmosaic.api.guard import UsesWrites, may
from quadmosaic.api.registry import NO_CACHE, DryRun, IfMatch, Name, Prefer, seen, wait_of
from quadmosaic.api.registry_documents import build_document, report_document
from quadmosaic.api.schemas import GranulesBody
from quadmosaic.api.urls import absolute
from quadmosaic.domain.builds import Build
from quadmosaic.domain.errors import NotFound
from quadmosaic.domain.names import parse_ref

router = APIRouter(tags=["builds"])

BuildId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$", description="a build's id")]


@router.get("/mosaics/{mosaic}/builds")
async def builds(
    request: Request,
    writes: UsesWrites,
    mosaic: Name,
    after: Annotated[str | None, Query(description="where the list goes on, from a next link")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="entries of one page")] = 20,
) -> Response:
    """The builds of a mosaic, newest first."""
    name = parse_ref(mosaic).name
    await writes.registry.registered(name)
    page = await writes.registry.jobs.builds(name, after=after, limit=limit)
    links = []
    if page.next is not None:
        query = urlencode({"after": page.next, "limit": limit})
        links.append({"rel": "next", "href": absolute(request, f"/mosaics/{name}/builds?{query}")})
    listed = [build_document(request, build) for build in page.items]
    return JSONResponse({"builds": listed, "links": links}, headers=NO_CACHE)


@router.get("/mosaics/{mosaic}/builds/{build}")
async def build(request: Request, writes: UsesWrites, mosaic: Name, build: BuildId) -> Response:
    """A build's progress, and its report once it is over."""
    found = await writes.registry.jobs.build(parse_ref(mosaic).name, build)
    return JSONResponse(build_document(request, found.build), headers=NO_CACHE)


@router.post("/mosaics/{mosaic}/builds", status_code=201, dependencies=[Depends(may("build"))])
async def rebuild(
    request: Request,
    writes: UsesWrites,
    mosaic: Name,
    dry_run: DryRun = False,
    rescan: Annotated[bool, Query(description="ask after every file whether it is still the same")] = False,
    prefer: Prefer = None,
) -> Response:
    """Build now: 201 when it is over already, 202 when it is under way."""
    registered = await writes.registry.registered(mosaic)
    if dry_run:
        report = await writes.registry.rehearse_build(registered, rescan=rescan)
        return JSONResponse({"dry_run": True, "report": report_document(report)}, headers=NO_CACHE)
    registered = await writes.registry.adopted(registered)
    started = await writes.rebuilds.start(registered, trigger="manual", rescan=rescan, wait_s=wait_of(prefer))
    return _started(request, started)


@router.post("/mosaics/{mosaic}/builds/{build}/confirm", dependencies=[Depends(may("build"))])
async def confirm(request: Request, writes: UsesWrites, mosaic: Name, build: BuildId) -> Response:
    """Let a build through that is held because the mosaic would shrink."""
    found = await writes.rebuilds.confirm(mosaic, build)
    return _started(request, found, status=200)


@router.post("/mosaics/{mosaic}/granules", status_code=201, dependencies=[Depends(may("granules"))])
async def add_granules(
    request: Request,
    writes: UsesWrites,
    mosaic: Name,
    body: GranulesBody,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """Add granules, which every later build includes, and build."""
    registered = await writes.registry.adopted(await writes.registry.as_expected(mosaic, seen(if_match)))
    granules = body.model_dump(exclude_unset=True)
    return _started(request, await writes.rebuilds.include(registered, granules, wait_s=wait_of(prefer)))


@router.delete("/mosaics/{mosaic}/granules/{granule:path}", dependencies=[Depends(may("granules"))])
async def remove_granule(
    request: Request,
    writes: UsesWrites,
    mosaic: Name,
    granule: str,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """Remove a granule, which every later build excludes, and build."""
    registered = await writes.registry.adopted(await writes.registry.as_expected(mosaic, seen(if_match)))
    if not await writes.registry.has_granule(registered, granule):
        raise NotFound(f"{mosaic} has no granule {granule[:200]!r}")
    return _started(request, await writes.rebuilds.exclude(registered, granule, wait_s=wait_of(prefer)), status=200)


def _started(request: Request, found: Build, *, status: int = 201) -> Response:
    """The build: `status` when it is over, 202 and where to look after it when it is not."""
    document: dict[str, Any] = build_document(request, found)
    location = absolute(request, f"/mosaics/{found.name}/builds/{quote(found.id)}")
    headers = {"Location": location, **NO_CACHE}
    return JSONResponse(document, status if found.status.is_over else 202, headers=headers)
