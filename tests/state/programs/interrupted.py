"""Gets SIGTERM while its main thread holds what sending waits for: the lock named by its argument."""

import logging
import os
import signal
import sys

from prometheus_client import Counter

import fleetmeter


class Interrupting(int):
    """An amount that is interrupted while it is added, which happens under our lock."""

    def __radd__(self, other: int) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        os.write(1, b"went on\n")
        return other + int(self)


fleetmeter.install()
counted = Counter("counted", "Records.", ["thread"]).labels("0")
os.write(1, b"ready\n")
counted.inc(5)
if sys.argv[1] == "recording":
    counted.inc(Interrupting(6))
elif sys.argv[1] == "logging":  # the flush thread has something to say about the store
    handler = logging.StreamHandler()
    logging.getLogger("fleetmeter").addHandler(handler)
    handler.acquire()
    os.kill(os.getpid(), signal.SIGTERM)
    os.write(1, b"went on\n")
    handler.release()
sys.stdin.read()
