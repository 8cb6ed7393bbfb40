"""The accumulator: one number per series, whole batches, and a lock that nothing can hang on."""

import gc
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.amounts import Amount
from fleetmeter.values.batch import Batch
from fleetmeter.values.cells import cell_of

COUNTER = Definition.of("c", "counter", "", "", ("i",), (), "")
GAUGE = Definition.of("g", "gauge", "", "", ("a",), (), "sum")


class Woken(Accumulator):
    """An accumulator that counts how often it woke the machinery."""

    def __init__(self) -> None:
        self.woken = 0
        super().__init__(self._count, lambda definition, amount: None)

    def _count(self) -> None:
        owned: bool = self.lock._is_owned()  # type: ignore[union-attr]  # what threading.Condition asks
        assert not owned, "wake() is called without the lock"
        self.woken += 1


@pytest.fixture
def accumulator() -> Woken:
    """An empty accumulator."""
    return Woken()


def counter(accumulator: Accumulator, label: str = "x", definition: Definition = COUNTER) -> Any:
    """A counter's value."""
    accumulator.define(definition)
    return cell_of(accumulator, definition, (label,), None)


def amounts(batch: Batch) -> dict[str, float]:
    """What a batch adds to the counter."""
    return batch.adds.get(COUNTER.field, {})


def test_what_was_recorded_is_handed_over_once(accumulator: Woken) -> None:
    """A drained delta is gone; the process's own total stays."""
    cell = counter(accumulator)
    cell.inc(2)
    cell.inc(3)
    assert amounts(accumulator.drain()) == {'["x"]': 5}
    assert not accumulator.has_work
    assert amounts(accumulator.drain()) == {}
    assert cell.get() == 5


def test_memory_grows_with_series_and_not_with_events(accumulator: Woken) -> None:
    """However often a counter is incremented during an outage, one entry waits."""
    cell = counter(accumulator)
    for _ in range(1000):
        cell.inc(1)
    assert len(accumulator.changes.dirty) == 1


def test_memory_grows_with_series_that_come_and_go_and_not_with_how_often(accumulator: Woken) -> None:
    """A child that is made, counts and is removed again and again during an outage leaves one removal behind."""
    accumulator.define(GAUGE)
    counter(accumulator, "stays").inc(1)
    accumulator.drain()
    for _ in range(100):
        cell = counter(accumulator)
        cell.inc(1)
        accumulator.remove([cell], COUNTER, ("x",))
        level = cell_of(accumulator, GAUGE, ("x",), None)
        level.set(1)
        accumulator.unset([level])
    changes = accumulator.changes
    waiting = (changes.dirty, changes.born, changes.removals, changes.unset)
    assert [len(held) for held in waiting] == [0, 0, 1, 1]
    batch = accumulator.drain()
    assert (len(batch.removals), len(batch.unset), amounts(batch)) == (1, 1, {})


def test_a_new_series_is_in_the_next_batch_at_0(accumulator: Woken) -> None:
    """A child that exists is shown before it counts, once the process records at all."""
    counter(accumulator, "idle")
    works = [accumulator.has_work]
    counter(accumulator, "busy").inc(1)
    assert amounts(accumulator.drain()) == {'["idle"]': 0, '["busy"]': 1}
    counter(accumulator, "later")
    works.append(accumulator.has_work)
    assert works == [False, True]
    assert amounts(accumulator.drain()) == {'["later"]': 0}


def test_definitions_are_sent_once_and_again_on_demand(accumulator: Woken) -> None:
    """After trouble the next batch carries every definition and a zero per series."""
    cell = counter(accumulator)
    cell.inc(1)
    assert list(accumulator.drain().definitions) == [COUNTER.field]
    cell.inc(1)
    assert list(accumulator.drain().definitions) == []
    accumulator.send_all_again()
    batch = accumulator.drain()
    assert list(batch.definitions) == [COUNTER.field]
    assert amounts(batch) == {'["x"]': 0}


def add_up(records: list[tuple[Any, float]]) -> None:
    """Add each amount to its cell, under the lock."""
    for cell, amount in records:
        cell.add(amount)


