"""Registrations and builds as JSON that clients see; no signature or token is in them."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from fastapi import Request

from quadmosaic.api.documents import version_info, without_secrets
from quadmosaic.api.urls import absolute
from quadmosaic.domain import grids
from quadmosaic.domain.builds import Build, BuildReport, Status
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.mosaic import Version
from quadmosaic.domain.registrations import Registration, registration_document
from quadmosaic.domain.sources import MosaicJsonSource
from quadmosaic.services.jobs import Registered

LONGEST_LIST = 100_000
"""Bytes of features or hrefs that a reply repeats: one of Lambda's ends at six million."""
_HIDDEN = ("worker", "leased_until", "base", "confirmed")


def mosaic_document(
    request: Request,
    registered: Registered,
    version: Version | None,
    *,
    next_run: datetime | None,
    last_build: Build | None,
) -> dict[str, Any]:
    """A mosaic: its published version, its registration, its schedule and where everything is."""
    registration = registered.registration
    told = {"name": registration.name, "version": None} if version is None else version_info(version)
    schedule = None
    if registration.schedule is not None:
        schedule = {
            "expression": registration.schedule.expression,
            "timezone": registration.schedule.timezone,
            "next_run": None if next_run is None else next_run.isoformat(),
        }
    return {
        **told,
        "revision": registered.revision,
        "registration": public_registration(registration),
        "schedule": schedule,
        "last_build": None if last_build is None else build_document(request, last_build),
        "urls": mosaic_urls(request, registration.name, version),
    }


def build_document(request: Request, build: Build) -> dict[str, Any]:
    """A build's progress and report."""
    plain: dict[str, Any] = msgspec.to_builtins(build)
    document = {key: value for key, value in plain.items() if key not in _HIDDEN and value is not None}
    fault = document.pop("fault", None)
    if fault is not None:
        document["error"] = {key: value for key, value in fault.items() if value is not None}
    if build.report is not None:
        document["report"] = report_document(build.report)
    base = absolute(request, f"/mosaics/{build.name}")
    urls = {"self": f"{base}/builds/{build.id}", "mosaic": base}
    if build.status is Status.HELD:
        urls["confirm"] = f"{base}/builds/{build.id}/confirm"
    return {**document, "urls": urls}


def report_document(report: BuildReport) -> dict[str, Any]:
    """What a build did, or would do."""
    plain: dict[str, Any] = msgspec.to_builtins(report)
    return {key: value for key, value in plain.items() if value is not None}


def mosaic_urls(request: Request, name: str, version: Version | None) -> Mapping[str, str]:
    """Where everything of a mosaic is."""
    base = absolute(request, f"/mosaics/{name}")
    urls = {"self": base, "builds": f"{base}/builds"}
    if version is None:
        return urls
    tms = grids.default_map_grid(version.manifest.body)
    return urls | {
        "map": f"{base}/{tms}/map.html",
        "tiles": f"{base}/tiles/{tms}/{{z}}/{{x}}/{{y}}.png",
        "tilejson": f"{base}/{tms}/tilejson.json",
        "wmts": f"{base}/WMTSCapabilities.xml?tms={tms}",
        "gdal": f"{base}/{tms}/gdal.xml?service=tms&tile_format=tif",
        "preview": f"{base}/preview.png",
        "mosaicjson": f"{base}/mosaic.json",
        "granules": f"{base}/granules",
        "versions": f"{base}/versions",
    }


def public_registration(registration: Registration) -> JsonObject:
    """The registration without secrets, and without what would make the reply as large as the mosaic."""
    document = registration_document(registration)
    source, includes = document["source"], document.get("includes")
    if isinstance(registration.recipe.source, MosaicJsonSource) and registration.recipe.source.document is not None:
        document["source"] = {"type": "mosaicjson"}
    elif isinstance(source, dict):
        document["source"] = _short(source)
    if isinstance(includes, dict):
        document["includes"] = _short(includes)
    return document


def _short(told: JsonObject) -> JsonObject:
    """A source or a collection without secrets; with a `count` instead of features or hrefs where these are long."""
    held = told.get("features") or told.get("hrefs")
    listed = held.get("features") if isinstance(held, dict) else held
    if not isinstance(listed, list) or len(msgspec.json.encode(held)) <= LONGEST_LIST:
        public: JsonObject = without_secrets(told)
        return public
    return {**{key: value for key, value in told.items() if value is not held}, "count": len(listed)}


def mosaic_etag(document: Mapping[str, Any]) -> str:
    """Which registration and which head it is of, which If-Match goes by, and a digest of all that was told."""
    digest = hashlib.blake2b(json.dumps(document, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()
    return f'"r{document["revision"]}v{document["version"] or 0}.{digest}"'
