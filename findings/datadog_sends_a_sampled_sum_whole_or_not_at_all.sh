#!/usr/bin/env bash
# datadog 0.56.0, DogStatsd with aggregation: a sample rate is thrown for the sum, not for each event.
#
# `sample_rate=0.5` sends half of the events, and the server doubles them. With `disable_aggregation=False` the client
# adds counts up itself, and sends one packet per series and flush. One would expect it to leave sampling out then, as
# it saves nothing any more, or to sample before it adds. It adds all events, and draws once for the sum: 100 events
# arrive as 200 or as nothing. The rate is that of the series' first event since the last flush, so one event with a low
# rate takes all others along, also those that were never meant to be sampled: 1,000 events, of which 999 have no rate,
# arrive as nothing in 99 of 100 flushes, and as 100,000 in the other. Long averages stay right. No single burst is:
# not the nightly job, and not the minute before an alert.
#
# Seen 2026-11-30: "without aggregation, 40 flushes of 100 events: between 74 and 118", "with aggregation: 0.0 in 14
# flushes, 200.0 in 26 flushes", "one event of 1,000 is sampled at 0.01: 0.0 in 39 flushes, 100000.0 in 1 flushes".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datadog==0.56.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import collections
import random
import socket
import sys
from importlib.metadata import version

from datadog.dogstatsd.base import DogStatsd

FLUSHES = 40


def received(server):
    """What a server makes of the packets that have arrived: each value divided by its rate, added up."""
    total = 0.0
    while True:
        try:
            packet = server.recv(65_535).decode()
        except TimeoutError:
            return total
        for line in packet.splitlines():
            value, _, *rest = line.split("|")
            rates = [float(part[1:]) for part in rest if part.startswith("@")]
            total += float(value.split(":")[1]) / (rates[0] if rates else 1)


def flushes(*events, aggregate):
    """How often each total arrives. An event is a number of increments and their sample rate."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(0.05)
    client = DogStatsd(
        host="127.0.0.1",
        port=server.getsockname()[1],
        disable_aggregation=not aggregate,
        disable_telemetry=True,
        flush_interval=3_600,
    )
    random.seed(1)
    seen = collections.Counter()
    for _ in range(FLUSHES):
        for count, rate in events:
            for _ in range(count):
                client.increment("calls", sample_rate=rate)
        client.flush_aggregated_metrics()
        client.flush()
        seen[received(server)] += 1
    return seen


def told(seen):
    return ", ".join(f"{total} in {count} flushes" for total, count in sorted(seen.items()))


single = flushes((100, 0.5), aggregate=False)
summed = flushes((100, 0.5), aggregate=True)
mixed = flushes((1, 0.01), (999, None), aggregate=True)
print(f"datadog {version('datadog')}")
print(f"without aggregation, {FLUSHES} flushes of 100 events: between {min(single):.0f} and {max(single):.0f}")
print(f"with aggregation: {told(summed)}")
print(f"one event of 1,000 is sampled at 0.01: {told(mixed)}")
near = all(50 < total < 150 for total in single)
sys.exit(not near or set(summed) != {0.0, 200.0} or not {0.0} <= set(mixed) <= {0.0, 100_000.0})
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
