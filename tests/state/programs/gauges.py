"""Sets a gauge of every mode to its argument, by the client that the environment names, and waits for its end."""

import os
import sys
from typing import get_args

from prometheus_client import Gauge

from fleetmeter import flush, install
from support.everything import Mode

IN_FLEET = "FLEETMETER_REDIS_URL" in os.environ
if IN_FLEET:
    install()
for mode in get_args(Mode):
    Gauge(f"g_{mode}", "A gauge.", ["k"], multiprocess_mode=mode).labels("v").set(float(sys.argv[1]))
assert flush() or not IN_FLEET
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.read()
