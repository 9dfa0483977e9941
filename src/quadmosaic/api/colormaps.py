"""Colormaps by name."""

from fastapi import APIRouter

from quadmosaic.rendering.style import colormap_names, describe_colormap

router = APIRouter(tags=["styles"])


@router.get("/colorMaps")
async def colormaps() -> dict[str, tuple[str, ...]]:
    """Names for colormap_name."""
    return {"colorMaps": colormap_names()}


@router.get("/colorMaps/{name}")
async def colormap(name: str) -> dict[str, list[int]]:
    """Value -> red, green, blue, alpha."""
    return dict(describe_colormap(name))
