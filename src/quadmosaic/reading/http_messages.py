"""What comes back from http hosts, how long it may take, and from where it may come."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

CONNECT_S, REQUEST_S = 5, 20

type Permits = Callable[[str], bool]
"""May a connection to that IP address be used?"""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpReply:
    """Header names are in lower case; there is a body only with 200 and 206."""

    status: int
    headers: Mapping[str, str]
    body: bytes
