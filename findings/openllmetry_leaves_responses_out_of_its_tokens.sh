#!/usr/bin/env bash
# opentelemetry-instrumentation-openai 0.62.4 (openllmetry): the token metric does not know calls of the Responses
# API.
#
# Both ways of asking are instrumented, and both write spans with their tokens. One would expect the histogram
# `gen_ai.client.token.usage` to hold both. It holds the chat calls only: of 1,320 tokens it shows 120, and the
# histogram of durations has one call of two. The dashboards stay plausible, and spending falls on them with each
# program that moves to the newer interface.
#
# Seen 2026-11-30: "tokens on spans 1320", "tokens in the metric 120", "calls made 2, in the duration metric 1".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openai==3.57.0 opentelemetry-instrumentation-openai==0.62.4 opentelemetry-sdk==1.45.2 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import json
import sys
import threading

import openai
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Upstream(http.server.BaseHTTPRequestHandler):
    """Stands in for a provider on the loopback."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.close_connection = True
        self.answer(body)

    def head(self, status, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()

    def send_json(self, value, status=200, kind="application/json"):
        self.head(status, kind)
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *arguments):
        pass


def usage(tokens):
    return {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens}


def whole(text="hi", finish="stop"):
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return answer | {"usage": usage(20)}


def serve(answer):
    handler = type("Handler", (Upstream,), {"answer": answer})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


QUESTION = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


RESPONSE = {
    "id": "r",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 1000,
        "output_tokens": 200,
        "total_tokens": 1200,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}


def answer(self, body):
    self.send_json(whole() if self.path.endswith("/chat/completions") else RESPONSE)


spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
tracing = TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(spans))
OpenAIInstrumentor().instrument(tracer_provider=tracing, meter_provider=MeterProvider([reader]))


def points(name):
    """The data points of one metric, as attributes and value."""
    for resource in reader.get_metrics_data().resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name == name:
                    yield from metric.data.data_points


client = openai.OpenAI(base_url=serve(answer), api_key="made-up", timeout=10, max_retries=0)
client.chat.completions.create(**QUESTION)
client.responses.create(model="m", input="x")
on_spans = sum(span.attributes["gen_ai.usage.total_tokens"] for span in spans.get_finished_spans())
in_metric = sum(point.sum for point in points("gen_ai.client.token.usage"))
calls = sum(point.count for point in points("gen_ai.client.operation.duration"))
print(f"tokens on spans {on_spans}", f"tokens in the metric {in_metric}", sep="\n")
print(f"calls made 2, in the duration metric {calls}")
sys.exit((on_spans, in_metric, calls) != (1320, 120, 1))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
