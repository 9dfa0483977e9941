"""Names of mosaics as people type them: what a name may look like, and `name@number` for one version."""

import re

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.mosaic import MosaicRef

_NAME = re.compile(r"[a-z0-9-]{1,64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")


def is_name(text: str) -> bool:
    """Can a mosaic be called that?"""
    return _NAME.fullmatch(text) is not None


def validate_name(name: str) -> str:
    """The name itself. Raises Invalid for field "name"."""
    if not is_name(name):
        raise Invalid(
            f"{_shown(name)} is no mosaic name; use 1 to 64 lower-case letters, digits and hyphens", field="name"
        )
    return name


def parse_ref(text: str) -> MosaicRef:
    """`jezero` or `jezero@3`. Raises Invalid for field "name" or "version"."""
    name, separator, number = text.partition("@")
    validate_name(name)
    if not separator:
        return MosaicRef(name)
    if _NUMBER.fullmatch(number) is None:
        raise Invalid(f"{_shown(number)} is no version number; use {name}@1, {name}@2, ...", field="version")
    return MosaicRef(name, int(number))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")
