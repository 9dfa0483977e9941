"""Routes for the files that the viewer's pages load."""

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from quadmosaic.api.services import UsesServices
from quadmosaic.api.viewer_assets import VENDOR_PATH, vendor_file
from quadmosaic.domain.errors import NotFound

router = APIRouter(include_in_schema=False)

MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
VENDOR_CACHE = "public, max-age=86400"


@router.get(f"/{VENDOR_PATH}/{{path:path}}")
async def vendor(services: UsesServices, path: str) -> FileResponse:
    """A pinned third-party file, where the service was told a folder with them."""
    if services.viewer_assets is None:
        raise NotFound("this service loads the viewer's libraries from a CDN")
    found = vendor_file(Path(services.viewer_assets), path)
    return FileResponse(found, media_type=MEDIA_TYPES[found.suffix], headers={"Cache-Control": VENDOR_CACHE})


@router.get("/viewer/{name}")
async def own_file(request: Request, name: str) -> Response:
    """One of the viewer's own scripts and styles."""
    content, tag = _read(name)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=MEDIA_TYPES[Path(name).suffix], headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    folder = resources.files("quadmosaic.api") / "viewer" / "static"
    contents = {entry.name: entry.read_bytes() for entry in folder.iterdir() if Path(entry.name).suffix in MEDIA_TYPES}
    return {
        name: (content, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')
        for name, content in contents.items()
    }


def _read(name: str) -> tuple[bytes, str]:
    if name not in _files():
        raise NotFound(f"the viewer has no file {name!r}")
    return _files()[name]
