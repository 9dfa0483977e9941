"""Where things lie in the store: every path, and the only place where a name enters one.

format.json                                        the layout's number
mosaics/{name}/heads/{sequence}                    one record per publication or deletion; the highest is the head
mosaics/{name}/numbers/{number}                    version numbers taken, by whomever
mosaics/{name}/lives/{life}/versions/{number}      manifest and part lists
mosaics/{name}/lives/{life}/published/{number}     says that a version which is no longer the head once was
mosaics/{name}/lives/{life}/parts/{digest}         the index

A deletion ends a life: what belonged to it can be cleaned up without touching what a new registration writes.
"""

from quadmosaic.domain.names import validate_name

FORMAT = "format.json"
MOSAICS = "mosaics"


def heads(name: str) -> str:
    return f"{_mosaic(name)}/heads"


def head(name: str, sequence: int) -> str:
    return f"{heads(name)}/{sequence:010d}"


def numbers(name: str) -> str:
    return f"{_mosaic(name)}/numbers"


def number(name: str, taken: int) -> str:
    return f"{numbers(name)}/{taken:010d}"


def lives(name: str) -> str:
    return f"{_mosaic(name)}/lives"


def life(name: str, began: int) -> str:
    return f"{lives(name)}/{began:010d}"


def version(name: str, began: int, taken: int) -> str:
    return f"{life(name, began)}/versions/{taken:010d}"


def published(name: str, began: int) -> str:
    return f"{life(name, began)}/published"


def was_published(name: str, began: int, taken: int) -> str:
    return f"{published(name, began)}/{taken:010d}"


def part(name: str, began: int, digest: bytes) -> str:
    return f"{life(name, began)}/parts/{digest.hex()}"


def last_number(path: str) -> int:
    """The number a path ends with; 0 for what is not ours."""
    last = path.rsplit("/", 1)[-1]
    return int(last) if last.isascii() and last.isdecimal() else 0


def life_of(path: str, name: str) -> int | None:
    """Which life a path below `lives` belongs to; None for what is not ours."""
    began = path.removeprefix(f"{lives(name)}/").split("/", 1)[0]
    return int(began) if began.isascii() and began.isdecimal() else None


def _mosaic(name: str) -> str:
    return f"{MOSAICS}/{validate_name(name)}"
