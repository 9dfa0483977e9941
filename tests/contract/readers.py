"""The readers under contract, and how tests ask them for one layer; another reader joins by adding an entry."""

from collections.abc import Callable
from pathlib import Path

import shapely

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule
from quadmosaic.ports import GranuleReader, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.rasterio_reader import RasterioReader

READERS: dict[str, Callable[[], RasterioReader]] = {"rasterio": lambda: RasterioReader(buckets={}, max_reads=3)}


def granule(path: Path | str, name: str = "g") -> Granule:
    return Granule(id=name, hrefs={"image": str(path)}, footprint=shapely.box(0, 0, 1, 1))


async def read_one(reader: GranuleReader, path: Path | str, box: GeoBox, **options: object) -> Layer | ReadFailure:
    asked = ReadOptions(asset="image", **options)  # type: ignore[arg-type]
    (answer,) = [answer async for answer in reader.read([granule(path)], box, asked)]
    return answer


async def read_layer(reader: GranuleReader, path: Path | str, box: GeoBox, **options: object) -> Layer:
    answer = await read_one(reader, path, box, **options)
    assert isinstance(answer, Layer), answer
    return answer
