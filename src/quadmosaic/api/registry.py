"""The registry: mosaics registered, read, given a new recipe or other defaults, and deleted."""

import re
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from quadmosaic.api.caching import cache_control, etag, not_modified
from quadmosaic.api.documents import version_info
from quadmosaic.api.guard import IsWriter, UsesWrites, may, require
from quadmosaic.api.registry_documents import (
    build_document,
    mosaic_document,
    mosaic_etag,
    report_document,
)
from quadmosaic.api.schemas import ChangesBody, MosaicJsonBody, PostBody, RegistrationBody, ReplacementBody
from quadmosaic.api.services import Services, UsesServices
from quadmosaic.api.urls import absolute
from quadmosaic.api.writes import Writes
from quadmosaic.domain.errors import Invalid, NotFound, Stale
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.mosaic import MosaicRef, Version
from quadmosaic.domain.names import parse_ref
from quadmosaic.domain.registrations import Registration, parse_registration
from quadmosaic.services.receipts import Receipt, once
from quadmosaic.services.registry import State

router = APIRouter(tags=["registry"])

Name = Annotated[str, Path(description="the mosaic's name")]
DryRun = Annotated[bool, Query(description="report what it would do, and change nothing")]
IfMatch = Annotated[str | None, Header(description="the ETag that the mosaic must still have")]
Prefer = Annotated[str | None, Header(description="respond-async: do not wait for the build")]

_TAG = re.compile(r'(?<!W/)"r(\d+)v(\d+)\.[0-9a-f]*"')
"""A strong one: weak tags never match where something is to be changed."""
_SLUG = re.compile(r"[^a-z0-9]+")
NO_CACHE = {"Cache-Control": "no-cache"}


@router.get("/mosaics/{mosaic}")
async def read(request: Request, services: UsesServices, mosaic: str) -> Response:
    """A mosaic's published version, its registration and schedule; or one version, as `name@number`."""
    ref = parse_ref(mosaic)
    if ref.number is not None or services.writes is None:
        version = await services.store.version(ref)
        control = cache_control(mosaic, head_max_age_s=services.head_max_age_s)
        tag = etag(version, "info")
        document = version_info(version)
    else:
        document = await described(request, services, services.writes, ref.name)
        tag = mosaic_etag(document)
        is_published = document["version"] is not None
        control = cache_control(mosaic, head_max_age_s=services.head_max_age_s) if is_published else "no-cache"
    headers = {"ETag": tag, "Cache-Control": control}
    return not_modified(request, tag, control) or JSONResponse(document, headers=headers)


@router.post("/mosaics", status_code=201)
async def register(
    request: Request,
    services: UsesServices,
    writes: UsesWrites,
    writer: IsWriter,
    body: PostBody,
    name: Annotated[str | None, Query(description="name for a bare MosaicJSON document")] = None,
    dry_run: DryRun = False,
    idempotency_key: Annotated[str | None, Header(description="repeats of a request are answered alike")] = None,
    prefer: Prefer = None,
) -> Response:
    """Register a mosaic, or a bare MosaicJSON document: 201 when it was built at once, 202 when it is being built.

    The same recipe under the same name is answered with 200, another one with 409.
    """
    registration = _registration(body, name)
    require(writer, "register", registration.name)
    if dry_run:
        return _report(await writes.registry.rehearse(registration))
    key = None if idempotency_key is None else once(f"{writer.id} {idempotency_key}", body.model_dump(), name)
    receipt = await writes.registry.register(registration, once=key, wait_s=wait_of(prefer))
    return await _receipt(request, services, writes, receipt)


