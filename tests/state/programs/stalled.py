"""Counts 1, and 10 more while that is on its way to the store; then nothing but gevent's hub runs."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402
from prometheus_client import Counter  # noqa: E402

import fleetmeter  # noqa: E402

fleetmeter.install()
counted = Counter("counted", "Records.")
os.write(1, b"ready\n")
sys.stdin.readline()
counted.inc()
gevent.sleep(0.4)
counted.inc(10)
os.write(1, b"counted\n")
gevent.sleep(60)
