"""Statements: values that a writer replaces and does not add up. Gauges merged by their mode, infos, state sets."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import isnan
from typing import NamedTuple

from fleetmeter.errors import StateError
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.sample import Labels, Sample
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, read_json, texts_of
from fleetmeter.schema.keys import FOLDED_WRITER

STATED_TYPES = frozenset(("gauge", "info", "stateset"))
"""The types whose values are replaced, not added up."""

"""Stands in the writer's place for the remainder: what put-away writers left. It is no writer, and is never alive."""


class GaugeValue(NamedTuple):
    """One writer's value of a gauge; `set_us` is 0 if the gauge was created and never set."""

    writer: str
    set_us: int
    text: str


class Statements:
    """The statements of all writers in one snapshot. Methods raise `StateError` for one that cannot be read.

    `problems` lists those of which not even the writer or the family can be read.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.problems: list[StateError] = []
        self._values = _values_of(snapshot, self.problems)

    def ever_set(self, layout: Definition) -> bool:
        """Whether anybody has set a value of this layout."""
        return any(value.set_us for values in self._of(layout).values() for value in values)

    def samples(self, newest: Definition, layouts: Iterable[Definition]) -> Iterator[Sample]:
        """The fleet's samples of a family."""
        merge = {"gauge": self._gauge, "info": self._info, "stateset": self._states}[newest.type]
        for layout in layouts:
            yield from merge(newest, layout)

    def _of(self, layout: Definition) -> dict[tuple[str, ...], list[GaugeValue]]:
        return self._values.get((layout.name, layout.layout), {})

    def _living(self, members: Iterable[GaugeValue]) -> list[GaugeValue]:
        alive = self._snapshot.alive
        return [item for item in members if item.writer in alive]

    def _gauge(self, newest: Definition, layout: Definition) -> Iterator[Sample]:
        """One sample per series; with the modes `all` and `liveall`, one per series and replica."""
        mode = newest.mode
        for values, stated in sorted(self._of(layout).items()):
            members = self._living(stated) if mode.startswith("live") else stated
            if not members:
                continue
            labels = _labels(layout, values)
            match mode.removeprefix("live"):
                case "sum":
                    yield Sample("", labels, sum(map(_number, members)))
                case "min":
                    yield Sample("", labels, min(_comparable(members)))
                case "max":
                    yield Sample("", labels, max(_comparable(members)))
                case "mostrecent":
                    yield Sample("", labels, _number(max(members, key=lambda item: (item.set_us, item.writer))))
                case _:
                    for item, replica in self._by_replica(labels, members):
                        yield Sample("", (*labels, replica), _number(item))

    def _by_replica(
        self, labels: Labels, members: Iterable[GaugeValue], taken: str = ""
    ) -> list[tuple[GaugeValue, tuple[str, str]]]:
        """Each writer's value, with the label that names the writer.

        If two writers have one name, their ids tell them apart. `taken` is a label that the samples will also have.
        """
        known = self._snapshot.replicas
        members = [item for item in members if item.writer != FOLDED_WRITER]
        named = sorted((known.get(item.writer, item.writer), item.writer, item) for item in members)
        namesakes = Counter(name for name, _, _ in named)
        label, others = "replica", {*dict(labels), taken}
        while label in others:
            label = f"fleetmeter_{label}"
        return [(item, (label, name if namesakes[name] == 1 else f"{name}-{writer}")) for name, writer, item in named]

    def _info(self, _newest: Definition, layout: Definition) -> Iterator[Sample]:
        """One sample per distinct set of facts that a living writer states."""
        stated: set[Labels] = set()
        for values, members in self._of(layout).items():
            for item in self._living(members):
                facts = {**_pairs(layout, values), **_facts(item)}
                stated.add(tuple(sorted(facts.items())))
        for labels in sorted(stated):
            yield Sample("_info", labels, 1)

    def _states(self, newest: Definition, layout: Definition) -> Iterator[Sample]:
        """Each living writer's state: a sample per possible state, 1 for the present one and 0 for the others.

        If an older version states one that the newest definition lacks, it is shown beside those of the definition.
        """
        for values, members in sorted(self._of(layout).items()):
            labels = _labels(layout, values)
            for item, replica in self._by_replica(labels, self._living(members), newest.name):
                present = _state(item)
                states = newest.states if present in newest.states else (*newest.states, present)
                for state in states:
                    yield Sample("", (*labels, replica, (newest.name, state)), float(state == present))


def _values_of(
    snapshot: Snapshot, problems: list[StateError]
) -> dict[tuple[str, str], dict[tuple[str, ...], list[GaugeValue]]]:
    """For each family and layout, for each set of label values (by sorted name), the writers' values."""
    found: dict[tuple[str, str], dict[tuple[str, ...], list[GaugeValue]]] = defaultdict(lambda: defaultdict(list))
    gauges = Hash.of(snapshot.gauges)
    for raw_field, raw_value in zip(gauges.fields, gauges.texts, strict=True):
        try:
            writer, name, layout, values = _whose(raw_field)
            set_us, _, text = raw_value.partition(b" ")
            value = GaugeValue(writer, int(set_us), text.decode())
        except (ValueError, TypeError):
            problems.append(_bad("gauges", f"{raw_field!r} → {raw_value!r} is no gauge"))
            continue
        found[name, layout][values].append(value)
    return found


@lru_cache(maxsize=100_000)
def _whose(field: bytes) -> tuple[str, str, str, tuple[str, ...]]:
    """Writer, family, layout and label values of a field of `gauges`. Cached, as each scrape reads the same fields."""
    writer, _, series = field.decode().partition(" ")
    *family, values = read_json(series)
    name, layout = texts_of(family)
    return writer, name, layout, tuple(texts_of(values))


def _labels(layout: Definition, values: tuple[str, ...]) -> Labels:
    pairs = _pairs(layout, values)
    return tuple((name, pairs[name]) for name in layout.labels)


def _pairs(layout: Definition, values: tuple[str, ...]) -> dict[str, str]:
    """Label values, which are stored by sorted name, with their names."""
    try:
        return dict(zip(sorted(layout.labels), values, strict=True))
    except ValueError as error:
        raise _bad("gauges", f"{values!r} do not fit the labels of {layout.field}") from error


def _facts(value: GaugeValue) -> dict[str, str]:
    try:
        facts = {name: str(text) for name, text in read_json(value.text).items()}
        texts_of([*facts, *facts.values()])
    except (ValueError, TypeError, AttributeError) as error:
        raise _bad("gauges", f"{value.text!r} of writer {value.writer} are no labels of an Info") from error
    return facts


def _state(value: GaugeValue) -> str:
    try:
        return texts_of([read_json(value.text)])[0]
    except (ValueError, TypeError) as error:
        raise _bad("gauges", f"{value.text!r} of writer {value.writer} is no state of an Enum") from error


def _number(value: GaugeValue) -> float:
    try:
        return float(value.text)
    except ValueError as error:
        raise _bad("gauges", f"{value.text!r} of writer {value.writer} is no number") from error


def _comparable(members: Iterable[GaugeValue]) -> list[float]:
    """The numbers that can be compared: NaN is neither small nor large, and counts only if there is nothing else."""
    numbers = [_number(item) for item in members]
    return [number for number in numbers if not isnan(number)] or numbers


def _bad(key: str, problem: str) -> StateError:
    return StateError(key, problem, "bad_value")
