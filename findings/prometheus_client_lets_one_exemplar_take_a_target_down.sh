#!/usr/bin/env bash
# prometheus_client 0.26.0: one exemplar with a dotted label makes the whole page unreadable, for its own parser too.
#
# OpenTelemetry calls the thing `trace.id`, and this version allows dots in names of metrics and labels: it escapes
# them to underscores for scrapers that know no dots. One would expect exemplars to be escaped likewise, or to be
# refused when they are recorded. `inc(1, exemplar={"trace.id": …})` succeeds and the name is written as it is. The
# OpenMetrics parser of the same version raises ValueError, and Prometheus 2.42 marks the target as down, although its
# exemplar storage is off: every metric of the process is gone until that child is replaced, because of one request
# that was traced.
#
# Seen 2026-11-30: "label of a series: written as trace_id", "label of an exemplar: written as trace.id", "parser:
# ValueError", and apart from this script, with Debian's Prometheus 2.42: target down, 'expected equal, got
# "INVALID"'.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prometheus_client==0.26.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import sys
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

registry = CollectorRegistry()
Counter("by_label", "Labels are escaped.", ["trace.id"], registry=registry).labels("abc").inc()
before = len(list(text_string_to_metric_families(generate_latest(registry).decode())))
Counter("by_exemplar", "Exemplars are not.", registry=registry).inc(1, exemplar={"trace.id": "abc"})
page = generate_latest(registry).decode()
label = 'by_label_total{trace_id="abc"} 1.0' in page
exemplar = 'by_exemplar_total 1.0 # {trace.id="abc"} 1.0' in page
try:
    parsed = f"{len(list(text_string_to_metric_families(page)))} families"
except ValueError as raised:
    parsed = f"{type(raised).__name__}: {raised}"
print(f"prometheus_client {version('prometheus_client')}")
print(f"label of a series: written as {'trace_id' if label else 'something else'}")
print(f"label of an exemplar: written as {'trace.id' if exemplar else 'something else'}")
print(f"parser without the exemplar: {before} families", f"parser with it: {parsed}", sep="\n")
sys.exit(not (before == 1 and label and exemplar and parsed.startswith("ValueError")))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
