"""What the first tiles of a process would have to wait for, done beforehand: grids loaded, libraries used once."""

import numpy as np

from quadmosaic.domain import bodies, grids
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.rendering.encode import ImageFormat, encode
from quadmosaic.rendering.merge import Image, expression_bands
from quadmosaic.rendering.style import describe_colormap

BODIES = ("Mars", "Moon", "Mercury", "Europa")
SIZE = 16


def warm() -> None:
    """Everything that needs neither store nor network."""
    import rasterio  # noqa: F401

    for body in BODIES:
        for grid_id in (grids.default_map_grid(body), grids.mercator_grid(body)):
            grids.load(grid_id)
    geobox = GeoBox(bodies.geographic_id(BODIES[0]), (0, 0, 1, 1), SIZE, SIZE)
    bands, valid = np.zeros((1, SIZE, SIZE), dtype=np.uint8), np.ones((1, SIZE, SIZE), dtype=np.bool_)
    for image_format in ImageFormat:
        encode(Image(bands=bands, valid=valid), image_format, geobox=geobox, with_mask=image_format is ImageFormat.PNG)
    expression_bands("b1+b1")
    describe_colormap("viridis")
