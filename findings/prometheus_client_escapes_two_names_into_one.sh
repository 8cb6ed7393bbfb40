#!/usr/bin/env bash
# prometheus_client 0.26.0: names that differ for the registry are the same on the page.
#
# A registry refuses two families of one name. Since dots are allowed, `gen_ai.tokens` (OpenTelemetry's spelling) and
# `gen_ai_tokens` (Prometheus' own) are two names for it. One would expect the check to look at what is written,
# because a scraper that asks for no particular escaping, as Prometheus 2.42 does, gets both with underscores. The
# page then holds one series twice, with 5 and with 7: Prometheus kept the 5 and showed the target as up. Two labels
# of one metric that meet in this way are worse: the series has one label twice, and the same Prometheus marked the
# target as down ("label name "gen_ai_model" is not unique"), and the client's own parser refuses the page.
# (Prometheus was tried apart from this script.)
#
# Seen 2026-11-30: 'gen_ai_tokens_total 5.0', 'gen_ai_tokens_total 7.0',
# 'calls_total{gen_ai_model="a",gen_ai_model="b"} 1.0', "the client's parser: ValueError".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prometheus_client==0.26.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import sys
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

registry = CollectorRegistry()
Counter("gen_ai_tokens", "First.", registry=registry)
try:
    Counter("gen_ai_tokens", "Again.", registry=registry)
    refused = False
except ValueError:
    refused = True
registry = CollectorRegistry()
Counter("gen_ai.tokens", "By one library.", registry=registry).inc(5)
Counter("gen_ai_tokens", "By another.", registry=registry).inc(7)
Counter("calls", "Two labels.", ["gen_ai.model", "gen_ai_model"], registry=registry).labels("a", "b").inc()
page = generate_latest(registry).decode()
series = [line for line in page.splitlines() if line.startswith(("gen_ai_tokens_total", "calls_total"))]
try:
    parsed = f"{len(list(text_string_to_metric_families(page)))} families"
except ValueError as raised:
    parsed = type(raised).__name__
print(f"prometheus_client {version('prometheus_client')}", f"the same name twice: refused {refused}", *series, sep="\n")
print(f"the client's parser: {parsed}")
expected = [
    "gen_ai_tokens_total 5.0",
    "gen_ai_tokens_total 7.0",
    'calls_total{gen_ai_model="a",gen_ai_model="b"} 1.0',
]
sys.exit(not (refused and series == expected and parsed == "ValueError"))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
