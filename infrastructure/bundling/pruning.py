"""Pruning: what no function needs of the packages that it carries."""

import json
import shutil
from collections.abc import Iterable
from importlib.metadata import Distribution
from pathlib import Path

FOLDERS = (
    "**/.*_cache",
    "**/__pycache__",
    "**/include",
    "**/tests",
    "bin",
    "numpy/_pyinstaller",
    "numpy/f2py",
    "pydantic/v1",
)
FILES = (
    "**/*.a",
    "**/*.c",
    "**/*.cpp",
    "**/*.h",
    "**/*.hpp",
    "**/*.pxd",
    "**/*.pyi",
    "**/*.pyx",
    "*.dist-info/INSTALLER",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_cache.json",
    "planetcantile/**/*.py",
    "numpy/_core/*_tests.*.so",
    "numpy/_core/_simd.*.so",
    "rasterio/_example.*",
)
SERVICES = ("dynamodb", "s3", "scheduler", "secretsmanager", "sqs", "sts")
"""Of the hundreds that boto3 describes."""
CODECS = ("deflate", "imcd", "jpeg8", "lzma", "shared", "shared_cython", "webp", "zlib", "zstd")
"""Modules of imagecodecs that decode blocks and encode images."""
GDAL_DATA = ("*.wkt", "gdalvrt.xsd", "gt_*.csv", "stateplane.csv")
"""What reading GeoTIFF, PNG, JPEG, WebP and JPEG 2000 may ask for."""


def prune(root: Path) -> None:
    """Remove it."""
    for pattern in FOLDERS:
        for folder in list(root.glob(pattern)):
            shutil.rmtree(folder, ignore_errors=True)
    for pattern in FILES:
        _remove(list(root.glob(pattern)))
    for data in (root / "botocore/data", root / "boto3/data"):
        for folder in data.glob("*/"):
            if folder.name not in SERVICES:
                shutil.rmtree(folder)
    wanted = {f"_{codec}" for codec in CODECS} | {"_imagecodecs"}
    _remove(path for path in root.glob("imagecodecs/_*") if path.name.partition(".")[0] not in {*wanted, "__init__"})
    kept = {path for pattern in GDAL_DATA for path in root.glob(f"rasterio/gdal_data/{pattern}")}
    _remove(path for path in root.glob("rasterio/gdal_data/*") if path not in kept)
    for path in root.glob("planetcantile/**/*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()), separators=(",", ":")))
    for folder in root.glob("quadmosaic-*.dist-info"):
        _leave_name_and_version(folder)


def _leave_name_and_version(folder: Path) -> None:
    """So that neither a page of the documentation nor another uv, which wheels tell of too, makes another zip."""
    version = Distribution.at(folder).version
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: quadmosaic\nVersion: {version}\n")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_file():
            path.unlink()
