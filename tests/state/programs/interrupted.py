"""Gets SIGTERM while its main thread holds what sending waits for: the lock named by its argument."""

import logging
import os
import signal
import sys

from prometheus_client import Counter

import fleetmeter


class Interrupting(int):
    """A pending amount that is interrupted while another is added to it, which happens under our lock."""

    def __add__(self, other: int) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        os.write(1, b"went on\n")
        return int(self) + other


fleetmeter.install()
counted = Counter("counted", "Records.", ["thread"]).labels("0")
os.write(1, b"ready\n")
counted.inc(5)
if sys.argv[1] == "recording":
    fleetmeter.flush()
    counted._value.pending = Interrupting(4)
    counted.inc(2)
elif sys.argv[1] == "logging":  # the flush thread has something to say about the store
    handler = logging.StreamHandler()
    logging.getLogger("fleetmeter").addHandler(handler)
    handler.acquire()
    os.kill(os.getpid(), signal.SIGTERM)
    os.write(1, b"went on\n")
    handler.release()
sys.stdin.read()
