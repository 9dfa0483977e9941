"""Cases for the parity table: rasters packed in every way that can be written, real ones and scenes, and boxes."""

import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio

from quadmosaic.demo.scene import make_scene
from quadmosaic.domain import bodies, grids
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.grids import Tile

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from rasters import waves, write_raster

SHARED = Path(__file__).parents[2] / "shared" / "data" / "rasters"
MARS = "IAU_2015:49910"
DEGREE = 3396190 * np.pi / 180
BOUNDS = (0.0, 0.0, 30000.0, 30000.0)
BOXES = (
    GeoBox(MARS, (1000.0, 2000.0, 19000.0, 20000.0), 64, 64),
    GeoBox(MARS, (1000.0, 2000.0, 26000.0, 28000.0), 48, 48),
)

FAST_KERNELS = ("nearest", "bilinear", "cubic", "lanczos", "average")
OTHER_KERNELS = ("cubic_spline", "mode", "max", "min", "med", "q1", "q3", "sum", "rms")

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64", "float16", "float32", "float64")
COMPRESSIONS = ("none", "deflate", "lzw", "zstd", "packbits", "lzma")
VALIDITIES = ("all", "nodata", "mask", "alpha", "nan")
LAYOUTS: Mapping[str, Mapping[str, str | int | bool]] = {
    "classic": {},
    "BigTIFF": {"BIGTIFF": "YES"},
    "sparse": {"SPARSE_OK": True},
}

RASTERS = {
    "equirectangular": (MARS, (70 * DEGREE, 10 * DEGREE, 80 * DEGREE, 20 * DEGREE)),
    "geographic": ("IAU_2015:49900", (70.0, 10.0, 80.0, 20.0)),
    "ographic": ("IAU_2015:49901", (70.0, 10.0, 80.0, 20.0)),
    "around 180": ("+proj=eqc +lat_ts=40 +lon_0=180 +R=3396190", (-1.4e6, -20 * DEGREE, 1.4e6, 20 * DEGREE)),
    "sinusoidal": ("+proj=sinu +lon_0=70 +R=3396190", (-5 * DEGREE, 10 * DEGREE, 5 * DEGREE, 20 * DEGREE)),
    "north polar": ("IAU_2015:49930", (-1.2e6, -1.2e6, 1.2e6, 1.2e6)),
    "south polar": ("IAU_2015:49935", (-1.2e6, -1.2e6, 1.2e6, 1.2e6)),
    "0 to 360": ("IAU_2015:49900", (0.0, -90.0, 360.0, 90.0)),
}
SPOTS = ((75.0, 15.0, 6), (75.0, 15.0, 4), (30.0, 85.0, 5), (179.9, 3.0, 5), (-179.9, -88.0, 4))

