"""Records to bytes and back: msgpack with one spelling per content, digests of it, and zlib around it."""

import zlib
from hashlib import blake2b

import msgspec

from quadmosaic.domain.errors import Broken, Invalid

_DIGEST_BYTES = 16
_LEVEL = 1
"""A fifth of level 6's time; block tables get no larger for it, granules by a sixth."""
_ordered = msgspec.msgpack.Encoder(order="deterministic")
_plain = msgspec.msgpack.Encoder()


def encode(record: object, *, field: str) -> bytes:
    """The record's only spelling: mappings are sorted by key. Raises Invalid for what no store can hold."""
    return _encode(_ordered, record, field)


def encode_as_is(record: object, *, field: str) -> bytes:
    """The record with its mappings in their own order, which may have keys other than text."""
    return _encode(_plain, record, field)


def _encode(encoder: msgspec.msgpack.Encoder, record: object, field: str) -> bytes:
    try:
        return encoder.encode(record)
    except OverflowError as error:
        raise Invalid("holds a whole number beyond 64 bits; write it as text", field=field) from error
    except UnicodeEncodeError as error:
        raise Invalid("holds text that is not valid Unicode (a lone surrogate)", field=field) from error


def digest(raw: bytes) -> bytes:
    """Names the content, whatever compresses it."""
    return blake2b(raw, digest_size=_DIGEST_BYTES).digest()


def content_digest(value: object, *, field: str) -> str:
    """The digest of any value of the domain, as text."""
    plain = msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True, order="deterministic")
    return digest(encode(plain, field=field)).hex()


def compress(raw: bytes) -> bytes:
    return zlib.compress(raw, _LEVEL)


def expand(body: bytes, *, path: str) -> bytes:
    """Raises Broken for damaged bytes."""
    try:
        return zlib.decompress(body)
    except zlib.error as error:
        raise Broken(f"{path} in the store is damaged") from error


def decode[T](raw: bytes, kind: type[T], *, path: str) -> T:
    """Raises Broken for bytes that are not such a record."""
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{path} in the store is damaged: it holds no {kind.__name__}") from error
