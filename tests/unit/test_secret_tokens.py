"""Tokens of a secret: what is taken away there is refused soon, and nothing is believed that cannot be read."""

import json

import pytest

from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.tokens import VERBS, mint, token_document
from quadmosaic.triggers.secret_tokens import SecretTokens


class Vault:
    """A secret that others change, and a clock; `text` None is a secret out of reach."""

    def __init__(self, *ids: str) -> None:
        self.now, self.readings = 1000.0, 0
        self.text: str | None = None
        self.hold(*ids)

    def hold(self, *ids: str) -> None:
        minted = (mint(name, name.ljust(32).encode(), names=["*"], verbs=VERBS)[1] for name in ids)
        self.text = json.dumps([token_document(token) for token in minted])

    def read(self) -> str:
        self.readings += 1
        if self.text is None:
            raise Unavailable("the secret cannot be read")
        return self.text

    def tokens(self) -> SecretTokens:
        return SecretTokens(self.read, clock=lambda: self.now, fresh_s=60.0)


async def ids(tokens: SecretTokens) -> list[str]:
    return [token.id for token in await tokens.current()]


async def test_a_revoked_token_is_gone_after_a_minute_and_a_new_one_there() -> None:
    vault = Vault("old")
    tokens = vault.tokens()
    assert vault.readings == 0
    assert await ids(tokens) == ["old"]
    vault.hold("new")
    vault.now += 59
    assert (await ids(tokens), vault.readings) == (["old"], 1)
    vault.now += 1
    assert (await ids(tokens), await ids(tokens), vault.readings) == (["new"], ["new"], 2)


@pytest.mark.parametrize("broken", [None, "{", "[1]"])
async def test_a_secret_that_cannot_be_read_lets_nobody_write_until_it_can(broken: str | None) -> None:
    vault = Vault("old")
    tokens = vault.tokens()
    assert await ids(tokens) == ["old"]
    vault.text = broken
    vault.now += 60
    for _ in range(2):
        with pytest.raises(Unavailable):
            await tokens.current()
    vault.hold("old")
    assert await ids(tokens) == ["old"]


async def test_a_secret_that_means_nothing_is_told_to_whoever_writes_and_not_repeated_to_him() -> None:
    vault = Vault()
    vault.text = "swordfish"
    tokens = vault.tokens()
    with pytest.raises(Unavailable) as error:
        await tokens.current()
    assert "swordfish" not in str(error.value)
