"""gevent: the flush thread waits as the application's greenlets do, whenever gevent came into play."""

import signal
import subprocess
import sys

import pytest

from support.processes import PATIENCE, PROGRAMS, environment, fleet, value
from support.store import StoreAddress


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