@router.put("/mosaics/{mosaic}", dependencies=[Depends(may("edit"))])
async def replace(
    request: Request,
    services: UsesServices,
    writes: UsesWrites,
    writer: IsWriter,
    mosaic: Name,
    body: ReplacementBody,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """Give a mosaic another recipe, and build it; what was added and removed by hand stays unless the body says."""
    document = body.model_dump(exclude_unset=True, exclude_none=True)
    if document.setdefault("name", mosaic) != mosaic:
        raise Invalid(f"is {document['name']!r}, and the address says {mosaic!r}", field="name")
    try:
        recipe = (await writes.registry.registered(mosaic)).registration.recipe
    except NotFound:
        require(writer, "register", mosaic)
        if if_match is not None:
            raise Stale(f"there is no mosaic named {mosaic!r} any more") from None
    else:
        document.setdefault("excludes", list(recipe.excludes))
        if recipe.includes is not None:
            document.setdefault("includes", recipe.includes)
    registration = parse_registration(document)
    if dry_run:
        return _report(await writes.registry.rehearse_replacement(registration, expected=seen(if_match)))
    receipt = await writes.registry.replace(registration, expected=seen(if_match), wait_s=wait_of(prefer))
    return await _receipt(request, services, writes, receipt)


@router.patch("/mosaics/{mosaic}", dependencies=[Depends(may("edit"))])
async def change(
    request: Request,
    services: UsesServices,
    writes: UsesWrites,
    mosaic: Name,
    body: ChangesBody,
    if_match: IfMatch = None,
) -> Response:
    """Change title, description, attribution, defaults or schedule; other defaults become a version of their own."""
    changes: JsonObject = body.model_dump(exclude_unset=True)
    await writes.registry.change(mosaic, changes, expected=seen(if_match))
    return _described(await described(request, services, writes, mosaic), 200)


@router.delete("/mosaics/{mosaic}", status_code=204, dependencies=[Depends(may("delete"))])
async def delete(writes: UsesWrites, mosaic: Name, if_match: IfMatch = None) -> Response:
    """Delete a mosaic with all its versions and builds."""
    await writes.registry.delete(mosaic, expected=seen(if_match))
    return Response(status_code=204)


@router.post("/mosaics/{mosaic}/versions/{version}/publish", dependencies=[Depends(may("publish"))])
async def publish(
    request: Request,
    services: UsesServices,
    writes: UsesWrites,
    mosaic: Name,
    version: Annotated[int, Path(ge=1, le=9_999_999_999)],
    if_match: IfMatch = None,
) -> Response:
    """Go back, or forward, to a version that was published before."""
    await writes.registry.publish(mosaic, version, expected=seen(if_match))
    return _described(await described(request, services, writes, mosaic), 200)


async def described(request: Request, services: Services, writes: Writes, name: str) -> dict[str, Any]:
    """The document of a mosaic. Raises NotFound."""
    registered = await writes.registry.registered(name)
    version = await _head(services, name)
    builds = await writes.registry.jobs.builds(name, limit=1)
    return mosaic_document(
        request,
        registered,
        version,
        next_run=writes.registry.next_run(registered.registration),
        last_build=builds.items[0] if builds.items else None,
    )


async def _head(services: Services, name: str) -> Version | None:
    try:
        return await services.store.version(MosaicRef(name))
    except NotFound:
        return None


async def _receipt(request: Request, services: Services, writes: Writes, receipt: Receipt) -> Response:
    """201 for what is there now, 202 for what is being built, 200 for what was there."""
    build = receipt.build
    if build is not None and not build.status.is_over:
        location = absolute(request, f"/mosaics/{receipt.name}/builds/{quote(build.id)}")
        return JSONResponse(build_document(request, build), 202, headers={"Location": location, **NO_CACHE})
    document = await described(request, services, writes, receipt.name)
    return _described(document, 201 if receipt.is_new else 200)


def _described(document: dict[str, Any], status: int) -> Response:
    headers = {"ETag": mosaic_etag(document), "Location": document["urls"]["self"], **NO_CACHE}
    return JSONResponse(document, status, headers=headers)


def _report(report: Any) -> Response:
    return JSONResponse({"dry_run": True, "report": report_document(report)}, headers=NO_CACHE)


def _registration(body: RegistrationBody | MosaicJsonBody, name: str | None) -> Registration:
    if isinstance(body, RegistrationBody):
        document = body.model_dump(exclude_none=True)
        if name is not None and name != document["name"]:
            raise Invalid(f"is {document['name']!r}, and the query says {name!r}", field="name")
        return parse_registration(document)
    chosen = name or _SLUG.sub("-", (body.name or "").lower()).strip("-")[:64]
    if not chosen:
        raise Invalid("is missing: give the document a name, or ?name=", field="name")
    source: JsonObject = {"type": "mosaicjson", "document": body.model_dump(exclude_unset=True)}
    return parse_registration({"name": chosen, "source": source})


def seen(if_match: str | None) -> frozenset[State] | None:
    """The states that If-Match stands for, None where any will do."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset((int(found[1]), int(found[2]) or None) for found in _TAG.finditer(if_match))


def wait_of(prefer: str | None) -> float | None:
    return 0.0 if prefer is not None and "respond-async" in prefer.lower() else None
