"""The fleet's totals at one instant, read from the store or from an exporter's page."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from fleetmeter.reader.families import Family

_NANO = 10**9


@dataclass(frozen=True)
class Totals:
    """The samples of one read or scrape: (name, labels, value). Buckets are left out, unless they were asked for."""

    samples: tuple[tuple[str, dict[str, str], float], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a text exposition. Raises `ValueError` if the text is none."""
        return cls(
            tuple(
                (sample.name, sample.labels, sample.value)
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if not sample.name.endswith("_bucket")
            )
        )

    @classmethod
    def of(cls, families: Iterable[Family], buckets_of: Collection[str] = ()) -> Self:
        """From the families of a snapshot, with the buckets of those that `buckets_of` names."""
        return cls(
            tuple(
                (family.definition.name + sample.suffix, dict(sample.labels), sample.value)
                for family in families
                for sample in family.samples
                if sample.suffix != "_bucket" or family.definition.name in buckets_of
            )
        )

    def has(self, name: str) -> bool:
        """Whether there is a sample of that name."""
        return name in self._by_name

    def total(self, name: str, **labels: str) -> int:
        """The sum over all series of a name that have these labels, as a whole number."""
        return round(sum(self._values(name, labels)))

    def by(self, label: str, name: str, **labels: str) -> Counter[str]:
        """The sum for each value of one label, as whole numbers; values of 0 are left out."""
        sums: Counter[str] = Counter()
        for value, pairs in self._matching(name, labels):
            if value:
                sums[pairs.get(label, "")] += round(value)
        return sums

    def nanodollars_by(self, label: str, name: str) -> Counter[str]:
        """The sum of a family in dollars for each value of one label, in nano-dollars."""
        sums: Counter[str] = Counter()
        for value, pairs in self._matching(name, {}):
            sums[pairs.get(label, "")] += round(value * _NANO)
        return sums

    def labels(self, name: str) -> set[str]:
        """The names of all labels that the series of a name have."""
        return {label for _, pairs in self._matching(name, {}) for label in pairs}

    def series(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series of a name."""
        return [(pairs, value) for value, pairs in self._matching(name, {})]

    def nanodollars(self, name: str, **labels: str) -> int:
        """The sum of a family in dollars, in nano-dollars. It is exact, as each series holds whole nano-dollars."""
        return sum(round(value * _NANO) for value in self._values(name, labels))

    def value(self, name: str) -> float:
        """The sum over all series of a name, 0 if there is none; for a family without labels, its value."""
        return sum(self._values(name, {}))

    def replica_requests(self) -> dict[str, int]:
        """Requests of each living replica since it started, by its name without the process id."""
        named = self.by("replica", "replica_requests")
        return {name.partition(":")[0]: count for name, count in named.items()}

    def _values(self, name: str, labels: dict[str, str]) -> list[float]:
        return [value for value, _ in self._matching(name, labels)]

    def _matching(self, name: str, labels: dict[str, str]) -> list[tuple[float, dict[str, str]]]:
        wanted = labels.items()
        return [(value, pairs) for value, pairs in self._by_name.get(name, ()) if wanted <= pairs.items()]

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[float, dict[str, str]]]]:
        found: dict[str, list[tuple[float, dict[str, str]]]] = defaultdict(list)
        for name, pairs, value in self.samples:
            found[name].append((value, pairs))
        return dict(found)
