"""What one writer states of one series: a number, the facts of an info, or a state."""

from collections.abc import Collection, Iterable
from math import isnan
from typing import NamedTuple

from fleetmeter.errors import StateError
from fleetmeter.reader.sample import Labels
from fleetmeter.schema.definition import Definition, read_json, texts_of


class GaugeValue(NamedTuple):
    """One writer's value of a gauge; `set_us` is 0 if the gauge was created and never set."""

    writer: str
    set_us: int
    text: str


def replica_label(others: Collection[str]) -> str:
    """The label that names the writer of a sample which has these other labels."""
    label = "replica"
    while label in others:
        label = f"fleetmeter_{label}"
    return label


def labels_of(layout: Definition, values: tuple[str, ...]) -> Labels:
    """Labels in the order of the layout, given their values by sorted name. Raises `StateError` if they do not fit."""
    pairs = pairs_of(layout, values)
    return tuple((name, pairs[name]) for name in layout.labels)


def pairs_of(layout: Definition, values: tuple[str, ...]) -> dict[str, str]:
    """The same by name."""
    try:
        return dict(zip(sorted(layout.labels), values, strict=True))
    except ValueError as error:
        raise unreadable("gauges", f"{values!r} do not fit the labels of {layout.field}") from error


def facts_of(text: bytes | str) -> dict[str, str]:
    """The labels of an info in a writer's text. Raises `ValueError`, `TypeError` or `AttributeError` if it has none."""
    facts = {name: str(fact) for name, fact in read_json(text).items()}
    texts_of([*facts, *facts.values()])
    return facts


def facts_in(value: GaugeValue) -> dict[str, str]:
    """The labels of an info that a writer states. Raises `StateError` if they cannot be read."""
    try:
        return facts_of(value.text)
    except (ValueError, TypeError, AttributeError) as error:
        raise unreadable("gauges", f"{value.text!r} of writer {value.writer} are no labels of an Info") from error


def state_in(value: GaugeValue) -> str:
    """The state that a writer states. Raises `StateError` if it cannot be read."""
    try:
        return texts_of([read_json(value.text)])[0]
    except (ValueError, TypeError) as error:
        raise unreadable("gauges", f"{value.text!r} of writer {value.writer} is no state of an Enum") from error


def number_in(value: GaugeValue) -> float:
    """The number that a writer states. Raises `StateError` if it is none."""
    try:
        return float(value.text)
    except ValueError as error:
        raise unreadable("gauges", f"{value.text!r} of writer {value.writer} is no number") from error


def comparable(values: Iterable[float]) -> list[float]:
    """The numbers that can be compared: NaN is neither small nor large, and counts only if there is nothing else."""
    numbers = list(values)
    return [number for number in numbers if not isnan(number)] or numbers


def unreadable(key: str, problem: str) -> StateError:
    """The problem of a stored value."""
    return StateError(key, problem, "bad_value")
