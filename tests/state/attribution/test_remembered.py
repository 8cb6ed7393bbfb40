"""What is remembered of label values, and when it is forgotten."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fleetmeter.attribution.context import Attributes, attributes, current_attributes, in_force
from fleetmeter.attribution.families import AttributedCounter, counter
from fleetmeter.attribution.remembered import Remembered
from fleetmeter.llm import configure
from support.labels import no_labels


@pytest.fixture(autouse=True)
def undecided() -> Iterator[None]:
    """Every test decides about labels for itself."""
    with no_labels():
        yield


class Children:
    """A family, and its children as they are remembered."""

    def __init__(self, most: int = 100) -> None:
        self.registry = CollectorRegistry()
        self.family = counter("r_total", "x", ["model"], registry=self.registry)
        self.made = 0
        self.known: Remembered[str, AttributedCounter] = Remembered(self._make, most)

    def _make(self, model: str, values: Attributes) -> AttributedCounter:
        self.made += 1
        with in_force(values):
            return self.family.labels(model)

    def value(self, **labels: str) -> float | None:
        """What the registry shows."""
        return self.registry.get_sample_value("r_total", labels)


def test_a_child_is_found_once() -> None:
    """The same key gives the same child, and another key another one."""
    children = Children()
    assert children.known.find("a") is children.known.find("a")
    assert children.known.find("b") is not children.known.find("a")
    assert children.made == 2


@pytest.mark.parametrize(
    "removal",
    [
        lambda family: family.remove("a"),
        lambda family: family.remove_by_labels({"model": "a"}),
        lambda family: family.clear(),
    ],
    ids=["remove", "remove_by_labels", "clear"],
)
@pytest.mark.parametrize("labels", [{}, {"team": 5}], ids=["none", "team"])
def test_a_removed_child_is_found_anew(removal: Callable[[Any], None], labels: dict[str, int]) -> None:
    """What is recorded after a removal is in a series that the family shows."""
    configure(labels=labels)
    children = Children()
    team = dict.fromkeys(labels, "unspecified")
    children.known.find("a").inc(5)
    removal(children.family)
    assert children.value(model="a", **team) is None
    children.known.find("a").inc(2)
    assert children.value(model="a", **team) == 2


def test_each_value_in_force_has_a_child_of_its_own() -> None:
    """The child is that of the values here, or of those that are named, as far as they are admitted."""
    configure(labels={"team": 2})
    children = Children()
    with attributes(team="ads"):
        elsewhere = current_attributes()
        children.known.find("a").inc()
    for team in ("search", "growth", "sales"):
        with attributes(team=team):
            children.known.find("a").inc()
    children.known.find("a", elsewhere).inc()
    found = {team: children.value(model="a", team=team) for team in ("ads", "search", "other", "growth")}
    assert found == {"ads": 2, "search": 1, "other": 2, "growth": None}
    assert children.made == 3


def test_other_labels_are_other_children() -> None:
    """After `configure` a record has the labels of now."""
    children = Children()
    children.known.find("a").inc()
    configure(labels={"team": 2})
    children.known.find("a").inc()
    configure(labels={"tenant": 2})
    children.known.find("a").inc()
    assert [children.value(model="a", **more) for more in ({}, {"team": "unspecified"}, {"tenant": "unspecified"})] == [
        1,
        1,
        1,
    ]


def test_it_is_bounded() -> None:
    """Above the number everything is forgotten and found again: nothing but time is lost."""
    children = Children(most=3)
    for _ in range(2):
        for number in range(10):
            children.known.find(str(number)).inc()
    assert len(children.known._state[1]) <= 3
    assert sum(children.value(model=str(number)) or 0 for number in range(10)) == 20


def test_threads_that_record_while_others_remove_record_in_the_end() -> None:
    """However removals and records meet, the record that comes after the last removal is shown."""
    children = Children()
    stop = threading.Event()

    def record() -> None:
        while not stop.is_set():
            children.known.find("a").inc()

    threads = [threading.Thread(target=record) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        children.family.remove("a")
    stop.set()
    for thread in threads:
        thread.join()
    children.family.clear()
    children.known.find("a").inc()
    assert children.value(model="a") == 1
