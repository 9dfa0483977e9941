"""Write tokens: minted, kept as digests, and held to their names and verbs."""

import json

import pytest

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.tokens import VERBS, holder, mint, parse_tokens, token_document

RANDOM = bytes(range(32))


def test_a_minted_secret_is_known_by_its_token_alone() -> None:
    secret, token = mint("ci", RANDOM, names=["jezero-*"], verbs=["build"])
    _, other = mint("other", RANDOM[::-1], names=["*"], verbs=VERBS)
    tokens = parse_tokens(json.dumps([token_document(token), token_document(other)]))
    assert holder(tokens, secret) == token
    assert holder(tokens, secret[:-1]) is None
    assert holder(tokens, "") is None
    assert secret not in json.dumps(token_document(token))


def test_a_token_is_held_to_its_names_and_verbs() -> None:
    _, token = mint("ci", RANDOM, names=["jezero-*", "moon"], verbs=["build", "granules"])
    assert token.permits("build", "jezero-dtm")
    assert token.permits("granules", "moon")
    assert not token.permits("delete", "jezero-dtm")
    assert not token.permits("build", "jezero")
    assert not token.permits("build", "moon-2")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "TOKENS"),
        ("{}", "TOKENS"),
        ("[1]", "TOKENS[0]"),
        ('[{"hash": "x"}]', "TOKENS[0].id"),
        ('[{"id": "a", "hash": "plain-secret"}]', "TOKENS[0].hash"),
        (json.dumps([{"id": "a", "hash": "sha256:" + "0" * 64, "verbs": ["fly"]}]), "TOKENS[0].verbs"),
        (json.dumps([{"id": "a", "hash": "sha256:" + "0" * 64, "names": []}]), "TOKENS[0].names"),
        (json.dumps([{"id": "a", "hash": "sha256:" + "0" * 64}] * 2), "TOKENS"),
    ],
)
def test_faults_are_named_without_the_secret(text: str, field: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_tokens(text)
    assert raised.value.field == field
    assert "plain-secret" not in str(raised.value)


def test_little_randomness_is_refused() -> None:
    with pytest.raises(Invalid):
        mint("ci", b"short", names=["*"], verbs=VERBS)
