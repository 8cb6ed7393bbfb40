#!/usr/bin/env bash
# prometheus_client 0.26.0: one bucket bound below zero, and the histogram has no sum; its own parser then refuses the
# page.
#
# A histogram of differences (estimated cost minus billed cost, clock skew) needs bounds below zero. OpenMetrics lets
# a sum be left out then, because it could fall. One would expect at least the page to stay readable, and the sum in
# the older text format, which has no such rule. Both leave `_sum` out, though not `_count`, so that `rate(x_sum) /
# rate(x_count)` is empty without a word; and the OpenMetrics parser of the same version raises, because a count
# without a sum is an error to it. The bound decides, not the data: a histogram that observes negative values under
# positive bounds keeps its sum of -4.
#
# Seen 2026-11-30: "text: count 1.0, sum missing", "parser: ValueError", "positive bounds: sum -4.0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prometheus_client==0.26.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import sys
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families

registry = CollectorRegistry()
Histogram("error_usd", "Estimated minus billed.", buckets=[-1, 0, 1], registry=registry).observe(0.5)
lines = dict(line.split(" ") for line in generate_latest(registry).decode().splitlines() if line[0] != "#")
try:
    list(text_string_to_metric_families(exposition.generate_latest(registry).decode()))
    parsed = "read"
except ValueError as raised:
    parsed = type(raised).__name__
positive = CollectorRegistry()
other = Histogram("error_usd", "Estimated minus billed.", buckets=[1, 2], registry=positive)
other.observe(-5)
other.observe(1)
kept = positive.get_sample_value("error_usd_sum")
seen = (lines["error_usd_count"], lines.get("error_usd_sum", "missing"), parsed, kept)
print(f"prometheus_client {version('prometheus_client')}")
print(f"text: count {seen[0]}, sum {seen[1]}", f"parser: {parsed}", f"positive bounds: sum {kept}", sep="\n")
sys.exit(seen != ("1.0", "missing", "ValueError", -4.0))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
