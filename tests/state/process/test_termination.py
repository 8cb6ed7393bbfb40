"""SIGTERM and SIGKILL: what a process that is told to end, or is ended, leaves in the store."""

import signal
import struct
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from fleetmeter.embedded import EmbeddedStore
from support.exposition import Series
from support.processes import PATIENCE, eventually, fleet, run, started, value
from support.store import StoreAddress, new_address


def ledger(path: Path) -> list[tuple[int, int]]:
    """Each thread's records: begun, done."""
    return list(struct.iter_unpack("<qq", path.read_bytes()))


def counted(samples: dict[Series, float], thread: int) -> float:
    """What the fleet has of a thread."""
    return samples.get(("counted_total", frozenset({("thread", str(thread))})), 0)


def terminate(process: subprocess.Popen[str], after: float) -> int:
    """Let a process run for so many seconds, tell it to end, and wait for its status."""
    time.sleep(after)
    process.terminate()
    return process.wait(PATIENCE)


@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("after", [0.0, 0.05, 0.6])
def test_the_default_action_of_sigterm_loses_no_record_of_the_main_thread(
    after: float, others: int, store: StoreAddress, tmp_path: Path
) -> None:
    """A process that counts in its main thread and in others ends by the signal, with the main thread's records exact.

    Other threads go on until the process is gone; of them at least what they had recorded before the signal is there.
    """
    path = tmp_path / "ledger"
    with started("busy.py", store, path, "default", others) as process:
        time.sleep(after)
        before = ledger(path)
        status = terminate(process, 0)

    assert status == -signal.SIGTERM
    samples = fleet(store)
    begun, done = ledger(path)[0]
    assert done <= counted(samples, 0) <= begun
    for thread in range(1, others + 1):
        assert before[thread][1] <= counted(samples, thread) <= ledger(path)[thread][0]


def test_a_process_that_waits_hands_over_what_it_has_before_sigterm_ends_it(
    store: StoreAddress, tmp_path: Path
) -> None:
    """The signal finds an idle main thread and records that no flush has taken yet."""
    with started("busy.py", store, tmp_path / "ledger", "idle", 0, FLEETMETER_FLUSH_INTERVAL="60") as process:
        assert terminate(process, 0.05) == -signal.SIGTERM

    assert counted(fleet(store), 0) == 5


def test_a_record_that_sigterm_interrupts_is_finished_and_handed_over(store: StoreAddress) -> None:
    """The signal comes in the middle of a record, under the lock that sending needs: it is in the store too."""
    with started("interrupted.py", store, "recording", FLEETMETER_FLUSH_INTERVAL="60") as process:
        assert process.wait(PATIENCE) == -signal.SIGTERM

    assert counted(fleet(store), 0) == 5 + 6


def test_a_lock_of_somebody_else_holds_the_end_up_for_a_moment_only(store: StoreAddress) -> None:
    """The signal comes while the main thread holds a lock for which the flush thread waits: the main thread goes on."""
    missing = "unix:///nonexistent/store.sock"
    with started("interrupted.py", store, "logging", FLEETMETER_REDIS_URL=missing) as process:
        assert process.wait(PATIENCE) == -signal.SIGTERM
        assert process.stdout is not None
        assert process.stdout.read() == "went on\n"


@pytest.mark.parametrize("way", ["note", "note late"])
def test_an_own_handler_is_called_as_before(way: str, store: StoreAddress, tmp_path: Path) -> None:
    """An application that ends in its own time counts on until then, whether its handler was set before us or after."""
    path = tmp_path / "ledger"
    with started("busy.py", store, path, way, 2) as process:
        assert terminate(process, 0.1) == 0

    samples = fleet(store)
    assert value(samples, "signals_total") == 1
    assert [counted(samples, thread) for thread in range(3)] == [done for _, done in ledger(path)]


@pytest.mark.parametrize("way", ["leave", "flush and leave"])
def test_an_own_handler_may_raise_anywhere(way: str, store: StoreAddress, tmp_path: Path) -> None:
    """A handler that calls `sys.exit` in the middle of a record or of `flush()` loses nothing and doubles nothing."""
    path = tmp_path / "ledger"
    with started("busy.py", store, path, way, 0) as process:
        assert terminate(process, 0.1) == 7

    samples = fleet(store)
    begun, done = ledger(path)[0]
    assert done <= counted(samples, 0) <= begun
    assert value(samples, "signals_total") == 1


