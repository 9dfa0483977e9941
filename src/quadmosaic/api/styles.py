"""Styles of registrations: a mosaic's own image parameters, checked before anyone asks for an image."""

from collections.abc import Mapping

from pydantic import ValidationError

from quadmosaic.api.params import ImageParams, image_request
from quadmosaic.domain.errors import Invalid

_DRAWN = frozenset({"expression", "colormap", "colormap_name", "color_formula"})
"""What only the libraries that draw can judge."""


def check_style(style: Mapping[str, str], *, can_draw: bool = True) -> None:
    """Raise Invalid, naming `defaults.{parameter}`, for what every request for an image would fail with.

    Where nothing is drawn (`can_draw` false) colours and expressions are left to the builder.
    """
    unknown = style.keys() - ImageParams.model_fields.keys()
    if unknown:
        known = ", ".join(sorted(ImageParams.model_fields))
        raise Invalid(f"is no parameter of an image; there are {known}", field=f"defaults.{min(unknown)}")
    given = {key: value for key, value in style.items() if can_draw or key not in _DRAWN}
    try:
        image_request(ImageParams(), given)
    except Invalid as error:
        raise Invalid(error.message, field=f"defaults.{error.field}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(str(first["msg"]), field=f"defaults.{first['loc'][0]}") from error