type Array = npt.NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One read; `kernel` is used for both `resampling` and `reproject`."""

    section: str
    label: str
    path: Path
    box: GeoBox
    kernel: str
    options: Mapping[str, object] = field(default_factory=dict)


def packed(folder: Path, every: int) -> Iterator[Case]:
    """Compression x predictor x dtype x interleave x byte order x layout x what is valid; `every` so many of them."""
    numbers = itertools.count()
    for compression, dtype in itertools.product(COMPRESSIONS, DTYPES):
        predictors = (1,)
        if compression in ("deflate", "lzw", "zstd"):
            predictors += (3,) if dtype in ("float32", "float64") else () if dtype == "float16" else (2,)
        for predictor, interleave, order, layout, validity in itertools.product(
            predictors, ("pixel", "band"), ("LITTLE", "BIG"), LAYOUTS, VALIDITIES
        ):
            if (validity == "nan" and not dtype.startswith("float")) or next(numbers) % every:
                continue
            label = f"{compression}-{predictor}-{dtype}-{interleave}-{order}-{layout}-{validity}"
            creation = {
                "tiled": True, "blockxsize": 64, "blockysize": 32, "compress": compression,
                "interleave": interleave, "ENDIANNESS": order, **LAYOUTS[layout],
            }  # fmt: skip
            if predictor > 1:
                creation["predictor"] = predictor
            yield from _read_each_way("packings", _packed(folder / f"{label}.tif", dtype, creation, validity), label)


def _packed(path: Path, dtype: str, creation: Mapping[str, str | int | bool], validity: str) -> Path:
    data = waves(dtype, bands=2)
    sparse = "SPARSE_OK" in creation
    hole = np.hypot(*(np.indices(data.shape[1:]) - 120)) < 30
    if sparse:
        data[:, :64, :64] = 0
    if validity == "nodata":
        data[:, hole] = 0
    if validity == "nan":
        data[:, hole] = np.nan
    return write_raster(
        path,
        data,
        crs=MARS,
        bounds=BOUNDS,
        layout=creation,
        nodata=0 if validity == "nodata" else None,
        mask=~hole if validity == "mask" else None,
        alpha=np.where(hole, 0, 100) if validity == "alpha" else None,
        overviews=() if sparse else (2,),
    )


def _read_each_way(section: str, path: Path, label: str) -> Iterator[Case]:
    for box, kernel in zip(BOXES, ("bilinear", "nearest"), strict=True):
        yield Case(section=section, label=label, path=path, box=box, kernel=kernel)


def exotic(folder: Path) -> Iterator[Case]:
    """JPEG in all its forms, and what is left to the fallback."""
    square = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    forms = {
        "jpeg gray": (1, "uint8", {**square, "compress": "jpeg"}),
        "jpeg RGB": (3, "uint8", {**square, "compress": "jpeg", "photometric": "RGB"}),
        "jpeg YCbCr": (3, "uint8", {**square, "compress": "jpeg", "photometric": "YCBCR"}),
        "jpeg planar": (3, "uint8", {**square, "compress": "jpeg", "photometric": "RGB", "interleave": "band"}),
        "webp": (3, "uint8", {**square, "compress": "webp", "WEBP_LOSSLESS": True}),
        "lerc": (1, "float32", {**square, "compress": "lerc"}),
        "lerc zstd": (1, "float32", {**square, "compress": "lerc_zstd"}),
        "7 bits": (1, "uint8", {**square, "NBITS": 7}),
        "12 bits": (1, "uint16", {**square, "NBITS": 12}),
        "1 bit": (1, "uint8", {**square, "NBITS": 1}),
        "strips": (1, "uint8", {"compress": "deflate"}),
        "CMYK": (4, "uint8", {**square, "photometric": "CMYK"}),
        "white is 0": (1, "uint8", {**square, "photometric": "MINISWHITE"}),
        "Lab": (3, "uint8", {**square, "photometric": "CIELAB"}),
    }
    for (name, (bands, dtype, creation)), masked in itertools.product(forms.items(), (False, True)):
        data = waves(dtype, bands=bands)
        data = (data > 100).astype(dtype) if name == "1 bit" else data // 2 if "bits" in name else data
        mask = np.indices((200, 200)).sum(axis=0) > 150 if masked else None
        path = folder / f"{name}{masked}.tif"
        write_raster(path, data, crs=MARS, bounds=BOUNDS, layout=creation, mask=mask, overviews=(2, 4))
        yield from _read_each_way("JPEG, and odd ones", path, name)


def foreign(folder: Path, every: int) -> Iterator[Case]:
    """TIFFs by tifffile, of kinds that GDAL does not write; nothing where tifffile is not installed."""
    try:
        import tifffile
    except ImportError:
        print("without tifffile; have its cases too by: uv run --with tifffile python benchmarks/parity.py")
        return
    numbers = itertools.count()
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32767)
    for dtype, order, planar, compression, predictor, big in itertools.product(
        DTYPES, "<>", ("contig", "separate"), ("zlib", "adobe_deflate", "lzw", "zstd", "lzma", "packbits", "none"),
        (False, True), (False, True),
    ):  # fmt: skip
        if predictor and (compression in ("packbits", "none", "lzma") or dtype in ("float16", "int64", "uint64")):
            continue
        if next(numbers) % every:
            continue
        label = f"{compression}-{predictor}-{dtype}-{planar}-{order}-{big}"
        path = folder / f"tf-{label}.tif".replace("<", "le").replace(">", "be")
        data = waves(dtype, bands=2)
        pixels = np.ascontiguousarray(np.moveaxis(data, 0, -1)) if planar == "contig" else data
        tifffile.imwrite(
            path, pixels, byteorder=order, tile=(64, 48), planarconfig=planar, photometric="minisblack",
            compression=None if compression == "none" else compression, predictor=predictor, bigtiff=big,
            metadata=None,
            extratags=[
                (33550, 12, 3, (150.0, 150.0, 0.0), True),
                (33922, 12, 6, (0.0, 0.0, 0.0, 0.0, 30000.0, 0.0), True),
                (34735, 3, len(keys), keys, True),
            ],
        )  # fmt: skip
        _with_crs(path)
        yield from _read_each_way("by tifffile", path, label)


def _with_crs(path: Path) -> None:
    with rasterio.open(path, "r+") as file:
        file.crs = pyproj.CRS(MARS).to_wkt()


def over_grids(folder: Path) -> Iterator[Case]:
    """Rasters of eight projections read into every grid of Mars, over poles and the antimeridian, with every kernel."""
    for (name, (crs, bounds)), dtype in itertools.product(RASTERS.items(), ("uint8", "float32")):
        data = waves(dtype, size=400, noise=20.0)
        nodata = None
        if dtype == "float32":
            nodata = -9999.0
            data[0, np.random.default_rng(2).random((400, 400)) < 0.02] = nodata
            data[0, :120, :90] = nodata
        path = folder / f"{name}-{dtype}.tif"
        for overviews in ((2, 4), ()):
            target = path.with_stem(f"{path.stem}-{len(overviews)}")
            write_raster(target, data, crs=crs, bounds=bounds, nodata=nodata, overviews=overviews)
            for (where, box), kernel in itertools.product(grid_boxes("Mars"), FAST_KERNELS):
                yield Case(section=f"grids of Mars, {name}", label=where, path=target, box=box, kernel=kernel)


def grid_boxes(body: str) -> Iterator[tuple[str, GeoBox]]:
    """Tiles of every grid of a body over the spots, and boxes across 180 degrees, beyond it and over a pole."""
    yield "across 180", GeoBox("IAU_2015:49900", (170, -15, 190, 15), 64, 96)
    yield "beyond -180", GeoBox("IAU_2015:49900", (-180, -15, -160, 15), 64, 96)
    yield "beyond the pole", GeoBox("IAU_2015:49900", (-30, 70, 60, 100), 64, 64)
    yield "over the pole", GeoBox("IAU_2015:49930", (-2e5, -3e5, 3e5, 2e5), 64, 64)
    yield "globe", GeoBox("+proj=ortho +lat_0=40 +lon_0=60 +R=3396190", (-4e6, -4e6, 4e6, 4e6), 64, 64)
    for grid_id in grids.ids(body):
        grid = grids.load(grid_id)
        for lon, lat, zoom in SPOTS:
            x, y = grid.project(np.array([lon]), np.array([lat]))
            column = (x[0] - grid.origin[0]) // grid.cell_size(zoom)
            row = (grid.origin[1] - y[0]) // grid.cell_size(zoom)
            width, height = grid.matrix_size(zoom)
            if 0 <= column < width and 0 <= row < height:
                yield f"{grid_id} {zoom}", grid.geobox(Tile(int(column), int(row), zoom), size=64)


def real() -> Iterator[Case]:
    """Every raster of the shared collection: in its own CRS, and in others of its body, at three scales."""
    for path in sorted(each for each in SHARED.rglob("*.tif*") if each.suffix in (".tif", ".tiff")):
        with rasterio.open(path) as dataset:
            if dataset.crs is None:
                print(f"left out: {path.name} has no CRS")
                continue
            crs, bounds = dataset.crs.to_wkt(version="WKT2_2019"), dataset.bounds
            pixel = abs(dataset.transform.a) or abs(dataset.transform.b)
        middle = ((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
        for target, factor in itertools.product((crs, *_others(crs)), (0.3, 1.0, 5.0)):
            box = _box_at(middle, crs, target, size=64, pixel=pixel * factor)
            for kernel in (*FAST_KERNELS, *OTHER_KERNELS) if factor == 1.0 else FAST_KERNELS:
                if box is not None:
                    yield Case(section="real rasters", label=path.name, path=path, box=box, kernel=kernel)


def _others(crs: str) -> tuple[str, ...]:
    """The grids' CRSs of a body that show what is there: Mercator and the geographic one."""
    body = bodies.body_of(pyproj.CRS(crs))
    return ("EPSG:3857", "EPSG:4326") if body == "Earth" else () if body is None else _planetary(body)


