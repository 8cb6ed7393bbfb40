"""What this process has recorded and not yet handed over: one number per series, under one lock."""

import threading
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from math import nan
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from fleetmeter.batch import Batch

if TYPE_CHECKING:
    from fleetmeter.definition import Definition


class Cell(Protocol):
    """One value of one metric in this process; see `cells`."""

    definition: "Definition"
    dirty: bool
    quiet: bool

    def take(self) -> Any:
        """What is pending, which is pending no longer; called under the lock."""

    def drop(self) -> None:
        """Let go of what is pending and cannot be taken."""

    def put(self, batch: Batch, taken: Any) -> None:
        """Put what was taken into a batch; called without the lock."""

    def forget(self) -> None:
        """Start from nothing, as a forked child does."""


class AtomicBlock:
    """The records of one `atomic()` block, kept aside until its end; `outer` is the block that it stands in."""

    __slots__ = ("closed", "outer", "records")

    def __init__(self, outer: "AtomicBlock | None") -> None:
        self.outer = outer
        self.records: list[tuple[Callable[[Any], None], Any]] = []
        self.closed = False

    def close(self) -> list[tuple[Callable[[Any], None], Any]]:
        """End the block; its records, which it keeps no longer."""
        self.closed = True
        records, self.records = self.records, []
        return records


def _open(block: AtomicBlock | None) -> AtomicBlock | None:
    """The innermost block that is still open, from this one outwards."""
    while block is not None and block.closed:
        block = block.outer
    return block


class Accumulator:
    """All cells of the process, which of them changed, and which have never been handed over.

    `wake` is called, without the lock, when a record arrives in a process that has recorded nothing before.
    `reject` is told, without the lock, of amounts that are not finite.
    The machinery's own cells are quiet: they ride along with other records and never wake anything.
    The lock is reentrant: garbage collection and signal handlers run in whichever thread is at hand, even in one that
    holds it, and a finalizer or a handler may record.
    """

    def __init__(self, wake: Callable[[], None], reject: Callable[["Definition", object], None]) -> None:
        self.lock = threading.RLock()
        self.open_blocks: set[AtomicBlock] = set()
        self.wake = wake
        self.reject = reject
        self._block: ContextVar[AtomicBlock | None] = ContextVar("fleetmeter_atomic", default=None)
        self._cells: WeakSet[Any] = WeakSet()
        self._definitions: dict[Definition, None] = {}
        self._start_empty()

    def _start_empty(self) -> None:
        self._awake = False
        self._resting = True
        self._dirty: list[Cell] = []
        self._quiet: list[Cell] = []
        self._born: dict[Cell, None] = dict.fromkeys(self._cells)
        self._undefined: dict[Definition, None] = dict(self._definitions)

    def define(self, definition: "Definition") -> None:
        """Make a family known; it is sent with the next batch."""
        with self.lock:
            if definition not in self._definitions:
                self._definitions[definition] = None
                self._undefined[definition] = None

    def adopt(self, cell: Cell) -> None:
        """Take in a new cell; it is in the store, at 0, from the next batch on."""
        with self.lock:
            self._cells.add(cell)
            self._born[cell] = None

    def mark(self, cell: Cell) -> bool:
        """Note, under the lock, that a cell changed. Whether `wake()` must be called once the lock is released."""
        cell.dirty = True
        if cell.quiet:
            self._quiet.append(cell)
            return False
        self._dirty.append(cell)
        if not self._resting:
            return False
        self._resting = False
        self._awake = True
        return True

    @property
    def has_work(self) -> bool:
        """Whether something waits for a batch: a record, or, in a process that has recorded, a new series."""
        return bool(self._dirty or (self._awake and (self._born or self._undefined)))

    @property
    def awake(self) -> bool:
        """Whether this process has recorded anything since it started or was forked."""
        return self._awake

    def defer(self, apply: Callable[[Any], None], amount: object) -> bool:
        """Keep a record for the end of the open `atomic()` block; False when this context has none open."""
        if self._block.get() is None:
            return False
        with self.lock:
            block = _open(self._block.get())
            if block is None:  # a task that outlived the block it was started in
                return False
            block.records.append((apply, amount))
        return True

    def begin(self) -> AtomicBlock:
        """Open a block in this context."""
        block = AtomicBlock(self._block.get())
        with self.lock:
            self.open_blocks.add(block)
        self._block.set(block)
        return block

    def commit(self, block: AtomicBlock) -> None:
        """Close a block: its records go to the block around it, or, without one that is open, in at once."""
        self._block.set(block.outer)
        with self.lock:
            self.open_blocks.discard(block)
            records = block.close()
            outer = _open(block.outer)
            if outer is not None:
                outer.records += records
                return
            rested = self._resting
            for apply, amount in records:
                apply(amount)
            wake = rested and not self._resting
        if wake:
            self.wake()

    def drain(self) -> Batch:
        """Everything that is pending, as a batch: definitions, births, and what changed."""
        with self.lock:
            undefined, changed, dirty, quiet = self._undefined, self._born, self._dirty, self._quiet
            self._undefined, self._born, self._dirty, self._quiet = {}, {}, [], []
            changed.update(dict.fromkeys(dirty))
            changed.update(dict.fromkeys(quiet))
            taken, broken = [], []
            for cell in changed:
                cell.dirty = False
                try:
                    taken.append((cell, cell.take()))
                except (ArithmeticError, TypeError, ValueError):  # no single number may block a writer
                    cell.drop()
                    broken.append(cell)
        for cell in broken:
            self.reject(cell.definition, nan)
        batch = Batch()
        for definition in undefined:
            batch.define(definition)
        for cell, amount in taken:
            cell.put(batch, amount)
        return batch

    def send_all_again(self) -> None:
        """Let the next batch carry every definition, a zero per series and every gauge's value."""
        with self.lock:
            self._born = dict.fromkeys(self._cells)
            self._undefined = dict(self._definitions)

    def rest(self) -> None:
        """Let the next record wake the machinery again, as the first one did."""
        with self.lock:
            self._resting = True
            dirty, self._dirty = self._dirty, []
            for cell in dirty:  # still to be handed over, and marked anew by its next record
                cell.dirty = False
                self._born[cell] = None

    def before_fork(self) -> None:
        """Hold the lock over the fork, so that the child's copy is whole."""
        self.lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        self.lock.release()

    def after_fork_in_child(self) -> None:
        """Start empty, with a lock of its own: what the parent recorded is the parent's to hand over."""
        self.lock = threading.RLock()
        for block in self.open_blocks:  # what stands in them is the parent's too
            block.close()
        self.open_blocks = set()
        self._block = ContextVar("fleetmeter_atomic", default=None)
        cells: Iterable[Cell] = list(self._cells)
        for cell in cells:
            cell.forget()
        self._start_empty()
