"""Settings: each is in the documentation's table with its default, each row of the table is a setting."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from quadmosaic.config import Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
ROW = re.compile(r"^\| `QUADMOSAIC_(\w+)` \| (.*?) \|", re.MULTILINE)


def documented() -> dict[str, str]:
    return {name.lower(): default for name, default in ROW.findall(PAGE.read_text())}


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    assert set(documented()) == set(Settings.model_fields)


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if name != "buckets"])
def test_the_documented_default_is_the_default(name: str) -> None:
    default = Settings.model_fields[name].default
    text = documented()[name].strip("`")
    match default:
        case None:
            assert text
        case bool():
            assert text == str(default).lower()
        case int() | float():
            assert float(text) == default
        case tuple():
            assert text.split(",") == list(default)
        case _:
            assert text == default


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description or field.metadata for field in Settings.model_fields.values())


def test_the_environment_is_read_under_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADMOSAIC_STORE", "memory://")
    monkeypatch.setenv("QUADMOSAIC_CORS_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("QUADMOSAIC_BUCKETS", '{"ard": {"region": "eu-west-1", "mode": "signed"}}')
    settings = Settings()
    assert settings.store == "memory://"
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert (settings.buckets["ard"].region, settings.buckets["ard"].mode) == ("eu-west-1", "signed")


@pytest.mark.parametrize(
    ("name", "value"),
    [("CACHE_MB", "0"), ("MAX_GRANULES", "-1"), ("TILE_DEADLINE_S", "0"), ("BUCKETS", '{"a": {"mode": "free"}}')],
)
def test_a_setting_out_of_range_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"QUADMOSAIC_{name}", value)
    with pytest.raises(ValidationError):
        Settings()
