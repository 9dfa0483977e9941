"""What a client asks of an image, before it is drawn, and what a reader must know of that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.mosaic import AssetProfile
from quadmosaic.ports import ReadOptions
from quadmosaic.rendering.merge import expression_bands
from quadmosaic.rendering.style import Style

type Deadline = Callable[[], float]
"""The seconds that are left for a reply, from now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRequest:
    """What to read and how to draw it; `return_mask` None lets the format decide; `asset` None is the default one."""

    asset: str | None = None
    bidx: tuple[int, ...] | None = None
    expression: str | None = None
    nodata: float | None = None
    unscale: bool = False
    resampling: str = "nearest"
    reproject: str = "nearest"
    pixel_selection: str = "first"
    style: Style = field(default_factory=Style)
    return_mask: bool | None = None
    strict: bool = False


def read_options(request: ImageRequest, profile: AssetProfile, *, timeout_s: float | None) -> ReadOptions:
    """What the reader must know of a request; an expression says itself which bands it needs.

    Raises Invalid (field "bidx" or "expression") for bands that the asset is known to lack.
    """
    band_indexes(profile, request)
    bidx = expression_bands(request.expression) if request.expression else request.bidx
    return ReadOptions(
        asset=profile.key,
        bidx=bidx,
        nodata=request.nodata,
        unscale=request.unscale,
        resampling=request.resampling,
        reproject=request.reproject,
        timeout_s=timeout_s,
    )


def band_indexes(profile: AssetProfile, request: ImageRequest) -> tuple[int, ...]:
    """The 1-based bands that a request reads. Raises Invalid (field "bidx" or "expression") for one not there."""
    wanted = expression_bands(request.expression) if request.expression else request.bidx
    indexes = wanted or tuple(range(1, (profile.count or 1) + 1))
    missing = next((index for index in indexes if index < 1 or (profile.count and index > profile.count)), None)
    if missing is not None:
        field = "expression" if request.expression else "bidx"
        raise Invalid(f"there is no band {missing} (1 to {profile.count})", field=field)
    return indexes


@contextmanager
def naming_expression(request: ImageRequest) -> Iterator[None]:
    """Where the bands come from an expression, a band that is not there is a fault of that."""
    try:
        yield
    except Invalid as error:
        if error.field == "bidx" and request.expression is not None:
            raise Invalid(error.message, field="expression") from error
        raise
