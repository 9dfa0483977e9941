"""Bodies of requests, as pydantic checks their shape; what their values mean is the domain's to say."""

from typing import Annotated, Any, Literal

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

REGISTRATION, MOSAICJSON = "(registration)", "(mosaicjson)"
"""Tags of a POST's two bodies; a fault's field is told without them."""

_SOURCE = (
    '{"type": "stac", "href", "search", "max_items"}, {"type": "features", "features", "property"}, '
    '{"type": "cogs", "hrefs"} or {"type": "mosaicjson", "document" or "href"}'
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChangesBody(_Strict):
    """What a PATCH may change; null takes it away."""

    title: Annotated[str | None, Field(description="title for people")] = None
    description: Annotated[str | None, Field(description="what it shows")] = None
    attribution: Annotated[str | None, Field(description="whom to credit")] = None
    defaults: Annotated[
        dict[str, str | int | float] | None, Field(description="asset and query parameters to draw with")
    ] = None
    schedule: Annotated[
        str | dict[str, str] | None, Field(description="rate(1 day), cron(0 10 ? * MON-FRI *), or with a timezone")
    ] = None


class RecipeBody(ChangesBody):
    """A recipe with all that belongs to it."""

    source: Annotated[dict[str, Any], Field(description=_SOURCE)]
    assets: Annotated[list[str] | None, Field(description="asset keys; the only raster when absent")] = None
    tms: Annotated[str | dict[str, Any] | None, Field(description="a grid's id, or its document")] = None
    minzoom: int | None = None
    maxzoom: int | None = None
    quadkey_zoom: Annotated[int | Literal["auto"] | None, Field(description="zoom of the index")] = None
    order: Annotated[
        str | None, Field(description="source, newest, best-resolution, a property or -property; best first")
    ] = None
    scan: Annotated[bool | None, Field(description="read the files' headers")] = None
    compatibility: Annotated[
        Literal["refuse", "skip", "group"] | None, Field(description="for files unlike most others")
    ] = None
    limits: Annotated[
        dict[str, int | float] | None, Field(description="max_granules, max_cells, max_shrink (a share)")
    ] = None
    includes: Annotated[dict[str, Any] | None, Field(description="granules added by hand")] = None
    excludes: Annotated[list[str] | None, Field(description="ids of granules removed by hand")] = None


class RegistrationBody(RecipeBody):
    """A new mosaic."""

    name: Annotated[str, Field(description="1 to 64 of a-z, 0-9 and hyphens")]


class ReplacementBody(RecipeBody):
    """Another recipe for a mosaic."""

    name: Annotated[str | None, Field(description="the name in the address, if it is said again")] = None


class MosaicJsonBody(BaseModel):
    """A bare MosaicJSON document."""

    model_config = ConfigDict(extra="allow", frozen=True)

    mosaicjson: str
    tiles: dict[str, Any]
    name: str | None = None


class GranulesBody(BaseModel):
    """A STAC item, a feature with `properties.path`, a collection of these, or hrefs."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: Literal["Feature", "FeatureCollection"] | None = None
    features: list[dict[str, Any]] | None = None
    hrefs: list[str] | None = None


def _kind(body: Any) -> str:
    keys = body if isinstance(body, dict) else getattr(body, "model_fields_set", ())
    return MOSAICJSON if "mosaicjson" in keys and "source" not in keys else REGISTRATION


PostBody = Annotated[
    Annotated[RegistrationBody, Tag(REGISTRATION)] | Annotated[MosaicJsonBody, Tag(MOSAICJSON)],
    Discriminator(_kind),
    Body(),
]
