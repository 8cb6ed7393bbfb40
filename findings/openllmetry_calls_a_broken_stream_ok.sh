#!/usr/bin/env bash
# opentelemetry-instrumentation-openai 0.62.4 (openllmetry): a stream that raises in the caller's hands is a span
# "OK".
#
# A refused call gets a span with status ERROR and counts as an exception. One would expect the same of a stream that
# brings an error event after its first chunk, because the SDK raises APIError from the loop that reads it. The span
# ends with status OK, without an error attribute, and the counter of exceptions stays where it was. Overload shows
# itself mostly in the middle of streams: an error rate from these spans or metrics is lowest when it should be
# highest.
#
# Seen 2026-11-30: "refused: RateLimitError, span ERROR", "broken stream: APIError, span OK", "exceptions counted 1 of
# 2".
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

    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")

    def log_message(self, *arguments):
        pass


def chunk(text="", tokens=None, finish=None, choices=True):
    """One piece of a chat stream; tokens are the completion's, beside a prompt of 100."""
    delta = {"role": "assistant", "content": text} if text else {}
    piece = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    piece["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish}] if choices else []
    if tokens is not None:
        piece["usage"] = usage(tokens)
    return piece


def usage(tokens):
    return {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens}


def serve(answer):
    handler = type("Handler", (Upstream,), {"answer": answer})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


QUESTION = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


def answer(self, body):
    trouble = {"error": {"message": "overloaded", "type": "server_error", "param": None, "code": None}}
    if not body.get("stream"):
        self.send_json(trouble, 429)
        return
    self.head(200, "text/event-stream")
    self.event(chunk("word"))
    self.event(trouble)


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
raised = []
for stream in (False, True):
    try:
        for _ in client.chat.completions.create(**QUESTION, stream=stream):
            pass
    except openai.APIError as error:
        raised.append(type(error).__name__)
states = [span.status.status_code.name for span in spans.get_finished_spans()]
counted = sum(point.value for point in points("llm.openai.chat_completions.exceptions"))
print(f"refused: {raised[0]}, span {states[0]}", f"broken stream: {raised[1]}, span {states[1]}", sep="\n")
print(f"exceptions counted {counted} of {len(raised)}")
sys.exit((raised, states, counted) != (["RateLimitError", "APIError"], ["ERROR", "OK"], 1))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
