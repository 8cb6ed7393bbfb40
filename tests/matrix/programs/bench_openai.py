"""Measures the CPU time of calls and streams that one way of counting adds to, a slice for each line that it reads.

Usage: bench_openai.py WAY, for WAY one of the names in tests/bench/openai_calls.py. Prints microseconds as JSON: of
each call, of each short stream and each long one, and what other threads took since the last line. Answers come from
this process.
"""

import importlib
import json
import sys
import warnings
from time import process_time
from typing import Any

import openai

CALLS, STREAMS, SHORT, LONG = 10, 3, 10, 60
MESSAGES: Any = [{"role": "user", "content": "hello"}]
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 8,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
HEAD = {"id": "chatcmpl-1", "created": 1790000000, "model": "gpt-4o", "service_tier": "default"}


def _event(**parts: Any) -> bytes:
    return b"data: " + json.dumps({**HEAD, "object": "chat.completion.chunk", **parts}).encode() + b"\n\n"


def _choice(content: str | None, reason: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": {} if content is None else {"content": content}, "finish_reason": reason}]


def _events(chunks: int) -> list[bytes]:
    return [
        *(_event(choices=_choice(" word")) for _ in range(chunks - 2)),
        _event(choices=_choice(None, "stop")),
        _event(choices=[], usage=USAGE),
        b"data: [DONE]\n\n",
    ]


EVENTS = {b"short": _events(SHORT), b"long": _events(LONG)}
ANSWER = {
    **HEAD,
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def client() -> Any:
    """A client whose answers are made here."""
    library: Any = importlib.import_module("httpx2" if openai.__version__ >= "3" else "httpx")

    def answer(request: Any) -> Any:
        body = request.read()
        if b'"stream":true' in body:
            events = EVENTS[b"long" if b"long" in body else b"short"]
            return library.Response(200, headers={"content-type": "text/event-stream"}, content=iter(events))
        return library.Response(200, json=ANSWER)

    kind: Any = openai.OpenAI
    if sys.argv[1] == "langfuse":
        kind = importlib.import_module("langfuse.openai").OpenAI
    http_client: Any = openai.DefaultHttpxClient(transport=library.MockTransport(answer))
    return kind(api_key="x", http_client=http_client)


def begin(way: str) -> None:
    """Let that way count."""
    if way.startswith("fleetmeter"):
        import fleetmeter

        if way == "fleetmeter, installed":
            fleetmeter.install()
        fleetmeter.instrument_openai()
    elif way != "none":
        trace: Any = importlib.import_module("opentelemetry.sdk.trace")
        export: Any = importlib.import_module("opentelemetry.sdk.trace.export")
        provider = trace.TracerProvider()

        class Nowhere(export.SpanExporter):  # type: ignore[misc]
            """Spans are made and batched, and go nowhere."""

            def export(self, spans: Any) -> Any:
                return export.SpanExportResult.SUCCESS

            def shutdown(self) -> None:
                return

        if way == "langfuse":
            importlib.import_module("langfuse").Langfuse(
                public_key="pk", secret_key="sk", host="http://127.0.0.1:9", tracer_provider=provider,
                span_exporter=Nowhere(),
            )  # fmt: skip
            return
        provider.add_span_processor(export.BatchSpanProcessor(Nowhere()))
        importlib.import_module("opentelemetry.trace").set_tracer_provider(provider)
        name = "openai" if way == "openllmetry" else "openai_v2"
        importlib.import_module(f"opentelemetry.instrumentation.{name}").OpenAIInstrumentor().instrument()


def measured(create: Any) -> dict[str, list[float]]:
    """Microseconds of CPU of each call, of each short stream, and of each long one."""
    found: dict[str, list[float]] = {"call": [], "short": [], "long": []}
    for _ in range(CALLS):
        started = process_time()
        create(model="gpt-4o", messages=MESSAGES)
        found["call"].append((process_time() - started) * 1e6)
    for length in ("short", "long") * STREAMS:
        asked: Any = [{"role": "user", "content": length}]
        started = process_time()
        for _ in create(model="gpt-4o", messages=asked, stream=True, stream_options={"include_usage": True}):
            pass
        found[length].append((process_time() - started) * 1e6)
    return found


def main() -> None:
    """Measure a slice for each line of the input."""
    warnings.simplefilter("ignore")
    begin(sys.argv[1])
    create: Any = client().chat.completions.create
    ended = process_time()
    for _ in sys.stdin:
        behind = process_time() - ended
        found = measured(create)
        print(json.dumps({**found, "behind": [behind / (CALLS + 2 * STREAMS) * 1e6]}), flush=True)
        ended = process_time()
    importlib.import_module("os")._exit(0)  # nothing of a peer has to be sent anywhere


if __name__ == "__main__":
    main()
