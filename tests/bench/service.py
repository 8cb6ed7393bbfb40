"""The mixture of kinds that real services have: LiteLLM, Synapse, vLLM and the gateway's own families."""

from bench.kinds_state import (
    OTHER_BOUNDS,
    Part,
    counter,
    enum,
    fraction,
    gauge,
    histogram,
    info,
    micros,
    summary,
    without_first_label,
)

SHARES = {
    "histograms of seconds": 0.30,
    "histograms with fractional sums": 0.16,
    "histograms of counts": 0.14,
    "histograms of two layouts": 0.04,
    "counters of counts": 0.12,
    "counters of money": 0.04,
    "counters of fractions": 0.06,
    "counters of two layouts": 0.02,
    "gauges of each replica": 0.04,
    "gauges, summed": 0.03,
    "gauges, newest": 0.02,
    "summaries": 0.01,
    "infos": 0.01,
    "enums": 0.01,
}
"""Parts of the samples.

Most of what a service has belongs to histograms. LiteLLM's latencies have no unit in their names, and its spending is
a counter of fractions; Synapse and vLLM measure seconds; all of them have gauges for what goes on.
"""


def service(samples: int) -> list[Part]:
    """The families of a service with so many samples."""
    sizes = {name: round(samples * share) for name, share in SHARES.items()}
    doubled = histogram(sizes["histograms of two layouts"] // 2, "bench_wait_seconds", sums=micros)
    twice = counter(sizes["counters of two layouts"] // 2, "bench_retries")
    return [
        histogram(sizes["histograms of seconds"], "bench_duration_seconds", sums=micros, examples=20),
        histogram(sizes["histograms with fractional sums"], "bench_latency_metric", OTHER_BOUNDS, sums=fraction),
        histogram(sizes["histograms of counts"], "bench_tokens"),
        without_first_label(doubled),
        doubled,
        counter(sizes["counters of counts"]),
        counter(sizes["counters of money"], "bench_cost_usd"),
        counter(sizes["counters of fractions"], "bench_spend_metric", number=fraction),
        without_first_label(twice),
        twice,
        gauge(sizes["gauges of each replica"], "all", "bench_queue", writers=4),
        gauge(sizes["gauges, summed"], "livesum", "bench_running"),
        gauge(sizes["gauges, newest"], "mostrecent", "bench_remaining", number=fraction),
        summary(sizes["summaries"]),
        info(sizes["infos"]),
        enum(sizes["enums"]),
    ]
