#!/usr/bin/env bash
# datadog-checks-base 38.7.0, OpenMetrics V2: one empty page at the start, and a counter's whole history is counted
# again.
#
# The first scrape of a check is a baseline: a counter that stands at 5,000 is submitted with the mark that its first
# value must not be counted. One would expect the baseline to be the first value of each series. It is the first
# scrape of the target: if that page had no family yet (an exporter that waits for its store, or a restarted agent
# that comes in that moment), the next one submits 5,000 with the mark that it is an increment. Old spending then
# shows up as one spike today.
#
# Seen 2026-11-30: "page first: 5000.0 flush_first_value False", "empty page first: 5000.0 flush_first_value True".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    datadog-checks-base==38.7.0 lazy-loader==0.6 requests==2.34.2 requests-unixsocket==0.4.1 binary==1.0.2 \
    prometheus_client==0.26.0 wrapt==2.5.2 PyYAML==6.0.4 pydantic==2.14.4 python-dateutil==4.0.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import sys
import threading

from datadog_checks.base import OpenMetricsBaseCheckV2
from datadog_checks.base.stubs import aggregator

PAGE = "# HELP cost_total Spent.\n# TYPE cost_total counter\ncost_total 5000\n"
pages = []


class Exporter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = pages.pop(0).encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


class Check(OpenMetricsBaseCheckV2):
    __NAMESPACE__ = "fleet"


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/metrics"


def last_submission(*texts):
    """What the check hands to the agent for the counter at the last of the pages."""
    check = Check("fleet", {}, [{"openmetrics_endpoint": address, "metrics": [".+"]}])
    for text in texts:
        aggregator.reset()
        pages.append(text)
        problem = check.run()
        if problem:
            sys.exit(problem)
    (metric,) = aggregator.metrics("fleet.cost.count")
    return metric.value, metric.flush_first_value


first, late = last_submission(PAGE), last_submission("", PAGE)
print("datadog-checks-base 38.7.0")
print(f"page first: {first[0]} flush_first_value {first[1]}")
print(f"empty page first: {late[0]} flush_first_value {late[1]}")
sys.exit((first, late) != ((5000.0, False), (5000.0, True)))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
