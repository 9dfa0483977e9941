"""What draws for the routes, handed over once by bootstrap where a service draws at all."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from quadmosaic.services.images import Images
from quadmosaic.services.points import Points


@dataclass(frozen=True, kw_only=True)
class Imagery:
    """Images and values at points."""

    images: Images
    points: Points


def imagery_of(request: Request) -> Imagery:
    """That of this service."""
    imagery: Imagery = request.app.state.imagery
    return imagery


async def _imagery(request: Request) -> Imagery:
    return imagery_of(request)


UsesImagery = Annotated[Imagery, Depends(_imagery)]
