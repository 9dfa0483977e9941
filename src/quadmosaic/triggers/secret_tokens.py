"""Write tokens kept in a secret, read again after a while so that a revoked one is refused soon."""

import asyncio
import logging
from collections.abc import Callable

from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.tokens import Token, parse_tokens

log = logging.getLogger(__name__)

FRESH_S = 60.0


class SecretTokens:
    """The tokens of the secret that `read` gives, at most `fresh_s` seconds old by `clock`; read when first asked for,
    so that a secret that cannot be read keeps nobody from reading mosaics.
    """

    def __init__(self, read: Callable[[], str], *, clock: Callable[[], float], fresh_s: float = FRESH_S) -> None:
        self._read, self._clock, self._fresh_s = read, clock, fresh_s
        self._tokens: tuple[Token, ...] = ()
        self._since = float("-inf")

    async def current(self) -> tuple[Token, ...]:
        """Raises Unavailable where the secret cannot be read or understood: what was valid before may not be now."""
        now = self._clock()
        if now - self._since >= self._fresh_s:
            try:
                self._tokens = parse_tokens(await asyncio.to_thread(self._read))
            except Invalid as error:
                log.error("the secret with the write tokens: %s", error)
                raise Unavailable("the write tokens cannot be understood") from error
            self._since = now
        return self._tokens
