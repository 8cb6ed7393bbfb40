"""One series of counters, histograms or summaries: its numbers over all layouts, and the samples that show them."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from prometheus_client.samples import Exemplar

from fleetmeter.reader.sample import Labels, Sample
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.exemplars import newer
from fleetmeter.schema.scale import in_finer_units, unscaled


@dataclass
class Series:
    """The numbers of one series by part, over all layouts, and the newest exemplar of each; `key` says its place.

    The layouts' values are added up in the units of `scale`, a multiple of the scale of each, and divided once. So a
    family that is kept in both formats during an upgrade shows what one of them would: 0.6, and not 0.4 + 0.2.
    `since_us` is the time from which the series counts, if it was removed and came back; of several layouts the
    earliest. It is 0 if any layout has had the series since its registration.
    """

    key: bytes
    since_us: int
    scale: int
    parts: dict[str, float] = field(default_factory=dict)
    exemplars: dict[str, Exemplar] = field(default_factory=dict)

    def add(self, part: str, stored: float, scale: int, exemplar: Exemplar | None) -> None:
        """Add the stored number of a layout of that scale to a part."""
        before = self.parts.get(part, 0)
        if part in ("", "sum"):
            self.parts[part] = _sum(before, in_finer_units(stored, self.scale // scale))
        else:
            self.parts[part] = unscaled(before + unscaled(stored, 1), 1)
        if exemplar is not None:
            self.exemplars[part] = newer(exemplar, self.exemplars.get(part))

    def value(self, part: str) -> float:
        """The sum of a part that is a value, in the family's unit; 0 if no layout has it."""
        return unscaled(self.parts.get(part, 0), self.scale)


def _sum(one: float, other: float) -> float:
    """Infinite if a float is added to a whole number that no float can hold."""
    try:
        return one + other
    except OverflowError:
        return inf if max(one, other, key=abs) > 0 else -inf


def series_samples(newest: Definition, labels: Labels, series: Series) -> Iterable[Sample]:
    """The samples of a series, as the newest definition of its family wants them."""
    return _SAMPLES[newest.type](newest, labels, series)


def _counter_samples(_newest: Definition, labels: Labels, series: Series) -> Iterable[Sample]:
    return [Sample("_total", labels, series.value(""), series.exemplars.get(""))]


def _summary_samples(_newest: Definition, labels: Labels, series: Series) -> Iterable[Sample]:
    return [Sample("_count", labels, series.parts.get("count", 0)), Sample("_sum", labels, series.value("sum"))]


def _histogram_samples(newest: Definition, labels: Labels, series: Series) -> Iterator[Sample]:
    """Cumulative buckets. A count under a bound that the newest list lacks moves to the next higher bound of that list.

    If the list was `0.1, 0.5` and is `0.25, 1` now, what was counted under 0.5 is shown under 1. Its exemplar moves
    along; if several meet in one bucket, the newest is shown.
    """
    texts = newest.bounds or tuple(sorted({*series.parts, "+Inf"} - {"sum"}, key=float))
    bounds = [float(text) for text in texts]
    counts: list[float] = [0] * len(bounds)
    exemplars: list[Exemplar | None] = [None] * len(bounds)
    for part, value in series.parts.items():
        if part != "sum":
            bucket = bisect_left(bounds, float(part))
            counts[bucket] = unscaled(counts[bucket] + value, 1)
            if part in series.exemplars:
                exemplars[bucket] = newer(series.exemplars[part], exemplars[bucket])
    total: float = 0
    for text, count, exemplar in zip(texts, counts, exemplars, strict=True):
        total = unscaled(total + count, 1)
        yield Sample("_bucket", (*labels, ("le", text)), total, exemplar)
    yield Sample("_count", labels, total)
    if bounds[0] >= 0:  # as in prometheus_client: a sum of negative amounts goes up and down
        yield Sample("_sum", labels, series.value("sum"))


_SAMPLES: dict[str, Callable[[Definition, Labels, Series], Iterable[Sample]]] = {
    "counter": _counter_samples,
    "histogram": _histogram_samples,
    "summary": _summary_samples,
}
"""What makes the samples of one series, by the family's type."""