def test_a_flush_that_a_handler_cuts_off_is_not_counted_twice(tmp_path: Path) -> None:
    """The store has the call but not answered it when `sys.exit` ends the caller's wait; the batch is in once."""
    path = tmp_path / "ledger"
    with EmbeddedStore() as server:
        store = new_address(server)
        with started("busy.py", store, path, "flush and leave", 0) as process:
            assert eventually(lambda: ledger(path)[0][1] > 100)
            assert server.process is not None
            server.process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            process.terminate()
            time.sleep(0.1)
            server.process.send_signal(signal.SIGCONT)
            assert process.wait(PATIENCE) == 7
        begun, done = ledger(path)[0]
        assert done <= counted(fleet(store), 0) <= begun


def test_an_ignored_sigterm_stays_ignored(store: StoreAddress, tmp_path: Path) -> None:
    """The process goes on, and ends well when it ends by itself."""
    path = tmp_path / "ledger"
    with started("busy.py", store, path, "ignore", 1) as process:
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 0

    samples = fleet(store)
    assert [counted(samples, thread) for thread in range(2)] == [done for _, done in ledger(path)]


def test_sigterm_ends_a_process_whose_store_is_away(tmp_path: Path) -> None:
    """The last words are bounded: in a busy main thread, in one that waits in `flush(60)`, and in an idle one."""
    with EmbeddedStore() as server, ExitStack() as stack:
        processes = [
            stack.enter_context(started("busy.py", new_address(server), tmp_path / way, way, 0))
            for way in ("default", "flush", "idle")
        ]
        server.kill()
        time.sleep(0.4)
        assert_all_end(processes)


def test_sigterm_ends_a_process_whose_store_does_not_answer(tmp_path: Path) -> None:
    """A store that takes calls and is silent holds nobody up beyond the last words, however long its timeout is."""
    with EmbeddedStore() as server, ExitStack() as stack:
        address = new_address(server)
        store = StoreAddress(f"{address.url}?socket_timeout=30", address.namespace)
        processes = [
            stack.enter_context(started("busy.py", store, tmp_path / way, way, 2)) for way in ("default", "flush")
        ]
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        stack.callback(server.process.send_signal, signal.SIGCONT)
        time.sleep(0.4)
        assert_all_end(processes)


def assert_all_end(processes: list[subprocess.Popen[str]]) -> None:
    """Tell processes to end; all of them do, by the signal, long before a store or a `flush(60)` would let them."""
    for process in processes:
        process.terminate()
    assert [process.wait(PATIENCE) for process in processes] == [-signal.SIGTERM] * len(processes)


def test_sigkill_loses_at_most_the_last_flush_interval_and_one_round_trip(store: StoreAddress) -> None:
    """Whatever was recorded longer ago than the interval, and half a second for the machine, is in the store."""
    interval, slack = 0.25, 0.5
    with started("timed.py", store, FLEETMETER_FLUSH_INTERVAL=str(interval)) as process:
        time.sleep(1.5)
        killed_at = time.monotonic()
        process.kill()
        assert process.stdout is not None
        times = [float(line) for line in process.stdout.read().split("\n")[:-1]]
        assert process.wait(PATIENCE) == -signal.SIGKILL

    stored = value(fleet(store), "timed_total")
    assert len(times) > 100
    assert sum(time <= killed_at - interval - slack for time in times) <= stored <= len(times)


def test_a_clean_end_says_more_than_a_kill(store: StoreAddress) -> None:
    """What a kill may lose is what an exit hands over: the same program, ended by itself, is exact."""
    ended = run("timed.py", store, 50, FLEETMETER_FLUSH_INTERVAL="60")

    times = ended.stdout.split("\n")[1:-1]
    assert value(fleet(store), "timed_total") == len(times) == 50


@pytest.mark.parametrize("way", ["ends", "goes on"])
def test_uvicorn_ends_by_the_signal_it_raises_again_after_everything_was_handed_over(
    way: str, store: StoreAddress, tmp_path: Path
) -> None:
    """Its default action would end the process before any exit handler; a program that goes on is ended, too."""
    result = run("after_uvicorn.py", store, way, tmp_path / "s")
    assert result.returncode == -signal.SIGTERM, result.stderr
    assert value(fleet(store), "last_total") == 7
