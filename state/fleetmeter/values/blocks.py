"""The records of `atomic()` blocks, kept aside until a block's end."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

log = logging.getLogger("fleetmeter")

MANY = 10_000
"""Records in one block after which the log asks whether somebody forgot to end it."""


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


class Blocks:
    """The blocks that are open, and which of them a thread or task is in. Change it only under the accumulator's lock.

    `open` has all of them. `entered` has, in each context, the block that was opened last there; it may have been
    closed elsewhere since.
    """

    def __init__(self) -> None:
        self.open: set[AtomicBlock] = set()
        self.entered: ContextVar[AtomicBlock | None] = ContextVar("fleetmeter_atomic", default=None)

    def innermost(self) -> AtomicBlock | None:
        """The innermost block of this context that is still open."""
        block = self.entered.get()  # as `_open_from`, written out: each record in a block asks
        while block is not None and block.closed:
            block = block.outer
        return block

    def held(self) -> int:
        """How many records wait for the end of the blocks that are open in this context."""
        held, block = 0, self.innermost()
        while block is not None:
            held += len(block.records)
            block = block.outer
        return held

    def enter(self) -> AtomicBlock:
        """Open a block in this context."""
        block = AtomicBlock(self.innermost())
        self.open.add(block)
        self.entered.set(block)
        return block

    def leave(self, block: AtomicBlock) -> list[tuple[Callable[[Any], object], Any]]:
        """Close a block. Its records go to the block around it; if there is none, they are returned."""
        if self.entered.get() is block:  # else it was opened in another context, or one inside it is still open
            self.entered.set(block.outer)
        self.open.discard(block)
        records = block.close()
        outer = _open_from(block.outer)
        if outer is None:
            return records
        outer.records += records
        return []

    def abandon(self) -> None:
        """Close all blocks and drop their records."""
        for block in self.open:
            block.close()


def warn_of_many() -> None:
    """Ask in the log whether somebody forgot to end a block; call it without the lock."""
    log.warning(
        "fleetmeter: an atomic() or durable() block holds %d records and is still open; the records of this "
        "thread or task are added only when it ends. Is the block in a suspended generator?",
        MANY,
    )


def _open_from(block: AtomicBlock | None) -> AtomicBlock | None:
    """The innermost block that is still open, from this one outwards."""
    while block is not None and block.closed:
        block = block.outer
    return block
