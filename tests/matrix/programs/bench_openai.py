"""Measures the CPU time of calls and stream chunks that one way of counting adds to; prints microseconds as JSON.

Usage: bench_openai.py WAY, for WAY one of none, fleetmeter, openllmetry, langfuse. Answers come from this process.
"""

import importlib
import json
import sys
import warnings
from time import process_time
from typing import Any

import openai

CALLS, STREAMS, CHUNKS = 300, 20, 200
MESSAGES: Any = [{"role": "user", "content": "hello"}]
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
HEAD = {"id": "chatcmpl-1", "created": 1790000000, "model": "gpt-4o", "service_tier": "default"}


def _event(**parts: Any) -> bytes:
    return b"data: " + json.dumps({**HEAD, "object": "chat.completion.chunk", **parts}).encode() + b"\n\n"


def _choice(content: str | None, reason: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": {} if content is None else {"content": content}, "finish_reason": reason}]


EVENTS = [
    *(_event(choices=_choice(" word")) for _ in range(CHUNKS - 2)),
    _event(choices=_choice(None, "stop")),
    _event(choices=[], usage=USAGE),
    b"data: [DONE]\n\n",
]
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
        if b'"stream":true' in request.read():
            return library.Response(200, headers={"content-type": "text/event-stream"}, content=iter(EVENTS))
        return library.Response(200, json=ANSWER)

    kind: Any = openai.OpenAI
    if sys.argv[1] == "langfuse":
        kind = importlib.import_module("langfuse.openai").OpenAI
    http_client: Any = openai.DefaultHttpxClient(transport=library.MockTransport(answer))
    return kind(api_key="x", http_client=http_client)


def begin(way: str) -> None:
    """Let that way count."""
    if way == "fleetmeter":
        import fleetmeter

        fleetmeter.instrument_openai()
    elif way in {"openllmetry", "langfuse"}:
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
        importlib.import_module("opentelemetry.instrumentation.openai").OpenAIInstrumentor().instrument()


def measured() -> dict[str, float]:
    """Microseconds of CPU for a call, and for a chunk of a stream."""
    create: Any = client().chat.completions.create
    best = {"call": float("inf"), "chunk": float("inf")}
    for _ in range(5):
        started = process_time()
        for _ in range(CALLS):
            create(model="gpt-4o", messages=MESSAGES)
        best["call"] = min(best["call"], (process_time() - started) / CALLS * 1e6)
        started = process_time()
        for _ in range(STREAMS):
            for _ in create(model="gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}):
                pass
        best["chunk"] = min(best["chunk"], (process_time() - started) / STREAMS / CHUNKS * 1e6)
    return best


def main() -> None:
    """Measure."""
    warnings.simplefilter("ignore")
    begin(sys.argv[1])
    print(json.dumps(measured()), flush=True)
    sys.stdout.flush()
    importlib.import_module("os")._exit(0)  # nothing of a peer has to be sent anywhere


if __name__ == "__main__":
    main()
