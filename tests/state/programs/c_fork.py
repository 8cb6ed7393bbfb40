"""Forks in C, so that Python's hooks do not run, in the way that its argument names."""

import ctypes
import os
import sys

from prometheus_client import Counter, Gauge, Histogram

import fleetmeter

way = sys.argv[1]
fleetmeter.install()
counted = Counter("counted", "Records.")
size = Histogram("size", "Sizes.", buckets=(1, 10))
level = Gauge("level", "Level.", multiprocess_mode="sum")
libc = ctypes.CDLL(None)


def fork() -> int:
    """The C library's own."""
    return int(ctypes.PyDLL(None).fork())


if way == "counted before":
    counted.inc(10)
    level.set(5)
    assert fleetmeter.flush()
elif way == "in an atomic block":
    block = fleetmeter.atomic()
    block.__enter__()
    counted.inc(10)
for _ in range(3):
    child = fork()
    if child == 0:
        if way == "child half":
            ctypes.pythonapi.PyOS_AfterFork_Child()
        counted.inc()
        size.observe(3)
        level.inc(1)
        if way == "terminated":
            os.kill(os.getpid(), 15)
        os._exit(0 if fleetmeter.flush() and fleetmeter.hand_over() else 1)
    _, status = os.waitpid(child, 0)
    if status != (15 if way == "terminated" else 0):
        sys.exit(f"a child ended with {status}")
if way == "in an atomic block":
    block.__exit__(None, None, None)
