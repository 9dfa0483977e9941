"""Names of mosaics and references to their versions."""

import pytest

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.mosaic import MosaicRef
from quadmosaic.domain.names import is_name, parse_ref, validate_name


@pytest.mark.parametrize("name", ["a", "jezero", "0", "-", "a-b-9", "x" * 64])
def test_a_name_is_lower_case_letters_digits_and_hyphens(name: str) -> None:
    assert validate_name(name) == name
    assert is_name(name)
    assert parse_ref(name) == MosaicRef(name)
    assert parse_ref(f"{name}@12") == MosaicRef(name, 12)


@pytest.mark.parametrize("name", ["", "A", "a_b", "a.b", "a b", "ü", "x" * 65, "a\n", "a/b", "٣"])
def test_another_name_is_refused(name: str) -> None:
    assert not is_name(name)
    for text in (name, f"{name}@1"):
        with pytest.raises(Invalid) as refusal:
            parse_ref(text)
        assert refusal.value.field == "name"


@pytest.mark.parametrize("number", ["", "0", "01", "-1", "+1", "1.0", "x", "٣", "1 ", "1@2", "1" * 11, "1" * 5000])
def test_another_version_number_is_refused(number: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_ref(f"jezero@{number}")
    assert refusal.value.field == "version"
    assert len(str(refusal.value)) < 200
