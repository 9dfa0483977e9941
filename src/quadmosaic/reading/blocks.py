"""Blocks: which ones of a level the parts of a read need, and where their bytes are."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from quadmosaic.domain.granules import Level
from quadmosaic.reading.numbers import Flags
from quadmosaic.reading.parts import Part

_PAIRS = ((1, 2), (2, 1))


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a level (a position in the block tables) and its bytes in the file, none where it is sparse."""

    level: int
    plane: int
    row: int
    column: int
    start: int
    stop: int


def blocks_of(parts: Sequence[Part], level: Level, *, position: int, planes: Iterable[int], margin: int) -> list[Block]:
    """The blocks of the level at `position`, row by row, that hold a pixel within `margin` of a part's positions."""
    across, down = -(-level.width // level.block_width), -(-level.height // level.block_height)
    needed = np.zeros((down, across), np.bool_)
    for part in parts:
        _mark(needed, part, level, margin)
    starts, counts = level.block_offsets, level.block_byte_counts
    found = []
    for plane, number in itertools.product(planes, np.flatnonzero(needed).tolist()):
        start, count = int(starts[plane * needed.size + number]), int(counts[plane * needed.size + number])
        found.append(Block(position, plane, number // across, number % across, start, start + count))
    return found


def _mark(needed: Flags, part: Part, level: Level, margin: int) -> None:
    left, top, right, bottom = part.window
    window = needed[
        top // level.block_height : -(-bottom // level.block_height),
        left // level.block_width : -(-right // level.block_width),
    ]
    # The window ends at positions, so that of two blocks side by side each holds one.
    if part.mesh or margin >= min(level.block_width, level.block_height) or window.size == 1 or window.shape in _PAIRS:
        window[:] = True
        return
    columns, rows = part.indices
    for aside, along in itertools.product({-margin, margin}, repeat=2):
        at_columns = np.clip(columns + left + aside, left, right - 1) // level.block_width
        at_rows = np.clip(rows + top + along, top, bottom - 1) // level.block_height
        needed[at_rows, at_columns] = True
