"""How records come in: one by one, in blocks, or noted for later; and whose they are after a fork."""

import threading
from collections.abc import Callable
from os import getpid
from typing import TYPE_CHECKING, Any

from fleetmeter.values.blocks import MANY, AtomicBlock, Blocks, warn_of_many
from fleetmeter.values.pending import Pending

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.cell import Cell


class Accumulator(Pending):
    """The one place that every record of this process goes to: one number per series, under one lock.

    The machinery's own cells are quiet: they go along with other records and never wake anything.

    Server programs may fork in C, and Python does not notice. Such a fork is noticed when a clean cell changes: the
    process id is asked for then, and not for each record.
    """

    def __init__(self, wake: Callable[[], None], reject: Callable[["Definition", object], None]) -> None:
        super().__init__(wake, reject)
        self._pid = getpid()
        self._blocks = Blocks()
        self.open_blocks = self._blocks.open
        self._left = False

    def mark(self, cell: "Cell") -> bool:
        """Note, under the lock, that a cell changed. Returns whether `wake()` must be called after its release."""
        if getpid() != self._pid:
            self.notice_fork()
        cell.dirty = True
        if cell.quiet:
            self.changes.quiet[cell] = None
            return False
        self.changes.dirty[cell] = None
        return self._rouse()

    def defer(self, apply: Callable[[Any], object], amount: object) -> bool:
        """Keep a record for the end of the open `atomic()` block; False when this context has none open."""
        if getpid() != self._pid:
            self.notice_fork()
        blocks = self._blocks
        if blocks.entered.get() is None:
            return False
        with self.lock:
            block = blocks.innermost()
            if block is None:  # a task that outlived the block it was started in
                return False
            block.records.append((apply, amount))
            many = len(block.records) == MANY
        if many:
            warn_of_many()
        return True

    def note(self, apply: Callable[[Any], object], records: object) -> bool:
        """Keep records as they came: `apply(records)` adds them up, all in one step, before anybody asks for a value.

        A call of a model has ten records. Adding up what several calls have left takes a third of the time that each
        by itself takes.

        `apply` gets the lock with them, and adds to cells, no more. The result is False, and nothing is kept, if a
        block is open in this context, which keeps its records itself, if the first record has yet to call `wake`, or
        after `note_no_more`.
        """
        if getpid() != self._pid:
            self.notice_fork()
        if self.open_blocks and self.in_block:
            return False
        with self.lock:
            if self._resting or self._left:
                return False
            self._noted.add(apply, records)
        return True

    def note_no_more(self) -> None:
        """Add up what was noted, and keep no more: the cells are about to go."""
        with self.lock:
            self._left = True
            self.settle()

    @property
    def in_block(self) -> bool:
        """Whether a block is open in this context, so that records are kept for its end."""
        return bool(self.open_blocks) and self._blocks.innermost() is not None

    @property
    def held_back(self) -> int:
        """How many records wait for the end of the blocks that are open in this context."""
        return self._blocks.held() if self.open_blocks else 0

    def begin(self) -> AtomicBlock:
        """Open a block in this context."""
        self.notice_fork()
        with self.lock:
            return self._blocks.enter()

    def commit(self, block: AtomicBlock) -> None:
        """Close a block. Its records go to the block around it, or, if there is none, into the cells at once."""
        self.notice_fork()
        with self.lock:
            rested = self._resting
            for apply, amount in self._blocks.leave(block):
                apply(amount)
            wake = rested and not self._resting
        if wake:
            self.wake()

    def commit_all(self) -> None:
        """Close every block that is open in this context, because its process ends."""
        while (block := self._blocks.innermost()) is not None:
            self.commit(block)

    def notice_fork(self) -> None:
        """Start empty if this process is another one than before, in whatever way it was forked.

        A dirty cell may hold amounts of the parent and of the child, which nobody can tell apart: they are left to the
        parent. A clean cell holds only what was recorded here.
        """
        if getpid() == self._pid:
            return
        with self.lock:
            if getpid() != self._pid:  # another thread may have noticed meanwhile
                self._be_child(lambda cell: cell.forget() if cell.dirty else cell.forget_parent())

    def before_fork(self) -> None:
        """Hold the lock over the fork, so that the child's copy is whole."""
        self.lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        self.lock.release()

    def after_fork_in_child(self) -> None:
        """Start empty, with a new lock: what the parent recorded is handed over by the parent."""
        self.lock = threading.RLock()
        self._be_child(lambda cell: cell.forget())

    def _be_child(self, forget: Callable[["Cell"], None]) -> None:
        """Start empty: the open blocks and their records are the parent's, and each cell is made to forget its own."""
        self._pid = getpid()
        self._blocks.abandon()
        self._blocks = Blocks()
        self.open_blocks = self._blocks.open
        for cell in list(self._roster.cells):
            forget(cell)
        self._start_empty()
