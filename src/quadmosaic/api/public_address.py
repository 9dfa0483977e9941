"""The address under which people know a service that stands behind a proxy or a CDN."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from quadmosaic.domain.errors import Invalid

FIELD = "PUBLIC_URL"


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicAddress:
    """`root` is the path below which the service lies, without a final slash."""

    scheme: str
    host: str
    root: str = ""


def parse_public_address(url: str) -> PublicAddress:
    """`https://maps.example.com` or `https://example.com/maps`. Raises Invalid (field "PUBLIC_URL")."""
    parts = urlsplit(url)
    is_odd = parts.query or parts.fragment or parts.username or any(letter.isspace() for letter in url)
    if parts.scheme not in ("http", "https") or not parts.hostname or is_odd:
        raise Invalid(f"{url!r} is no address; write https://maps.example.com", field=FIELD)
    return PublicAddress(scheme=parts.scheme, host=parts.netloc, root=parts.path.rstrip("/"))


class SpeakOf:
    """Lets the application see every request as one to the public address, whichever way it came."""

    def __init__(self, app: ASGIApp, address: PublicAddress) -> None:
        self.app = app
        self.address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            below = _below(_below(scope["path"], scope.get("root_path", "")), self.address.root)
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {
                **scope,
                "scheme": self.address.scheme,
                "headers": [(b"host", self.address.host.encode("latin-1")), *others],
                "path": self.address.root + below,
                "root_path": self.address.root,
            }
        await self.app(scope, receive, send)


def _below(path: str, root: str) -> str:
    """The path without a root that a proxy left in place."""
    return path.removeprefix(root) if f"{path}/".startswith(f"{root}/") else path
