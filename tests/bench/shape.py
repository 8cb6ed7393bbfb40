"""What a scrape is measured with: families of counters and histograms whose labels look like those of an LLM service.

Half of the samples are counters, half belong to histograms. Seven of ten families of counters count, two are money, one
is seconds; of the histograms five are seconds, three count, two are money. A family of each kind has 5,000 samples, so
that none is larger than it may be by default; a larger state has more families.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.scale import bound_text

PER_FAMILY = 5_000
"""Samples of a family."""

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, float("inf"))
PER_HISTOGRAM = len(BOUNDS) + 2
"""Samples of one series: its buckets, count and sum. All buckets have counts."""

_ENDPOINTS = ("chat.completions", "responses", "embeddings", "chat.completions.stream")
_INTENTS = ("summarise", "extract", "translate", "classify", "code_review")
_MODELS = ("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna", "gpt-6-astra")
_COUNTERS = (*["bench_requests_{}"] * 7, *["bench_cost_{}_usd"] * 2, "bench_busy_{}_seconds")
_HISTOGRAMS = (*["bench_latency_{}_seconds"] * 5, *["bench_tokens_{}"] * 3, *["bench_price_{}_usd"] * 2)


def packs() -> bool:
    """Whether what is measured is packed, as by default; NUMBERS=fields asks for the format of before it."""
    return os.environ.get("NUMBERS") != "fields"


@dataclass(frozen=True)
class Shape:
    """One family: its definition, and how many series it has to begin with."""

    definition: Definition
    series: int

    @property
    def samples(self) -> int:
        """Samples of one series."""
        return PER_HISTOGRAM if self.definition.has_parts else 1

    @property
    def parts(self) -> tuple[str | None, ...]:
        """The numbers of one series."""
        return (*self.definition.bounds, "sum") if self.definition.has_parts else (None,)

    def values(self, number: int) -> tuple[str, ...]:
        """The label values of a series, by its number; any number, so that there may be more than at first."""
        endpoint, at = _ENDPOINTS[number % 4], number // 4
        if self.definition.has_parts:
            return endpoint, _model(at)
        return endpoint, f"{_INTENTS[at // 50 % 5]}-{at // 50:02}", _model(at % 50)

    def fields(self, first: int, last: int) -> Iterator[str]:
        """The fields of all numbers of the series from one number up to another."""
        for number in range(first, last):
            for part in self.parts:
                yield self.definition.series_field(self.values(number), part)


def _model(number: int) -> str:
    return f"{_MODELS[number % 4]}-{number:03}"


def shapes(samples: int, *, packed: bool) -> list[Shape]:
    """The families of a state with so many samples."""
    define, bounds = partial(Definition.of, packed=packed), [bound_text(bound) for bound in BOUNDS]
    found = []
    for number in range(samples // PER_FAMILY // 2):
        name = _COUNTERS[number % 10].format(number)
        counter = define(name, "counter", "A counter.", "", ("endpoint", "intent", "model"), (), "")
        name = _HISTOGRAMS[number % 10].format(number)
        histogram = define(name, "histogram", "A histogram.", "", ("endpoint", "model"), bounds, "")
        found += [Shape(counter, PER_FAMILY), Shape(histogram, PER_FAMILY // PER_HISTOGRAM)]
    return found
