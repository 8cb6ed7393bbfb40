"""The records of `atomic()` blocks, kept aside until a block's end."""

from collections.abc import Callable
from typing import Any


class AtomicBlock:
    """The records of one `atomic()` block; `outer` is the block that it stands in."""

    __slots__ = ("closed", "outer", "records")

    def __init__(self, outer: "AtomicBlock | None") -> None:
        self.outer = outer
        self.records: list[tuple[Callable[[Any], object], Any]] = []
        self.closed = False

    def close(self) -> list[tuple[Callable[[Any], object], Any]]:
        """End the block and return its records; the block keeps none."""
        self.closed = True
        records, self.records = self.records, []
        return records


def held_in(block: AtomicBlock | None) -> int:
    """How many records stand in the open blocks from this one outwards."""
    held = 0
    while block is not None:
        held += len(block.records)
        block = block.outer
    return held


def innermost_open(block: AtomicBlock | None) -> AtomicBlock | None:
    """The innermost block that is still open, from this one outwards."""
    while block is not None and block.closed:
        block = block.outer
    return block
