#!/usr/bin/env bash
# opentelemetry-instrumentation-fastapi 0.66b2: beside another wrapper of the stack, one of the two does not count.
#
# A library that must stand outside all middleware wraps FastAPI's `build_middleware_stack`, as this instrumentation
# does itself. One would expect wrappers to nest in either order, and each to be taken back alone. If the other one
# came first, `instrument_app` succeeds and the first request logs that the stack is unexpected: no span is ever made,
# and no metric `http.server.*`. If the other one came second, `uninstrument_app` throws it away with its own: the
# application serves on and the other library counts nothing from then on.
#
# Seen 2026-11-30: "other first: other 1, spans 0", "other second: other 1, spans 1", "after uninstrument_app: other
# 0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    fastapi==0.165 starlette==1.10.0 httpx2==2.16.2 opentelemetry-instrumentation-fastapi==0.66b2 \
    opentelemetry-sdk==1.45.2 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import sys

from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def run(*steps):
    """Applies the steps to a new application and returns what the other library and OpenTelemetry saw of one request."""
    app, counted, spans = FastAPI(), [], InMemorySpanExporter()
    app.get("/x")(lambda: 1)

    def other():
        build = app.build_middleware_stack

        def built():
            stack = build()

            async def count(scope, receive, send):
                if scope["type"] == "http":
                    counted.append(scope["path"])
                await stack(scope, receive, send)

            return count

        app.build_middleware_stack = built

    def instrument():
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(spans))
        FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["receive", "send"])

    def uninstrument():
        FastAPIInstrumentor.uninstrument_app(app)

    for step in steps:
        {"other": other, "instrument": instrument, "uninstrument": uninstrument}[step]()
    assert TestClient(app).get("/x").json() == 1
    return len(counted), len(spans.get_finished_spans())


first, second = run("other", "instrument"), run("instrument", "other")
after = run("instrument", "other", "uninstrument")
print(
    f"other first: other {first[0]}, spans {first[1]}", f"other second: other {second[0]}, spans {second[1]}", sep="\n"
)
print(f"after uninstrument_app: other {after[0]}")
sys.exit((first, second, after[0]) != ((1, 0), (1, 1), 0))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
