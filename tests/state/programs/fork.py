"""Counts in a process and in its forked children, in the way that its argument names, and writes what it counted."""

import os
import signal
import sys
import threading
import time
from types import FrameType

from prometheus_client import Counter

import fleetmeter

way = sys.argv[1]
fleetmeter.install()
counted = Counter("counted", "Records.")
by = Counter("counted_by", "Records by who made them.", ["who"])
told = threading.Event()


def child(pid: int) -> bool:
    """Whether this is the child; the parent waits for it and ends where it fails."""
    if pid == 0:
        return True
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"a child ended with {status}")
    return False


def count_until_told(totals: dict[int, int]) -> None:
    """Record, and note how often."""
    number = 0
    while not told.is_set():
        counted.inc()
        number += 1
        if number % 20 == 0:
            time.sleep(0.0005)
    totals[threading.get_ident()] = number


def fork_and_count(times: int) -> None:
    """Fork so many children, each of which counts one and ends."""
    for _ in range(times):
        if child(os.fork()):
            by.labels("child").inc()
            sys.exit()


if way == "after counting":
    counted.inc(10)
    if child(os.fork()):
        counted.inc()
        sys.exit()
elif way == "after a flush":
    counted.inc(10)
    fleetmeter.flush()
    if child(os.fork()):
        counted.inc()
        sys.exit()
elif way == "in an atomic block":
    with fleetmeter.atomic():
        counted.inc(10)
        is_child = child(os.fork())
        if is_child:
            counted.inc()
    if is_child:
        sys.exit()
elif way == "grandchild":
    counted.inc(10)
    if child(os.fork()):
        counted.inc()
        if child(os.fork()):
            counted.inc(100)
        sys.exit()
elif way == "terminated child":
    counted.inc(10)
    pid = os.fork()
    if pid == 0:
        counted.inc()
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert os.waitpid(pid, 0)[1] == signal.SIGTERM
elif way == "while threads record":
    totals: dict[int, int] = {}
    threads = [threading.Thread(target=count_until_told, args=(totals,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    fork_and_count(15)
    told.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(str(sum(totals.values())))
elif way == "from several threads":
    sys.setswitchinterval(1e-6)  # so that one thread's fork falls into another's
    counted.inc(10)
    threads = [threading.Thread(target=lambda: [os.waitpid(end_at_once(), 0) for _ in range(25)]) for _ in range(3)]

    def end_at_once() -> int:
        """Fork a child that counts, hands over and is gone: it must not run on as a copy of the thread."""
        pid = os.fork()
        if pid == 0:
            by.labels("child").inc()
            os._exit(0 if fleetmeter.flush() else 1)
        counted.inc()
        return pid

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
elif way == "interrupted child":
    parent = os.getpid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

    def interrupt(frame: FrameType, event: str, _: object) -> None:
        """Send an interrupt from the midst of what a fork calls in the child."""
        if frame.f_code.co_name == "_be_child" and event == "call" and os.getpid() != parent:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

    counted.inc(10)
    sys.setprofile(interrupt)
    if child(os.fork()):
        counted.inc()
        sys.exit()
elif way == "uninstalled child":
    counted.inc(10)
    if child(os.fork()):
        counted.inc()
        fleetmeter.uninstall()
        counted.inc(100)
        sys.exit()
