"""What a failed test leaves behind: nothing that another one could meet."""

import os
import subprocess
import sys
from pathlib import Path

from support.store import StoreAddress

TWO = """
from prometheus_client import Counter
import fleetmeter
from fleetmeter.process.installation import current

def names():
    fleetmeter.install(flush_interval=60.0)
    try:
        return {cell.definition.name for cell in current().accumulator._roster.cells}
    finally:
        fleetmeter.uninstall()

def test_fails():
    kept = Counter("left_behind", "x", registry=None)
    assert "left_behind" in names()
    kept.inc(1 / 0)

def test_next():
    assert "left_behind" not in names()
"""


def test_a_failed_test_leaves_no_metrics_to_the_next_install(store: StoreAddress, tmp_path: Path) -> None:
    """The failed test's own error is reported in full, and the test after it starts from nothing."""
    (tmp_path / "test_two.py").write_text(TWO)
    words = ["-p", "support.leftovers", "-p", "no:cacheprovider", "-p", "no:valkey", "-q", "-c", os.devnull]
    environ = {**os.environ, **store.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--rootdir", str(tmp_path), str(tmp_path)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ZeroDivisionError" in done.stdout
    assert "1 failed, 1 passed" in done.stdout, done.stdout
