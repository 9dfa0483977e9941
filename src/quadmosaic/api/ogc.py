"""The OGC documents and the GDAL files, as one router."""

from fastapi import APIRouter

from quadmosaic.api import gdal, matrix_sets, tilesets, wmts

router = APIRouter()
for part in (wmts, gdal, tilesets, matrix_sets):
    router.include_router(part.router)
