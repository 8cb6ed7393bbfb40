"""What a piece of code recorded, for tests of services: in memory, without a store.

    def test_a_question_costs_what_it_costs(fleetmeter_recorder):
        ask("TSLA price")
        assert fleetmeter_recorder.total("openai_api_calls_total") == 1
        assert fleetmeter_recorder.nanodollars() == 18_125

pytest knows the fixture if fleetmeter is installed. Without pytest, `with Recorder() as recorder:` does the same.
"""

import difflib
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Self

import prometheus_client
from prometheus_client import CollectorRegistry

__all__ = ["Recorder"]

_Series = tuple[str, tuple[tuple[str, str], ...]]
_OWN = (
    ("fleetmeter.llm.catalogue", "REGISTRY"),
    ("fleetmeter.instrumentation.http_metrics", "default_registry"),
    ("fleetmeter.llm.genai", "REGISTRY"),
)
"""Where the library's own families are registered, by module and name."""
_NEAR = 3
"""Names that are offered for one that is unknown."""


class Recorder:
    """Counts what this process records from the moment it is made, or `start()` is called.

    It sees the metrics of prometheus_client's default registry, those of `fleetmeter.llm` and of `instrument_fastapi`,
    and those of `registries`. It works whether fleetmeter is installed or not. Records inside an `atomic()` block are
    seen once the block has ended.
    """

    def __init__(self, *registries: CollectorRegistry) -> None:
        self._registries = registries
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back: a recorder changes nothing that it reads."""

    def start(self) -> None:
        """Count from here on. Also forgets which responses were billed, because tests like to use one id twice."""
        billed = sys.modules.get("fleetmeter.instrumentation.openai.billed")
        if billed is not None:
            billed.forget_billed()
        self._before = dict(self._samples())

    def total(self, sample: str, **labels: str) -> float:
        """By how much a sample has grown, summed over all series that have these label values.

        `sample` is a name as an exposition shows it: `orders_total`, `openai_tokens_used_sum`, `latency_seconds_count`.
        Raises `LookupError` if no metric has such a sample, or none has such a label.
        """
        return sum(now - self._before.get(key, 0.0) for key, now in self._matching(sample, labels))

    def nanodollars(self, sample: str = "openai_total_cost_usd_total", **labels: str) -> int:
        """By how many whole nano-dollars (10⁻⁹ US dollars) a sample in US dollars has grown; see `total`."""
        return sum(_nano(now) - _nano(self._before.get(key, 0.0)) for key, now in self._matching(sample, labels))

    def value(self, sample: str, **labels: str) -> float:
        """A gauge as it stands, summed over all series that have these label values; see `total`."""
        return sum(now for _, now in self._matching(sample, labels))

    def changes(self) -> dict[str, float]:
        """Everything that has changed and by how much, by series as an exposition shows it.

        Samples of `_created`, and those of the process itself (`process_*`, `python_*`), are left out.
        """
        changed = {key: now - self._before.get(key, 0.0) for key, now in self._samples()}
        return {_shown(key): by for key, by in changed.items() if by and not _is_machine(key[0])}

    def _matching(self, sample: str, labels: dict[str, str]) -> Iterator[tuple[_Series, float]]:
        names: set[str] = set()
        known: set[str] = set()
        found = []
        for key, now in self._samples():
            names.add(key[0])
            if key[0] == sample:
                has = dict(key[1])
                known.update(has)
                if all(has.get(name) == str(value) for name, value in labels.items()):
                    found.append((key, now))
        if sample not in names and not self._is_declared(sample):
            near = difflib.get_close_matches(sample, names, _NEAR)
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise LookupError(
                f"no metric has a sample {sample!r}; expected a name as an exposition shows it, with its suffix{hint}"
            )
        unknown = labels.keys() - known
        if known and unknown:
            raise LookupError(f"{sample} has no label {sorted(unknown)[0]!r}; it has: {', '.join(sorted(known))}")
        return iter(found)

    def _samples(self) -> Iterator[tuple[_Series, float]]:
        for registry in self._all():
            for family in registry.collect():
                for sample in family.samples:
                    yield (sample.name, tuple(sorted(sample.labels.items()))), float(sample.value)

    def _is_declared(self, sample: str) -> bool:
        """Whether a family without a series could have such a sample."""
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}
        return any(
            sample in [family.name + suffix for suffix in suffixes.get(family.type, ("",))]
            for registry in self._all()
            for family in registry.collect()
        )

    def _all(self) -> Iterable[CollectorRegistry]:
        found: list[Any] = [prometheus_client.REGISTRY]
        for module, name in _OWN:
            if module in sys.modules:  # else it has recorded nothing
                registry = getattr(sys.modules[module], name)
                found.append(registry if isinstance(registry, CollectorRegistry) else registry())
        return dict.fromkeys([*found, *self._registries])


def _is_machine(sample: str) -> bool:
    return sample.endswith("_created") or sample.startswith(("process_", "python_"))


def _nano(dollars: float) -> int:
    return round(dollars * 10**9)


def _shown(key: _Series) -> str:
    name, labels = key
    text = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{text}}}" if text else name
