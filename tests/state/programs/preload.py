"""Counts in a process that fleetmeter knows nothing of, forks, and installs where its argument says."""

import os
import sys
import time

from prometheus_client import Counter, Gauge, Histogram

import fleetmeter

where = sys.argv[1]
counted = Counter("counted", "Records.")
seconds = Histogram("work", "Durations.", unit="seconds")
late = Counter("late", "Its child is made after the fork.", ["k"])
level = Gauge("level", "Level.", multiprocess_mode="max")
counted.inc(10)
seconds.observe(10)
level.set(4)
time.sleep(0.05)  # when a process began is known to a hundredth of a second

if where == "daemon":
    main = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == main:
        time.sleep(0.01)
    fleetmeter.install()
    counted.inc()
    sys.exit()
if where == "parent, then children":
    fleetmeter.install()
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        late.labels("a").inc()
        fleetmeter.install()
        counted.inc()
        seconds.observe(1)
        sys.exit()
    assert os.waitpid(pid, 0)[1] == 0
if where == "children, then parent":
    fleetmeter.install()
