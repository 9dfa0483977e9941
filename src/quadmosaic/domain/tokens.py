"""Write tokens: what one may do and to which mosaics, kept as a digest of its secret."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

from quadmosaic.domain.errors import Invalid

type Verb = Literal["register", "edit", "build", "publish", "granules", "delete"]

VERBS: tuple[Verb, ...] = get_args(Verb.__value__)
FIELD = "TOKENS"
_PREFIX = "qm_"
_DIGEST = "sha256:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """`digest` is that of the secret; `names` are patterns like `jezero-*`."""

    id: str
    digest: str
    names: tuple[str, ...] = ("*",)
    verbs: tuple[Verb, ...] = VERBS

    def permits(self, verb: Verb, name: str) -> bool:
        """May it do that to the mosaic of that name?"""
        return verb in self.verbs and any(fnmatchcase(name, pattern) for pattern in self.names)


def mint(token_id: str, randomness: bytes, *, names: Sequence[str], verbs: Sequence[str]) -> tuple[str, Token]:
    """A new secret and its token; `randomness` is at least 32 bytes, so that a plain digest of it is safe to keep."""
    if len(randomness) < 32:
        raise Invalid("must be at least 32 bytes", field="randomness")
    secret = _PREFIX + randomness.hex()
    token = _token({"id": token_id, "hash": _digest(secret), "names": list(names), "verbs": list(verbs)}, 0)
    return secret, token


def holder(tokens: Sequence[Token], secret: str) -> Token | None:
    """The token of a secret, in a time that does not tell which one it was nearly."""
    digest = _digest(secret)
    found = [token for token in tokens if hmac.compare_digest(token.digest, digest)]
    return found[0] if found else None


def parse_tokens(text: str) -> tuple[Token, ...]:
    """A JSON list of `{"id", "hash", "names", "verbs"}`. Raises Invalid (field "TOKENS"), which repeats no digest."""
    try:
        document = json.loads(text)
    except ValueError:
        raise Invalid("is no JSON", field=FIELD) from None
    if not isinstance(document, list):
        raise Invalid("must be a list of tokens", field=FIELD)
    tokens = tuple(_token(entry, position) for position, entry in enumerate(document))
    if len({token.id for token in tokens}) < len(tokens):
        raise Invalid("has an id twice", field=FIELD)
    return tokens


def token_document(token: Token) -> dict[str, object]:
    """The JSON that `parse_tokens` reads; it does not hold the secret."""
    return {"id": token.id, "hash": token.digest, "names": list(token.names), "verbs": list(token.verbs)}


def _digest(secret: str) -> str:
    return _DIGEST + hashlib.sha256(secret.encode()).hexdigest()


def _token(entry: object, position: int) -> Token:
    field = f"{FIELD}[{position}]"
    if not isinstance(entry, dict):
        raise Invalid("must be an object with id and hash", field=field)
    token_id, digest = entry.get("id"), entry.get("hash")
    if not isinstance(token_id, str) or not token_id:
        raise Invalid("must be a text", field=f"{field}.id")
    if not isinstance(digest, str) or not digest.startswith(_DIGEST) or len(digest) != len(_DIGEST) + 64:
        raise Invalid("must be sha256: and 64 hex digits, as `quadmosaic tokens` prints them", field=f"{field}.hash")
    names, verbs = entry.get("names", ["*"]), entry.get("verbs", list(VERBS))
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names) or not names:
        raise Invalid("must be a list of names or patterns", field=f"{field}.names")
    if not isinstance(verbs, list) or not set(verbs) <= set(VERBS) or not verbs:
        raise Invalid(f"must be some of {', '.join(VERBS)}", field=f"{field}.verbs")
    return Token(id=token_id, digest=digest.lower(), names=tuple(names), verbs=tuple(verbs))
