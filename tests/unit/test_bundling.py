"""Bundling: what is packed, what is dropped, and what is refused."""

import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from infrastructure.bundling import expat
from infrastructure.bundling.archive import pack
from infrastructure.bundling.checks import check
from infrastructure.bundling.contents import FUNCTIONS
from infrastructure.bundling.faults import BundleFault, Lacking
from infrastructure.bundling.libraries import Library, missing, unneeded
from infrastructure.bundling.pruning import prune
from numpy.linalg import _umath_linalg

from infrastructure import bundle as made


def library(path: str, *needed: str) -> Library:
    return Library(path=Path(path), machine="", needed=frozenset(needed), glibc=frozenset(), segments=())


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return root


def test_the_same_files_are_packed_into_the_same_bytes(tmp_path: Path) -> None:
    zips = []
    for turn, names in enumerate((["b.py", "a/c.so.1"], ["a/c.so.1", "b.py"])):
        root = write(tmp_path / str(turn), *names)
        (root / "b.py").chmod(0o600 if turn else 0o755)
        pack(root, tmp_path / f"{turn}.zip")
        zips.append((tmp_path / f"{turn}.zip").read_bytes())
    assert zips[0] == zips[1]


def test_entries_can_be_read_by_everyone(tmp_path: Path) -> None:
    root = write(tmp_path / "task", "b.py", "lib/libexpat.so.1")
    pack(root, tmp_path / "task.zip")
    with zipfile.ZipFile(tmp_path / "task.zip") as archive:
        modes = {entry.filename: oct(entry.external_attr >> 16) for entry in archive.infolist()}
    assert modes == {"b.py": "0o100644", "lib/libexpat.so.1": "0o100755"}


def test_a_library_that_no_module_leads_to_is_dropped() -> None:
    found = (
        library("gdal/_io.so", "libgdal.so"),
        library("gdal.libs/libgdal.so", "libproj.so"),
        library("gdal.libs/libproj.so"),
        library("pil.libs/libtiff.so", "libjpeg.so"),
        library("pil.libs/libjpeg.so"),
    )
    assert [path.name for path in unneeded(found)] == ["libtiff.so", "libjpeg.so"]


def test_a_library_that_nothing_provides_is_named_with_who_needs_it() -> None:
    found = (library("gdal.libs/libgdal.so", "libexpat.so.1", "libc.so.6"), library("lib/libz.so.1"))
    assert missing(found) == {"libexpat.so.1": "libgdal.so"}


def test_pruning_keeps_what_runs(tmp_path: Path) -> None:
    kept = {"numpy/core.py", "botocore/data/sqs/1.json", "imagecodecs/_jpeg8.abi3.so", "rasterio/gdal_data/gdalvrt.xsd"}
    dropped = {
        "numpy/tests/test_core.py",
        "numpy/core.pyi",
        "botocore/data/ec2/1.json",
        "imagecodecs/_avif.abi3.so",
        "rasterio/gdal_data/nitf_spec.xml",
        "numpy-2.dist-info/RECORD",
        "pydantic/v1/main.py",
    }
    root = write(tmp_path, *kept, *dropped)
    prune(root)
    assert {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} == kept


def test_of_the_product_itself_only_name_and_version_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "quadmosaic-1.2.3.dist-info"
    write(tmp_path, f"{folder.name}/WHEEL", f"{folder.name}/licenses/LICENSE")
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: quadmosaic\nVersion: 1.2.3\n\n# A page\n")
    prune(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["METADATA"]
    assert "page" not in (folder / "METADATA").read_text()
    assert [(found.name, found.version) for found in distributions(path=[str(tmp_path)])] == [("quadmosaic", "1.2.3")]


def test_an_unstripped_zip_is_no_stripped_one_but_better_than_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "OUTPUT", tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("UV", raising=False)
    path = write(tmp_path, "api-arm64.zip") / "api-arm64.zip"
    note = path.with_suffix(".inputs")
    assert made.inputs_digest(stripped=False) != made.inputs_digest()
    for digest in (made.inputs_digest(), made.inputs_digest(stripped=False)):
        note.write_text(digest)
        assert made.bundle("api", "arm64") == path
    note.write_text("other inputs")
    with pytest.raises(Lacking):
        made.bundle("api", "arm64")


def test_tile_matrix_sets_lose_their_blanks_only(tmp_path: Path) -> None:
    path = write(tmp_path, "planetcantile/data/v4/Mars.json") / "planetcantile/data/v4/Mars.json"
    path.write_text('{\n  "id": "Mars Sphere",\n  "cellSize": 1.50\n}')
    prune(tmp_path)
    assert path.read_text() == '{"id":"Mars Sphere","cellSize":1.5}'


def test_a_library_of_this_machine_is_checked_for_another(tmp_path: Path) -> None:
    (tmp_path / "module.so").write_bytes(Path(_umath_linalg.__file__).read_bytes())
    with pytest.raises(BundleFault, match=r"module\.so is for "):
        check(tmp_path, "arm64" if "x86" in _umath_linalg.__file__ else "x86_64")


def test_another_source_of_expat_has_another_digest() -> None:
    assert expat.digest({"a.c": b"1", "b.c": b"2"}) != expat.digest({"a.c": b"12", "b.c": b""})


def test_the_registry_leaves_out_what_the_tiler_leaves_out() -> None:
    assert FUNCTIONS["api"].without < FUNCTIONS["registry"].without
