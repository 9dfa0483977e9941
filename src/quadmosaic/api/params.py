"""Query parameters of images, named as in TiTiler, and the image request that they mean."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.mosaic import Manifest
from quadmosaic.rendering.merge import check_expression
from quadmosaic.rendering.selections import PIXEL_SELECTIONS
from quadmosaic.rendering.style import Style, colormap_named, parse_color_formula, parse_colormap, parse_rescale
from quadmosaic.services.requests import ImageRequest

RESAMPLINGS = (
    *("nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode"),
    *("max", "min", "med", "q1", "q3", "sum", "rms"),
)
"""GDAL's for warping, which are all of its own but gauss."""
MAX_SIZE = 2048

_COLOURS = frozenset({"rescale", "colormap", "colormap_name", "color_formula"})
_BANDS = frozenset({"assets", "bidx", "expression"})


class ImageParams(BaseModel):
    """Everything that says what is read and how it is drawn."""

    model_config = ConfigDict(frozen=True)

    assets: Annotated[list[str], Field(description="asset key; the mosaic's default asset when absent")] = []
    bidx: Annotated[list[int], Field(description="1-based band; repeat for more")] = []
    expression: Annotated[str | None, Field(description="band maths: b1*2 or (b2-b1)/(b2+b1); separate by ;")] = None
    nodata: Annotated[float | None, Field(description="nodata value instead of the files' own; nan is one")] = None
    unscale: Annotated[bool, Field(description="apply the files' scale and offset")] = False
    resampling: Annotated[str | None, Field(description="between resolutions: " + ", ".join(RESAMPLINGS))] = None
    reproject: Annotated[str | None, Field(description="between CRSs: " + ", ".join(RESAMPLINGS))] = None
    pixel_selection: Annotated[
        str | None, Field(description="where granules overlap: " + ", ".join(PIXEL_SELECTIONS))
    ] = None
    rescale: Annotated[list[str], Field(description="low,high for 8 bits; repeat per band")] = []
    colormap_name: Annotated[str | None, Field(description="one of /colorMaps")] = None
    colormap: Annotated[str | None, Field(description='JSON: {"value": color} or [[[low, high], color]]')] = None
    color_formula: Annotated[str | None, Field(description="like gamma RGB 1.8, saturation 1.2")] = None
    return_mask: Annotated[bool | None, Field(description="add alpha, a mask, or a last array")] = None
    strict: Annotated[bool, Field(description="fail when a granule cannot be read")] = False


ImageQuery = Annotated[ImageParams, Query()]
Empty = Annotated[
    Literal["204", "404", "fill"],
    Query(alias="empty", description="answer where there are no data: 204, 404, or an empty image"),
]
TileSize = Annotated[int, Query(ge=1, le=MAX_SIZE, description="pixels along a side")]
Buffer = Annotated[float, Query(ge=0, le=256, multiple_of=0.5, description="pixels added on every side")]


def image_request(params: ImageParams, defaults: Mapping[str, str], *, is_view: bool = True) -> ImageRequest:
    """The request; `defaults` are the mosaic's own values by parameter name, their colours being for views only.

    Raises Invalid with the field.
    """
    given = params.model_dump(exclude_unset=True)
    told = ImageParams.model_validate({**_parsed_defaults(defaults, given, is_view=is_view), **given})
    return ImageRequest(
        asset=_single_asset(told.assets),
        bidx=_bands(told.bidx),
        expression=check_expression(told.expression) if told.expression else None,
        nodata=told.nodata,
        unscale=told.unscale,
        resampling=_one_of(told.resampling or "nearest", RESAMPLINGS, field="resampling"),
        reproject=_one_of(told.reproject or "nearest", RESAMPLINGS, field="reproject"),
        pixel_selection=_one_of(told.pixel_selection or "first", PIXEL_SELECTIONS, field="pixel_selection"),
        style=_style(told),
        return_mask=told.return_mask,
        strict=told.strict,
    )


def mosaic_request(params: ImageParams, manifest: Manifest, *, is_view: bool = True) -> ImageRequest:
    """The request of a mosaic with its defaults; naming its default asset means the same as naming none.

    Raises Invalid with the field.
    """
    style = manifest.defaults.style
    if params.assets == [style.get("assets", manifest.default_asset)]:
        params = ImageParams.model_validate(params.model_dump(exclude_unset=True, exclude={"assets"}))
    return image_request(params, style, is_view=is_view)


def _parsed_defaults(defaults: Mapping[str, str], given: Mapping[str, object], *, is_view: bool) -> dict[str, object]:
    """The mosaic's defaults as parameters; a request that names its own colours or bands takes none of these."""
    names_own = bool((_COLOURS | _BANDS) & given.keys())
    left_out = (_COLOURS if names_own or not is_view else set()) | (_BANDS if names_own else set())
    own = {name: value for name, value in defaults.items() if name not in left_out}
    lists = {"assets": [own.get("assets")], "rescale": [own.get("rescale")], "bidx": own.get("bidx", "").split(",")}
    return {name: lists.get(name, value) for name, value in own.items()}


def _single_asset(assets: list[str]) -> str | None:
    if len(assets) > 1:
        raise Invalid("one asset at a time: stacking several is not possible yet", field="assets")
    return assets[0] if assets else None


def _bands(bidx: list[int]) -> tuple[int, ...] | None:
    if any(index < 1 for index in bidx):
        raise Invalid("bands are counted from 1", field="bidx")
    return tuple(bidx) or None


def _one_of(value: str, known: tuple[str, ...], *, field: str) -> str:
    if value not in known:
        raise Invalid(f"{value!r} is none of {', '.join(known)}", field=field)
    return value


def _style(params: ImageParams) -> Style:
    if params.colormap and params.colormap_name:
        raise Invalid("give colormap or colormap_name, not both", field="colormap")
    colormap = parse_colormap(params.colormap) if params.colormap else None
    if params.colormap_name:
        colormap = colormap_named(params.colormap_name)
    return Style(
        rescale=parse_rescale(params.rescale),
        colormap=colormap,
        is_ramp=params.colormap_name is not None,
        color_formula=parse_color_formula(params.color_formula) if params.color_formula else None,
    )
