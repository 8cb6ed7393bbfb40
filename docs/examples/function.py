"""A function that lives for 50 ms: `python function.py`.

The end of the process hands over what it recorded, which takes one or two round trips to the store. Some platforms
freeze the process between two calls instead of ending it: then call `fleetmeter.flush()` at the end of each call.
"""

import time

from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
calls = Counter("calls", "Calls of the function.")

calls.inc()
print(1, flush=True)
time.sleep(0.05)
