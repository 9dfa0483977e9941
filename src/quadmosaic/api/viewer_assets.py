"""The third-party files of the viewer: their pinned versions, their hashes, and where pages load them from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from quadmosaic.domain.errors import Invalid, NotFound

CDN = "https://cdn.jsdelivr.net"
VENDOR_PATH = "viewer/vendor"


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewerAsset:
    """One file of an npm package; `integrity` is the subresource hash of exactly this version's file."""

    kind: Literal["script", "style"]
    package: str
    version: str
    path: str
    integrity: str

    @property
    def local_path(self) -> str:
        """Where npm puts it, below node_modules."""
        return f"{self.package}/{self.path}"

    @property
    def cdn_url(self) -> str:
        return f"{CDN}/npm/{self.package}@{self.version}/{self.path}"


ASSETS = (
    ViewerAsset(
        kind="style",
        package="ol",
        version="10.11.0",
        path="ol.css",
        integrity="sha384-Jpg1uvTciFJuHq+90Ly0/2SKRT9yS5OhbIN5FuFoFWji9fc44ok8xxO88CJi8Z5W",
    ),
    ViewerAsset(
        kind="script",
        package="proj4",
        version="2.22.0",
        path="dist/proj4.js",
        integrity="sha384-RCBbAm8IhfOOoFV7vqUhspSb+BCSvVSd84WJpv5VMq4rNiXJ88VMHtndxQntlbnd",
    ),
    ViewerAsset(
        kind="script",
        package="ol",
        version="10.11.0",
        path="dist/ol.js",
        integrity="sha384-rwbCGPbgxLkcQaFvIra1Vz3KBT1yBeF2/1VgLs/gCCNCJ61GHJGimHpkufVKcqap",
    ),
)
"""In the order in which pages load them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """What a page needs for one file."""

    kind: Literal["script", "style"]
    url: str
    integrity: str


def viewer_scripts(*, local: bool, base_url: str = "/") -> tuple[Tag, ...]:
    """The tags of a page: from the CDN, or from the service at `base_url` (with its final slash) itself."""
    return tuple(
        Tag(
            kind=asset.kind,
            url=f"{base_url}{VENDOR_PATH}/{asset.local_path}" if local else asset.cdn_url,
            integrity=asset.integrity,
        )
        for asset in ASSETS
    )


def vendor_file(folder: Path, path: str) -> Path:
    """The file behind `viewer/vendor/{path}`: one of the pinned ones and nothing else. Raises NotFound."""
    known = {asset.local_path for asset in ASSETS}
    if path not in known or not (folder / path).is_file():
        raise NotFound(f"the viewer has no file {path!r}")
    return folder / path


def check_vendor(folder: Path) -> None:
    """Raise Invalid (field "VIEWER_ASSETS") unless the folder holds every pinned file, so that serving can begin."""
    missing = [asset.local_path for asset in ASSETS if not (folder / asset.local_path).is_file()]
    if missing:
        raise Invalid(
            f"{folder} lacks {', '.join(missing)}: run npm ci and name its node_modules", field="VIEWER_ASSETS"
        )
