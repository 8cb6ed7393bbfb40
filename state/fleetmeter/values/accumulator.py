"""What this process has recorded and not yet handed over: one number per series, under one lock."""

import threading
from collections.abc import Callable, Iterable, Sequence
from math import nan
from os import getpid
from typing import TYPE_CHECKING, Any

from fleetmeter.values.batch import Batch
from fleetmeter.values.blocks import MANY, AtomicBlock, Blocks, warn_of_many
from fleetmeter.values.changes import Changes
from fleetmeter.values.locks import LastLock
from fleetmeter.values.noted import Noted
from fleetmeter.values.roster import Roster

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.cell import Cell


class Accumulator:
    """All cells of the process: which of them changed, and which were never handed over.

    `wake` is called, without the lock, when a record arrives in a process that has recorded nothing before. `reject` is
    called, without the lock, with each amount that is not finite.

    The machinery's own cells are quiet: they go along with other records and never wake anything. A cell that is
    detached stays dirty for ever and is in no list, so that recording into it changes nothing.

    Server programs may fork in C, and Python does not notice. Such a fork is noticed when a clean cell changes: the
    process id is asked for then, and not for each record.

    The lock is reentrant: garbage collection and signal handlers run in any thread, even in one that holds the lock,
    and a finalizer or a handler may record.
    """

    def __init__(self, wake: Callable[[], None], reject: Callable[["Definition", object], None]) -> None:
        self.lock: threading.RLock | LastLock = threading.RLock()
        self._pid = getpid()
        self._blocks = Blocks()
        self.open_blocks = self._blocks.open
        self.wake = wake
        self.reject = reject
        self._left = False
        self._roster = Roster()
        self._start_empty()

    def _start_empty(self) -> None:
        self._awake = False
        self._resting = True
        self._noted = Noted()
        changes = Changes()
        self._roster.announce(changes)  # before the old ones go: a cell may be held by nobody else
        self.changes = changes

    def define(self, definition: "Definition") -> None:
        """Make a family known; it is sent with the next batch."""
        with self.lock:
            if definition not in self._roster.definitions:
                self._roster.definitions[definition] = None
                self.changes.undefined[definition] = None

    def undefine(self, definition: "Definition") -> None:
        """Take a family's definition back, if it was not handed over yet and has no cell."""
        with self.lock:
            undefined = self.changes.undefined
            if definition in undefined and not self._roster.has_cell_of(definition):
                del self._roster.definitions[definition], undefined[definition]

    def adopt(self, cell: "Cell") -> None:
        """Take in a new cell. From the next batch on it is in the store, at 0."""
        with self.lock:
            self._roster.cells.add(cell)
            self.changes.born[cell] = None

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

    def _rouse(self) -> bool:
        """Note that this process records. Returns whether `wake()` must be called after the lock is released."""
        if not self._resting:
            return False
        self._resting = False
        self._awake = True
        return True

    def remove(self, cells: Iterable["Cell"], definition: "Definition", pattern: Sequence[str | None]) -> bool:
        """Detach these cells, and remove the fleet's series that fit the pattern (display order, None fits any value).

        Returns whether `wake()` must be called: the caller may hold a lock.
        """
        with self.lock:
            self.detach(cells)
            self.changes.removals[definition, tuple(pattern)] = None
            return self._rouse()

    def unset(self, cells: Iterable["Cell"]) -> bool:
        """Detach these cells and take their values from the fleet. Returns whether `wake()` must be called."""
        with self.lock:
            gone = list(cells)
            self.detach(gone)
            if not (self._awake and gone):  # nothing of them was ever handed over
                return False
            self.changes.unset.update(((cell.definition, tuple(cell.labelvalues)), None) for cell in gone)
            return self._rouse()

    def detach(self, cells: Iterable["Cell"]) -> None:
        """Let go of cells whose metric is gone: what they hold is not handed over any more."""
        with self.lock:
            for cell in cells:
                cell.dirty = True
                self.changes.forget(cell)
                self._roster.discard(cell)

    def follow(self, cell: "Cell") -> None:
        """Let a function supply a cell's value, which counts as a record. The cell joins `functions`."""
        with self.lock:
            if cell not in self._roster.cells:
                return
            self._roster.functions.add(cell)
            self._rouse()
        self.wake()

    @property
    def functions(self) -> list[Any]:
        """The cells whose values come from functions."""
        if not self._roster.functions:
            return []
        with self.lock:  # a fork must not copy the set while it is being walked through
            return list(self._roster.functions)

    @property
    def has_work(self) -> bool:
        """Whether something waits for a batch: a record; or a new series, if this process has recorded."""
        return len(self._noted) > 0 or self.changes.has_records or (self._awake and self.changes.has_news)

    @property
    def awake(self) -> bool:
        """Whether this process has recorded anything since it started or was forked."""
        return self._awake

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

    def settle(self) -> None:
        """Add up what was noted, under the lock: no cell's value is right before that."""
        self._noted.settle()

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

    def drain(self) -> Batch:
        """Everything that is pending, as a batch: definitions, births, and what changed."""
        with self.lock:
            self.settle()
            changes, self.changes = self.changes, Changes()
            taken, broken = changes.take()
        for cell in broken:
            self.reject(cell.definition, nan)
        return changes.batch(taken)

    def send_all_again(self) -> None:
        """Let the next batch carry every definition, a zero per series and every gauge's value."""
        with self.lock:
            self._roster.announce(self.changes)

    def rest(self) -> None:
        """Let the next record wake the machinery again, as the first one did."""
        with self.lock:
            self.settle()
            self._resting = True
            dirty, self.changes.dirty = self.changes.dirty, {}
            for cell in dirty:  # still to be handed over, and marked anew by its next record
                cell.dirty = False
                self.changes.born[cell] = None

    def wait_for_nobody(self) -> None:
        """Let no record wait for the lock while the interpreter is finalising: its holder never runs again."""
        if not isinstance(self.lock, LastLock):
            self.lock = LastLock(self.lock)

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
