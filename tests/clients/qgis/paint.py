"""Run by the system's Python: load one raster layer in QGIS, paint its extent, and say what was seen, as JSON.

python3 paint.py PROVIDER URI PICTURE.png
"""

import json
import os
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

SIZE = 256


def main(provider: str, uri: str, picture: str) -> None:
    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsRasterLayer(uri, "mosaic", provider)
    if not layer.isValid():
        finish({"valid": False, "error": layer.error().summary()})
    extent = layer.extent()
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(extent)
    settings.setOutputSize(QSize(SIZE, SIZE))
    settings.setBackgroundColor(QColor(255, 0, 255))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(picture)
    shown = settings.visibleExtent()
    finish(
        {
            "valid": True,
            "crs": layer.crs().authid(),
            "extent": corners(extent),
            "shown": corners(shown),
            "bands": layer.bandCount(),
            "faults": [error.message for error in job.errors()],
        }
    )


def corners(rectangle):
    return [rectangle.xMinimum(), rectangle.yMinimum(), rectangle.xMaximum(), rectangle.yMaximum()]


def finish(report):
    """QGIS 3.22 without a desktop may crash while it ends; by then all is said."""
    print(json.dumps(report), flush=True)
    os._exit(0)


main(*sys.argv[1:])
