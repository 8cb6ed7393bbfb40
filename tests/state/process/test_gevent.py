"""gevent: the flush thread waits as the application's greenlets do, whenever gevent came into play."""

import signal
import subprocess
import sys
import time

import pytest

from fleetmeter.embedded import EmbeddedStore
from support.processes import PATIENCE, PROGRAMS, environment, fleet, started, value
from support.store import StoreAddress, new_address


@pytest.mark.parametrize("happened", ["nothing", "import", "install", "record"])
def test_greenlets_count_whatever_happened_before_gevent_patched(happened: str, store: StoreAddress) -> None:
    """`flush()` is answered, which it cannot be while something blocks the hub, and SIGTERM loses no record."""
    command = [sys.executable, str(PROGRAMS / "greenlets.py"), happened]
    variables = environment(store, FLEETMETER_FLUSH_INTERVAL="60")
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            letters = process.stdout.readline()
            process.terminate()
            status = process.wait(PATIENCE)
        finally:
            process.kill()

    assert letters.endswith("y\n")
    assert status == -signal.SIGTERM
    assert value(fleet(store), "counted_total") == letters.count("x") + 1 > 3


def test_sigterm_in_the_hub_waits_for_a_store_that_is_slow() -> None:
    """A signal handler that runs in the hub must not wait there: the answer that it waits for could never come in."""
    with EmbeddedStore() as server:
        assert server.process is not None
        store = new_address(server)
        with started("stalled.py", store) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            server.process.send_signal(signal.SIGSTOP)
            process.stdin.write("go on\n")
            process.stdin.flush()
            assert process.stdout.readline() == "counted\n"
            process.terminate()
            time.sleep(0.1)
            server.process.send_signal(signal.SIGCONT)
            assert process.wait(PATIENCE) == -signal.SIGTERM
        assert value(fleet(store), "counted_total") == 11