def _planetary(body: str) -> tuple[str, ...]:
    wanted = (f"{body}MercatorSphere", f"{body}GeographicSphere", f"{body}NorthPolarSphere")
    return tuple(str(grids.load(each).crs.to_wkt()) for each in wanted if each in grids.ids(body))


def _box_at(middle: tuple[float, float], crs: str, target: str, *, size: int, pixel: float) -> GeoBox | None:
    """A box in `target` around a point of `crs` whose pixels are about `pixel` of `crs` wide."""
    to_target = pyproj.Transformer.from_crs(crs, target, always_xy=True)
    x, y = to_target.transform([middle[0], middle[0] + pixel], [middle[1], middle[1]], errcheck=False)
    step = float(np.hypot(x[1] - x[0], y[1] - y[0]))
    if not np.isfinite(step) or step == 0:
        return None
    half = size * step / 2
    return GeoBox(target, (x[0] - half, y[0] - half, x[0] + half, y[0] + half), size, size)


def scenes(folder: Path) -> Iterator[Case]:
    """Tiles over the demo's strips: images, DTMs and hillshades."""
    items = json.loads(make_scene(folder / "scene", pixel_m=160.0).read_text())["features"]
    assets = [(item["id"], key, asset) for item in items for key, asset in sorted(item["assets"].items())]
    for strip, key, asset in assets:
        path = folder / "scene" / asset["href"].removeprefix("file://").split(str(folder / "scene") + "/")[-1]
        with rasterio.open(path) as dataset:
            crs, bounds, pixel = dataset.crs.to_wkt(version="WKT2_2019"), dataset.bounds, dataset.transform.a
        middle = ((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
        for target, factor in itertools.product((crs, *_planetary("Mars")[:2]), (1.0, 3.0)):
            box = _box_at(middle, crs, target, size=128, pixel=pixel * factor)
            assert box is not None
            for kernel in FAST_KERNELS:
                yield Case(section="demo scene", label=f"{strip} {key}", path=path, box=box, kernel=kernel)
