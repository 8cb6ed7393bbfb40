"""What a sample of each kind costs a scrape, beside one of the plain kind: whole counts.

    make bench ONLY=kinds                    30,000 samples of each kind
    make bench ONLY=kinds SAMPLES=100000     as many
    make bench ONLY=kinds BESIDE=../before   the same with another checkout, in turn
    make bench ONLY=kinds NUMBERS=fields     what is added up as fields of hashes, in the place of packed numbers

Each kind has a namespace and a process of its own, and takes turns with the plain kind: what else the machine does
meets both. Costs are processor time of the process that reads and writes out, of the cheapest turn.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

from bench.exporter import shown
from bench.kinds_packed import PackedState
from bench.kinds_state import (
    OTHER_BOUNDS,
    Part,
    State,
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
from bench.processes import free_port
from bench.renderers import Renderer, through_a_collector, through_the_exposition
from bench.scrape import PATIENT
from bench.service import service
from bench.shape import packs
from bench.tables import judged, show
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.schema.definition import Definition

TURNS, GROWTHS = 5, 2
SHARE = 0.1
"""What changes between two scrapes, and what comes new in one of them."""

PLAIN = "counters, whole"
DEAREST, DEAREST_PACKED, FIRST, GROWING, FASTER = 2.5, 1.5, 4.0, 2.0, 10.0
"""Times the plain kind; the same of what is added up, if that is packed; µs per sample; times a
scrape without new series; times `generate_latest`."""


def _twice(part: Callable[[int], Part]) -> Callable[[int], list[Part]]:
    """Two layouts, each with half of the samples: what stays after a version added a label."""
    return lambda samples: [without_first_label(part(samples // 2)), part(samples // 2)]


def _widened(samples: int) -> list[Part]:
    """One layout whose numbers stand under the bounds of the version before."""
    part = histogram(samples)
    definition = part.definition
    newest = Definition.of(definition.name, "histogram", "Help.", "", definition.labels, OTHER_BOUNDS, "")
    return [replace(part, newest=newest)]


KINDS: dict[str, Callable[[int], Sequence[Part]]] = {
    PLAIN: lambda samples: [counter(samples)],
    "counters, money": lambda samples: [counter(samples, "bench_cost_usd")],
    "counters, fractions": lambda samples: [counter(samples, number=fraction)],
    "counters, one fraction in 3,000": lambda samples: [counter(samples, rare=fraction)],
    "counters, two layouts": _twice(counter),
    "counters, exemplars": lambda samples: [counter(samples, examples=samples // 10)],
    "histograms, whole": lambda samples: [histogram(samples)],
    "histograms, seconds": lambda samples: [histogram(samples, "bench_latency_seconds", sums=micros)],
    "histograms, fractional sums": lambda samples: [histogram(samples, sums=fraction)],
    "histograms, two layouts": _twice(histogram),
    "histograms, changed bounds": _widened,
    "histograms, exemplars": lambda samples: [histogram(samples, examples=samples // 100)],
    "summaries, whole": lambda samples: [summary(samples)],
    "summaries, fractional sums": lambda samples: [summary(samples, sums=fraction)],
    "gauges, all": lambda samples: [gauge(samples, "all", writers=4, number=fraction)],
    "gauges, liveall": lambda samples: [gauge(samples, "liveall", writers=4, number=fraction)],
    "gauges, sum": lambda samples: [gauge(samples, "sum", number=fraction)],
    "gauges, livesum of 4": lambda samples: [gauge(samples, "livesum", writers=4)],
    "gauges, min": lambda samples: [gauge(samples, "min", number=fraction)],
    "gauges, max of 4": lambda samples: [gauge(samples, "max", writers=4)],
    "gauges, mostrecent": lambda samples: [gauge(samples, "mostrecent", number=fraction)],
    "gauges, mostrecent of 4": lambda samples: [gauge(samples, "livemostrecent", writers=4)],
    "gauges, two layouts": _twice(lambda samples: gauge(samples, "sum")),
    "infos": lambda samples: [info(samples)],
    "enums": lambda samples: [enum(samples)],
    "mixed, as a service has them": service,
}
"""The parts of each kind's namespace, for a number of samples."""

_IN_OPENMETRICS = frozenset(("counters, exemplars", "histograms, exemplars"))


