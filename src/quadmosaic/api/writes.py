"""What write routes work with, and who may use them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quadmosaic.domain.tokens import Token
from quadmosaic.services.rebuilds import Rebuilds
from quadmosaic.services.registry import Registry

type CurrentTokens = Callable[[], Awaitable[tuple[Token, ...]]]
"""The tokens of this moment. May raise Unavailable."""


@dataclass(frozen=True, kw_only=True)
class Writes:
    """`is_open` lets in requests without a token that come from this very machine; `by_gateway` lets in those, and only
    those, that an authorizer of API Gateway let in.
    """

    registry: Registry
    rebuilds: Rebuilds
    tokens: CurrentTokens
    is_open: bool = False
    by_gateway: bool = False
