"""Counts in three greenlets of gevent until it is told to end, and writes one letter per record.

The argument says what has happened already when gevent replaces the standard library: `nothing`, which is how gevent
wants it, `import`, `install`, or `record`.
"""

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import gevent
from gevent import monkey

happened = sys.argv[1]
warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
patch: Callable[[], Any] = monkey.patch_all
if happened == "nothing":
    patch()

from prometheus_client import Counter  # noqa: E402

import fleetmeter  # noqa: E402

if happened == "import":
    patch()
fleetmeter.install()
if happened == "install":
    patch()
counted = Counter("counted", "Records.")
if happened == "record":
    counted.inc(0)
    patch()


def count() -> None:
    """Record and write it down."""
    while True:
        counted.inc()
        os.write(1, b"x")
        gevent.sleep(0.001)


greenlets = [gevent.spawn(count) for _ in range(3)]
gevent.sleep(0.05)
gevent.killall(greenlets)
os.write(1, b"y" if fleetmeter.flush(10) else b"n")  # nobody can answer while the hub is blocked
counted.inc()
os.write(1, b"\n")
gevent.sleep(60)