@dataclass
class Costs:
    """Processor seconds per number: of a first scrape, the cheapest later one, one with new series; of others' ways.

    `plain` is what the plain kind cost in between, `stock` what `generate_latest` takes. `most` are megabytes.
    """

    samples: int
    plain: float
    first: float
    usual: float
    growing: float
    stock: float
    most: float

    def cells(self, name: str) -> list[str]:
        """A row of the table."""
        return [
            name,
            f"{self.samples:,}",
            f"{self.usual * 1e6:.2f}",
            f"{self.usual / self.plain:.2f}",
            f"{self.stock / self.usual:.1f}",
            f"{self.first * 1e6:.1f}",
            f"{self.growing / self.usual:.2f}",
            f"{self.most:,.0f}",
        ]


HEAD = (
    "kind",
    "samples",
    "µs each",
    "x plain",
    "x faster than generate_latest",
    "first, µs",
    "x if 10 % new",
    "peak MB",
)


def main() -> None:
    """Print the table, of this checkout and perhaps of another one."""
    samples = int(os.environ.get("SAMPLES") or 30_000)
    only = os.environ.get("KIND", "")
    packed = packs()
    kinds = {name: parts for name, parts in KINDS.items() if only in name}
    make = PackedState if packed else State
    beside = os.environ.get("BESIDE")
    folders = {"": None} | ({"before: ": beside} if beside else {})
    rows, found = [], dict[str, Costs]()
    with EmbeddedStore(port=free_port()) as store, ExitStack() as ends:
        url = store.url + PATIENT
        plain = ends.enter_context(closing(make(url, "plain", KINDS[PLAIN](samples))))
        plains = {
            name: ends.enter_context(closing(_renderer(url, "plain", folder=folder)))
            for name, folder in folders.items()
        }
        for kind, parts in kinds.items():
            for name, folder in folders.items():
                with closing(make(url, "kind", parts(samples))) as state:
                    costs = _measured(state, plain, plains[name], kind in _IN_OPENMETRICS, folder)
                    state.forget()
                rows.append(costs.cells(name + kind))
                if not name:
                    found[kind] = costs
    limit = DEAREST_PACKED if packed else DEAREST
    judged_kinds = [kind for kind in found if not (packed and _is_stated(KINDS[kind]))] or [*found]
    dearest = max(judged_kinds, key=lambda kind: found[kind].usual / found[kind].plain)
    show(
        f"kinds: {samples:,} samples of one kind, {SHARE:.0%} of the numbers change in between; what is added up: "
        + ("packed" if packed else "fields"),
        HEAD,
        rows,
        [
            "each: per sample, or per stored number where several writers' make one sample. One process and one",
            "namespace per kind, without HTTP; of 4: each series is stated by four writers.",
            judged(f"{dearest}, times the plain kind", found[dearest].usual / found[dearest].plain, limit),
            judged("a first scrape, µs per sample", max(costs.first for costs in found.values()) * 1e6, FIRST),
            judged("a scrape with 10 % new series, times", max(c.growing / c.usual for c in found.values()), GROWING),
            judged(
                "a scrape, as a part of generate_latest's", max(c.usual / c.stock for c in found.values()), 1 / FASTER
            ),
        ],
    )


def _is_stated(parts: Callable[[int], Sequence[Part]]) -> bool:
    return any(part.stated for part in parts(1_000))


def _renderer(url: str, namespace: str, accept: str = "", folder: str | None = None) -> Renderer:
    return Renderer(through_the_exposition, url, namespace, accept, checkout=folder)


def _measured(state: State, plain: State, usual: Renderer, openmetrics: bool, folder: str | None) -> Costs:
    """What a kind costs; it and the plain kind take turns."""
    accept = "application/openmetrics-text" if openmetrics else ""
    with closing(_renderer(state.url, state.namespace, accept, folder)) as renderer:
        rendering = renderer.render()
        if shown(rendering.body) != state.samples:
            raise RuntimeError(
                f"{state.samples} samples expected, {shown(rendering.body)} came: {rendering.body[:3000]!r}"
            )
        samples, first = state.samples, rendering.processor / state.numbers
        turns: list[tuple[float, float]] = []
        usual.render()
        for _ in range(TURNS):
            for one in (plain, state):
                one.change(SHARE)
            turns.append((usual.render().processor / plain.numbers, renderer.render().processor / state.numbers))
        growing = []
        for _ in range(GROWTHS):
            state.grow(SHARE)
            growing.append(renderer.render().processor / state.numbers)
            state.change(SHARE)
            rendering = renderer.render()
    with closing(Renderer(through_a_collector, state.url, state.namespace, checkout=folder)) as renderer:
        renderer.render()
        stock = renderer.render().processor / state.numbers
    plains, kinds = zip(*turns, strict=True)
    return Costs(samples, min(plains), first, min(kinds), min(growing), stock, rendering.most)
