"""Calls an upstream in every form while another library counts calls, too. Prints what was counted, as JSON.

Usage: matrix_beside.py PEER ORDER, for PEER openllmetry or langfuse, ORDER before or after: when it was put in place,
as seen from us. OPENAI_BASE_URL names the upstream. `raised` is what callers met that is no error of a call: the other
library's own.
"""

import asyncio
import importlib
import json
import os
import sys
import warnings
from typing import Any

import matrix_openai
import openai

import fleetmeter
from fleetmeter.llm.vocabulary import OPENAI_ERROR_TYPES
from fleetmeter.pricing import Book, PriceList

ROUNDS = 2
spans = 0


def put_in_place(peer: str) -> None:
    """Let the other library count; its spans go nowhere, and are counted."""
    trace: Any = importlib.import_module("opentelemetry.sdk.trace")
    export: Any = importlib.import_module("opentelemetry.sdk.trace.export")

    class Nowhere(export.SpanExporter):  # type: ignore[misc]
        """Counts spans."""

        def export(self, ended: Any) -> Any:
            global spans
            spans += len(ended)
            return export.SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            return

    provider = trace.TracerProvider()
    if peer == "langfuse":
        importlib.import_module("langfuse").Langfuse(
            public_key="pk", secret_key="sk", host="http://127.0.0.1:9", tracer_provider=provider,
            span_exporter=Nowhere(),
        )  # fmt: skip
        importlib.import_module("langfuse.openai")
        return
    provider.add_span_processor(export.SimpleSpanProcessor(Nowhere()))
    importlib.import_module("opentelemetry.instrumentation.openai").OpenAIInstrumentor().instrument(
        tracer_provider=provider
    )


def main() -> None:
    """Run one peer in one order."""
    peer, order = sys.argv[1:]
    warnings.simplefilter("ignore")
    if order == "before":
        put_in_place(peer)
    local = {"127.0.0.1": "openai", os.environ["OPENAI_BASE_URL"]: "openai"}
    fleetmeter.instrument_openai(prices=PriceList(Book(providers=local)))
    if order == "after":
        put_in_place(peer)
    matrix_openai.run_sync(ROUNDS)
    asyncio.run(matrix_openai.run_async(ROUNDS, None))
    if peer == "langfuse":
        importlib.import_module("langfuse").get_client().flush()
    ours = {name: count for name, count in matrix_openai.errors.items() if name in OPENAI_ERROR_TYPES}
    raised = {name: count for name, count in matrix_openai.errors.items() if name not in ours}
    print(
        json.dumps(
            {
                "version": openai.__version__,
                "made": matrix_openai.made,
                "seen": ours,
                "raised": raised,
                "spans": spans,
                **matrix_openai.counted(),
            }
        ),
        flush=True,
    )
    os._exit(0)  # nothing of the peer has to be sent anywhere


if __name__ == "__main__":
    main()