def test_what_was_noted_is_there_for_whoever_asks(accumulator: Woken) -> None:
    """Records that wait for being added up are work, are in every value that is read, and in the next batch, once."""
    cell = counter(accumulator)
    assert not accumulator.note(add_up, [(cell, 1)]), "the first record has to wake the machinery"
    cell.inc(1)
    accumulator.drain()
    assert [accumulator.has_work, accumulator.note(add_up, [(cell, 2)]), accumulator.has_work] == [False, True, True]
    assert cell.get() == 3
    accumulator.note(add_up, [(cell, 4)])
    assert amounts(accumulator.drain()) == {'["x"]': 6}
    assert (amounts(accumulator.drain()), cell.get()) == ({}, 7)


def test_a_total_is_set_after_what_was_noted(accumulator: Woken) -> None:
    """What was recorded before is a part of the old total, and is handed over all the same."""
    cell = counter(accumulator)
    cell.inc(1)
    accumulator.note(add_up, [(cell, 2)])
    cell.set(100)
    assert cell.get() == 100
    assert amounts(accumulator.drain()) == {'["x"]': 3}


def test_few_records_wait(accumulator: Woken) -> None:
    """However many come before anybody asks, a fixed number waits for being added up."""
    cell = counter(accumulator)
    cell.inc(1)
    for _ in range(10_000):
        assert accumulator.note(add_up, [(cell, 1)])
    assert len(accumulator._noted) < 100
    assert amounts(accumulator.drain()) == {'["x"]': 10_001}


def test_a_record_that_raises_costs_no_other(accumulator: Woken) -> None:
    """Whoever adds up has the error once; what was noted behind it is added up by the next one."""
    cell = counter(accumulator)
    cell.inc(1)
    accumulator.note(add_up, [(cell, 2)])
    accumulator.note(lambda _: 1 / 0, [])
    accumulator.note(add_up, [(cell, 4)])
    with pytest.raises(ZeroDivisionError):
        accumulator.drain()
    assert amounts(accumulator.drain()) == {'["x"]': 7}


def test_what_was_noted_wakes_after_a_rest(accumulator: Woken) -> None:
    """It is handed over by whoever wakes next, and the next record is not noted but wakes."""
    cell = counter(accumulator)
    cell.inc(1)
    accumulator.note(add_up, [(cell, 2)])
    accumulator.rest()
    assert not accumulator.note(add_up, [(cell, 4)])
    cell.inc(8)
    assert accumulator.woken == 2
    assert amounts(accumulator.drain()) == {'["x"]': 11}


def test_nothing_is_noted_at_the_end(accumulator: Woken) -> None:
    """Whoever lets go of the cells has the records that came in time; later ones go another way."""
    cell = counter(accumulator)
    cell.inc(1)
    accumulator.note(add_up, [(cell, 2)])
    accumulator.note_no_more()
    assert cell.get() == 3
    assert not accumulator.note(add_up, [(cell, 4)])


def test_only_the_first_record_wakes(accumulator: Woken) -> None:
    """The flush thread is started once, and after a rest once more."""
    cell, other = counter(accumulator), counter(accumulator, "y")
    assert accumulator.woken == 0
    cell.inc(1)
    cell.inc(1)
    other.inc(1)
    assert accumulator.woken == 1
    accumulator.drain()
    accumulator.rest()
    other.inc(1)
    assert accumulator.woken == 2


def test_a_record_after_a_rest_wakes_though_the_last_ones_are_still_there(accumulator: Woken) -> None:
    """A shutdown while the store is away leaves deltas behind; the next record of the same series must wake again."""
    cell = counter(accumulator)
    cell.inc(1)
    accumulator.rest()
    assert accumulator.has_work
    cell.inc(1)
    assert accumulator.woken == 2
    assert amounts(accumulator.drain()) == {'["x"]': 2}


def test_the_machinery_wakes_nobody(accumulator: Woken) -> None:
    """Its own families ride along, and do not make a replica of a process that records nothing."""
    own = Definition.of("fleetmeter_flushes", "counter", "", "", ("i",), (), "")
    cell = counter(accumulator, "x", own)
    cell.inc(1)
    assert (accumulator.woken, accumulator.awake, accumulator.has_work) == (0, False, False)
    counter(accumulator).inc(1)
    assert accumulator.drain().adds[own.field] == {'["x"]': 1}


