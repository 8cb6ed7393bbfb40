"""From a snapshot to the fleet's families: layouts side by side, histograms cumulative, gauges by their mode."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from fleetmeter.definition import Definition, StoredDefinition, read_json, texts_of
from fleetmeter.errors import StateError
from fleetmeter.reading import Snapshot
from fleetmeter.scale import parse_number, unscaled

Labels = tuple[tuple[str, str], ...]
"""Label pairs in display order."""

SERVED_TYPES = frozenset(("counter", "gauge", "histogram", "info", "stateset", "summary"))
"""The types that this version can serve; replicas of a later one may write more."""


@dataclass(frozen=True)
class Sample:
    """One line of an exposition; `suffix` follows the family's name."""

    suffix: str
    labels: Labels
    value: float


@dataclass
class Family:
    """One family of the fleet: the newest definition, and the samples of all its layouts, in exposition order.

    `first_us` is when it was first registered; `ever_set` tells of a gauge whether anybody has set it.
    """

    definition: Definition
    first_us: int
    ever_set: bool = False
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True)
class GaugeValue:
    """One writer's value of a gauge; `set_us` is 0 where it was created and never set."""

    writer: str
    set_us: int
    text: str


def families_of(snapshot: Snapshot) -> list[Family]:
    """The families of a snapshot, by name. Raises `StateError` for a stored value that cannot be read.

    Those whose newest type this version does not know are left out; `types_left_out` names them.
    """
    gauges = _gauge_values(snapshot)
    families = []
    for name, (newest, layouts) in sorted(_layouts(snapshot).items()):
        if newest.definition.type not in SERVED_TYPES:
            continue
        family = Family(newest.definition, min(stored.first_us for stored in layouts))
        family.ever_set = any(
            value.set_us
            for stored in layouts
            for values in gauges.get((name, stored.definition.layout), {}).values()
            for value in values
        )
        family.samples = list(_samples(newest.definition, [item.definition for item in layouts], snapshot, gauges))
        families.append(family)
    return families


def types_left_out(snapshot: Snapshot) -> dict[str, str]:
    """The families that `families_of` leaves out, by name: each with its type, which this version does not know."""
    types = {name: newest.definition.type for name, (newest, _) in _layouts(snapshot).items()}
    return {name: kind for name, kind in types.items() if kind not in SERVED_TYPES}


def _layouts(snapshot: Snapshot) -> dict[str, tuple[StoredDefinition, list[StoredDefinition]]]:
    """By family: its newest definition, and all that have the newest one's type."""
    by_name: dict[str, list[StoredDefinition]] = defaultdict(list)
    for stored in snapshot.definitions:
        by_name[stored.definition.name].append(stored)
    found = {}
    for name, all_of_it in by_name.items():
        newest = max(all_of_it, key=lambda stored: stored.defined_us)
        found[name] = (newest, [stored for stored in all_of_it if stored.definition.type == newest.definition.type])
    return found


def _samples(
    newest: Definition, layouts: list[Definition], snapshot: Snapshot, gauges: dict[tuple[str, str], Any]
) -> Iterator[Sample]:
    if newest.type in ("gauge", "info"):
        merge = _info_samples if newest.type == "info" else _gauge_samples
        for layout in layouts:
            yield from merge(newest, layout, gauges.get((layout.name, layout.layout), {}), snapshot)
        return
    series: dict[Labels, dict[str, float]] = {}
    for layout in layouts:
        order = newest.labels if set(newest.labels) == set(layout.labels) else layout.labels
        for labels, part, value in _numbers(layout, order, snapshot.numbers.get(layout.field, {})):
            parts = series.setdefault(labels, {})
            parts[part] = parts.get(part, 0) + value
    expand = {"counter": _counter_samples, "histogram": _histogram_samples, "summary": _summary_samples}[newest.type]
    for labels in sorted(series):
        yield from expand(newest, labels, series[labels])


def _numbers(
    layout: Definition, order: tuple[str, ...], raw: dict[bytes, bytes]
) -> Iterator[tuple[Labels, str, float]]:
    """Labels in that order, part and value, in the family's unit, of each stored number."""
    names = sorted(layout.labels)
    has_part = layout.type != "counter"
    for raw_field, text in raw.items():
        try:
            values = texts_of(read_json(raw_field))
            part = values.pop() if has_part else ""
            pairs = dict(zip(names, values, strict=True))
            number = parse_number(text)
            if layout.type == "histogram" and part != "sum" and isnan(float(part)):
                raise ValueError("no bucket has the bound NaN")
        except (ValueError, TypeError, IndexError) as error:
            raise StateError(f"family:{layout.field}", f"{raw_field!r} → {text!r} is no number of it") from error
        scaled = unscaled(number, layout.scale if part in ("", "sum") else 1)
        yield tuple((name, pairs[name]) for name in order), part, scaled


def _counter_samples(_newest: Definition, labels: Labels, parts: dict[str, float]) -> Iterable[Sample]:
    return [Sample("_total", labels, parts[""])]


