"""Where things lie in the store: every path, and the only place where a name enters one.

format.json                                        the layout's number
names/{name}                                       says that something was written under the name
mosaics/{name}/heads/{sequence}                    one record per publication, deletion or sweep; the highest counts
mosaics/{name}/numbers/{number}                    version numbers taken, by whomever
mosaics/{name}/begun/{life}                        says that something was written in that life
mosaics/{name}/lives/{life}/writing/{number}       a version that is being written, and the one it builds on
mosaics/{name}/lives/{life}/versions/{number}      manifest and part lists
mosaics/{name}/lives/{life}/published/{number}     says that a version which is no longer the head once was
mosaics/{name}/lives/{life}/parts/{number}/{part}  the index, by the version that wrote the part

A deletion ends a life: what belonged to it can be cleaned up without touching what a new registration writes.
"""

from quadmosaic.domain.names import validate_name
from quadmosaic.storage.parts import PartRef

FORMAT = "format.json"
NAMES = "names"


def name_mark(name: str) -> str:
    return f"{NAMES}/{validate_name(name)}"


def heads(name: str) -> str:
    return f"{_mosaic(name)}/heads"


def head(name: str, sequence: int) -> str:
    return f"{heads(name)}/{sequence:010d}"


def numbers(name: str) -> str:
    return f"{_mosaic(name)}/numbers"


def number(name: str, taken: int) -> str:
    return f"{numbers(name)}/{taken:010d}"


def begun(name: str) -> str:
    return f"{_mosaic(name)}/begun"


def begun_mark(name: str, life: int) -> str:
    return f"{begun(name)}/{life:010d}"


def contents(name: str, life: int) -> tuple[str, ...]:
    """The folders of a life, in the order in which they are emptied: what describes is removed last."""
    return parts(name, life), published(name, life), writing(name, life), versions(name, life)


def writing(name: str, life: int) -> str:
    return f"{_life(name, life)}/writing"


def writing_mark(name: str, life: int, taken: int) -> str:
    return f"{writing(name, life)}/{taken:010d}"


def versions(name: str, life: int) -> str:
    return f"{_life(name, life)}/versions"


def version(name: str, life: int, taken: int) -> str:
    return f"{versions(name, life)}/{taken:010d}"


def published(name: str, life: int) -> str:
    return f"{_life(name, life)}/published"


def was_published(name: str, life: int, taken: int) -> str:
    return f"{published(name, life)}/{taken:010d}"


def parts(name: str, life: int) -> str:
    return f"{_life(name, life)}/parts"


def parts_of(name: str, life: int, owner: int) -> str:
    return f"{parts(name, life)}/{owner:010d}"


def part(name: str, life: int, table: str, ref: PartRef) -> str:
    return f"{parts_of(name, life, ref.owner)}/{table}.{ref.prefix}.{ref.digest.hex()}"


def last_number(path: str) -> int:
    """The number a path ends with; 0 for what is not ours."""
    last = path.rsplit("/", 1)[-1]
    return int(last) if last.isascii() and last.isdecimal() else 0


def _life(name: str, life: int) -> str:
    return f"{_mosaic(name)}/lives/{life:010d}"


def _mosaic(name: str) -> str:
    return f"mosaics/{validate_name(name)}"