def test_cells_that_nobody_holds_are_let_go(accumulator: Woken) -> None:
    """A removed child does not stay in memory; what it counted is handed over first."""
    cell = counter(accumulator)
    cell.inc(7)
    del cell
    assert amounts(accumulator.drain()) == {'["x"]': 7}
    gc.collect()
    assert len(accumulator._roster.cells) == 0
    accumulator.send_all_again()
    assert amounts(accumulator.drain()) == {}


class Cycle:
    """An object that garbage collection finds, and that records when it goes."""

    def __init__(self, cell: Amount) -> None:
        self.itself = self
        self.cell = cell

    def __del__(self) -> None:
        self.cell.inc(1)


def test_a_finalizer_may_record_while_a_batch_is_made(accumulator: Woken) -> None:
    """Garbage collection runs in the thread that holds the lock; its finalizers count, and nothing hangs."""
    closed = counter(accumulator, "closed")
    cells = [counter(accumulator, str(number)) for number in range(3000)]
    total = 0.0

    def work() -> None:
        nonlocal total
        for _ in range(5):
            for cell in cells:
                cell.inc(1)
            gc.collect()
            for _ in range(100):
                Cycle(closed)
            total += amounts(accumulator.drain()).get('["closed"]', 0)
        gc.collect()
        total += amounts(accumulator.drain()).get('["closed"]', 0)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "deadlock"
    assert total == closed.get() == 500


@pytest.fixture
def alarm() -> Iterator[list[Any]]:
    """A list of functions that SIGALRM's handler calls; the handler that was there returns afterwards."""
    calls: list[Any] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: [call() for call in calls])
    yield calls
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_handler_may_record(accumulator: Woken, alarm: list[Any]) -> None:
    """A handler that interrupts its own thread under the lock counts, and every count arrives."""
    cell = counter(accumulator)
    seen = []

    def handler() -> None:
        cell.inc(1)
        seen.append(1)

    alarm.append(handler)
    handler()
    with accumulator.lock:
        signal.raise_signal(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    own, total = 0, 0.0
    while len(seen) < 200:
        for _ in range(50):
            cell.inc(1)
            own += 1
        total += amounts(accumulator.drain()).get('["x"]', 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    total += amounts(accumulator.drain()).get('["x"]', 0)
    assert total == own + len(seen)


def test_threads_lose_nothing_while_batches_are_made(accumulator: Woken) -> None:
    """What four threads record arrives, exactly, in some batch."""
    cell = counter(accumulator)
    threads = [threading.Thread(target=lambda: [cell.inc(1) for _ in range(20_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    total = 0.0
    while any(thread.is_alive() for thread in threads):
        total += amounts(accumulator.drain()).get('["x"]', 0)
    total += amounts(accumulator.drain()).get('["x"]', 0)
    assert total == cell.get() == 80_000


def test_a_removal_alone_is_work(accumulator: Woken) -> None:
    """Series that an application removes are sent, although nothing was recorded."""
    cell = counter(accumulator)
    accumulator.drain()
    assert not accumulator.has_work
    accumulator.remove([cell], cell.definition, ["x"])
    assert accumulator.has_work


def test_a_forked_child_starts_from_nothing(accumulator: Woken) -> None:
    """What the parent recorded, in an open block too, is the parent's; the series exist in the child at 0."""
    cell, idle = counter(accumulator), counter(accumulator, "idle")
    cell.inc(5)
    accumulator.drain()
    cell.inc(1)
    block = accumulator.begin()
    cell.inc(7)
    accumulator._noted.add(add_up, [(cell, 3)])
    accumulator.before_fork()  # what os.register_at_fork calls, without the fork
    accumulator.after_fork_in_parent()
    accumulator.after_fork_in_child()
    accumulator.commit(block)
    assert (cell.get(), accumulator.has_work, accumulator.awake) == (0, False, False)
    with_block = accumulator.begin()
    cell.inc(1)
    assert not accumulator.has_work, "blocks still collect after the fork"
    accumulator.commit(with_block)
    assert amounts(accumulator.drain()) == {'["x"]': 1, '["idle"]': 0}
    assert idle.get() == 0
    assert accumulator.woken == 2
