"""The address of a file on an http or https host, as a request needs it."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.%]+", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_SAFE = "/%:@!$&'()*+,;=~?"
"""What an address may hold as it is, with what is escaped in it already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAddress:
    """`target` is path and query; `headers` name the host and hold the login of the href, if it has one."""

    scheme: str
    host: str
    port: int
    target: str
    headers: Mapping[str, str]

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom to connect to."""
        return self.scheme, self.host, self.port


def parse_address(href: str) -> HttpAddress:
    """Raises ValueError for what is no address of a host."""
    parts = urlsplit(href)
    host = (parts.hostname or "").encode("idna").decode()
    if _HOST.fullmatch(host) is None:
        raise ValueError("no host")
    path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE)
    named = (f"[{host}]" if ":" in host else host) + ("" if parts.port is None else f":{parts.port}")
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    authorization = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    return HttpAddress(
        scheme=parts.scheme,
        host=host,
        port=parts.port or _PORTS[parts.scheme],
        target=f"{path}?{query}" if query else path,
        headers={"Host": named} | (authorization if parts.username is not None else {}),
    )
