"""XML documents from their templates, every value escaped."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def render_xml(template: str, values: Mapping[str, object]) -> str:
    """The document; floats are written so that they read back as the same."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "Environment":
    # Not imported above: a process that only draws tiles starts without it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("quadmosaic.api", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["exact"] = repr
    return environment