def _summary_samples(_newest: Definition, labels: Labels, parts: dict[str, float]) -> Iterable[Sample]:
    return [Sample("_count", labels, parts.get("count", 0)), Sample("_sum", labels, parts.get("sum", 0))]


def _histogram_samples(newest: Definition, labels: Labels, parts: dict[str, float]) -> Iterator[Sample]:
    """Cumulative buckets; a count under a bound that the newest list lacks moves up to the next one that it has."""
    texts = newest.bounds or tuple(sorted({*parts, "+Inf"} - {"sum"}, key=float))
    bounds = [float(text) for text in texts]
    counts = [0.0] * len(bounds)
    for part, value in parts.items():
        if part != "sum":
            counts[bisect_left(bounds, float(part))] += value
    total = 0.0
    for text, count in zip(texts, counts, strict=True):
        total += count
        yield Sample("_bucket", (*labels, ("le", text)), total)
    yield Sample("_count", labels, total)
    if bounds[0] >= 0:
        yield Sample("_sum", labels, parts.get("sum", 0))


def _gauge_values(snapshot: Snapshot) -> dict[tuple[str, str], dict[tuple[str, ...], list[GaugeValue]]]:
    """For each family and layout, for each set of label values (by sorted name), the writers' values."""
    found: dict[tuple[str, str], dict[tuple[str, ...], list[GaugeValue]]] = {}
    for raw_field, raw_value in snapshot.gauges.items():
        try:
            writer, _, series = raw_field.decode().partition(" ")
            *family, values = read_json(series)
            name, layout = texts_of(family)
            members = found.setdefault((name, layout), {}).setdefault(tuple(texts_of(values)), [])
            set_us, _, text = raw_value.decode().partition(" ")
            members.append(GaugeValue(writer, int(set_us), text))
        except (ValueError, TypeError) as error:
            raise StateError("gauges", f"{raw_field!r} → {raw_value!r} is no gauge") from error
    return found


def _gauge_samples(
    newest: Definition, layout: Definition, series: dict[tuple[str, ...], list[GaugeValue]], snapshot: Snapshot
) -> Iterator[Sample]:
    mode = newest.mode
    for values in sorted(series):
        members = series[values]
        if mode.startswith("live"):
            members = [item for item in members if _alive(snapshot, item.writer)]
        if not members:
            continue
        pairs = _pairs(layout, values)
        labels = tuple((name, pairs[name]) for name in layout.labels)
        match mode.removeprefix("live"):
            case "sum":
                yield Sample("", labels, sum(_gauge_number(item) for item in members))
            case "min":
                yield Sample("", labels, min(_gauge_number(item) for item in members))
            case "max":
                yield Sample("", labels, max(_gauge_number(item) for item in members))
            case "mostrecent":
                yield Sample("", labels, _gauge_number(max(members, key=lambda item: item.set_us)))
            case _:
                yield from _one_per_replica(labels, members, snapshot)


def _one_per_replica(labels: Labels, members: list[GaugeValue], snapshot: Snapshot) -> Iterator[Sample]:
    """A sample per writer; where two have one name, their ids tell them apart."""
    names = [snapshot.replicas.get(item.writer, item.writer) for item in members]
    label = "fleetmeter_replica" if "replica" in dict(labels) else "replica"
    for item, name in sorted(zip(members, names, strict=True), key=lambda pair: (pair[1], pair[0].writer)):
        replica = name if names.count(name) == 1 else f"{name}-{item.writer}"
        yield Sample("", (*labels, (label, replica)), _gauge_number(item))


def _info_samples(
    _newest: Definition, layout: Definition, series: dict[tuple[str, ...], list[GaugeValue]], snapshot: Snapshot
) -> Iterator[Sample]:
    """One sample per distinct set of facts that a living writer states."""
    stated: set[Labels] = set()
    for values, members in series.items():
        for item in members:
            if _alive(snapshot, item.writer):
                facts = {**_pairs(layout, values), **_facts(item)}
                stated.add(tuple(sorted(facts.items())))
    for labels in sorted(stated):
        yield Sample("_info", labels, 1)


def _pairs(layout: Definition, values: tuple[str, ...]) -> dict[str, str]:
    """Label values, which are stored by sorted name, with their names."""
    try:
        return dict(zip(sorted(layout.labels), values, strict=True))
    except ValueError as error:
        raise StateError("gauges", f"{values!r} do not fit the labels of {layout.field}") from error


def _facts(value: GaugeValue) -> dict[str, str]:
    try:
        facts = {name: str(text) for name, text in read_json(value.text).items()}
        texts_of([*facts, *facts.values()])
    except (ValueError, TypeError, AttributeError) as error:
        raise StateError("gauges", f"{value.text!r} of writer {value.writer} are no facts") from error
    return facts


def _alive(snapshot: Snapshot, writer: str) -> bool:
    row = snapshot.rows.get(writer)
    return row is not None and row.alive(snapshot.taken_us)


def _gauge_number(value: GaugeValue) -> float:
    try:
        return float(value.text)
    except ValueError as error:
        raise StateError("gauges", f"{value.text!r} of writer {value.writer} is no number") from error
