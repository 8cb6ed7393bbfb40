"""A replica that records all that a board shows, until it is ended: `python -m support.board_service`.

Each round is one `atomic()` block, so that the fleet's totals hold whole rounds only.
"""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

import fleetmeter
from fleetmeter import llm
from fleetmeter.llm.guards import (
    record_budget,
    record_budget_rejection,
    record_circuit_change,
    record_circuit_state,
)
from fleetmeter.pricing import PriceList, Usage

MODELS = {"gpt-6-luna": "price_only", "gpt-6.1-sol": "technical_analysis"}
ROUNDS_PER_SECOND = 10


def main() -> None:
    """Record a round ten times a second."""
    llm.configure(labels={"team": 5}, intents=MODELS.values())
    fleetmeter.install(flush_interval=0.1)
    registry = CollectorRegistry()
    requests = Counter("http_requests", "x", ["method", "endpoint", "status"], registry=registry)
    durations = Histogram(
        "http_request_duration_seconds", "x", ["method", "endpoint"], registry=registry, buckets=(0.1, 0.5, 1, 5)
    )
    under_way = Gauge("http_requests_in_progress", "x", registry=registry, multiprocess_mode="livesum")
    prices = PriceList()
    number = 0
    while True:
        number += 1
        with fleetmeter.atomic():
            _round(number, requests, durations, prices)
            under_way.set(number % 3)
        time.sleep(1 / ROUNDS_PER_SECOND)


def _round(number: int, requests: Counter, durations: Histogram, prices: PriceList) -> None:
    status = "500" if number % 50 == 0 else "200"
    requests.labels("POST", "/ask", status).inc()
    durations.labels("POST", "/ask").observe(0.05 * (number % 20))
    usage = Usage(prompt=100, cached=50, cache_write=10, completion=40, reasoning=20)
    for model, intent in MODELS.items():
        with llm.attributes(team="search" if number % 3 else "[ads] <b>&amp;"):
            llm.record_openai_call(
                model=model, endpoint="chat.completions", intent=intent, stream=True, duration=0.2,
                time_to_first_token=0.1, usage=usage, cost=prices.cost(model, usage),
            )  # fmt: skip
        llm.record_model_selection(intent, model, "cheap")
    llm.record_cache_operation("get", "hit" if number % 2 else "miss")
    llm.update_cache_metrics(size=number, hit_rate=0.5, evictions=0)
    llm.record_cost_savings("price_only", 0.0001, "routing")
    if number % 10 == 0:
        llm.record_error("UpstreamFailedError", "/ask")
        llm.record_openai_call(
            model="gpt-6-luna", endpoint="chat.completions", intent="price_only", duration=0.1, error="RateLimitError"
        )
        llm.record_model_fallback("price_only", "rate_limited")
        record_circuit_change("gpt-6-luna", "open")
        record_circuit_state("gpt-6-luna", "open")
        record_budget("all", "day", 10.0, 8.0)
        record_budget_rejection("all", "reject")


if __name__ == "__main__":
    main()
