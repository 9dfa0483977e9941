"""The routes of maps: what is drawn of a mosaic, and the documents that say where; they only read."""

from quadmosaic.api import colormaps, crops, maps, mosaic_documents, ogc, points, tiles, viewer_files

ROUTERS = (
    mosaic_documents.router,
    colormaps.router,
    maps.router,
    tiles.router,
    crops.router,
    points.router,
    ogc.router,
    viewer_files.router,
)
