"""What exists in this process and was not handed over yet: families, cells, and which of the cells changed."""

import threading
from collections.abc import Callable, Iterable, Sequence
from math import nan
from typing import TYPE_CHECKING, Any

from fleetmeter.values.batch import Batch
from fleetmeter.values.changes import Changes
from fleetmeter.values.locks import LastLock
from fleetmeter.values.noted import Noted
from fleetmeter.values.roster import Roster

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.cell import Cell


class Pending:
    """The families and cells of this process, and what the next batch is made of, under one lock.

    `wake` is called, without the lock, when a record arrives in a process that has recorded nothing before. `reject` is
    called, without the lock, with each amount that is not finite.

    A cell that is detached stays dirty for ever and is in no list, so that recording into it changes nothing.

    The lock is reentrant: garbage collection and signal handlers run in any thread, even in one that holds the lock,
    and a finalizer or a handler may record.
    """

    def __init__(self, wake: Callable[[], None], reject: Callable[["Definition", object], None]) -> None:
        self.lock: threading.RLock | LastLock = threading.RLock()
        self.wake = wake
        self.reject = reject
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

    def settle(self) -> None:
        """Add up what was noted, under the lock: no cell's value is right before that."""
        self._noted.settle()

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
