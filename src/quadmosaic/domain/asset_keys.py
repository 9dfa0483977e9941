"""Asset keys: that of files which come without one, in a plain list, a feature's property or a MosaicJSON document."""

from collections.abc import Sequence

from quadmosaic.domain.errors import Invalid

DEFAULT_ASSET = "data"


def only_asset(assets: Sequence[str], *, fault: str, field: str) -> str:
    """The key for such files: the only one there is. Raises Invalid with the fault where there are several."""
    if len(assets) > 1:
        raise Invalid(fault, field=field)
    return assets[0] if assets else DEFAULT_ASSET
