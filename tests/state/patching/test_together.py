"""Records that are made in one step, beside the same ones made one by one."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

import fleetmeter
from fleetmeter.process.installation import current
from fleetmeter.process.transaction import add_together
from support.fleet import installation, samples
from support.store import StoreAddress

AMOUNTS = (0, 1, 7, 0.25, 1e-7, 3.4999999995, 2**40, 2.5e11, 9e17)
"""Whole and not, on both sides of each bound."""
TOO_LARGE = {"packed": (1e28, 1e31, 1e37), "fields": (1e282, 1e285, 1e291)}
"""For money, for seconds, for any number, by the format of numbers."""


class Metrics:
    """A counter and a histogram of each kind of number: counts, seconds, money."""

    def __init__(self, prefix: str) -> None:
        self.registry = registry = CollectorRegistry()
        units: tuple[dict[str, Any], ...] = ({}, {"unit": "seconds"}, {"unit": "usd"})
        self.counters = [Counter(f"{prefix}_c{n}", "x", registry=registry, **unit) for n, unit in enumerate(units)]
        self.histograms = [
            Histogram(f"{prefix}_h{n}", "x", registry=registry, buckets=(0.25, 5, 1e6), **unit)
            for n, unit in enumerate(units)
        ]

    def own(self, prefix: str) -> dict[str, float]:
        """What this process shows, by names without the prefix."""
        return {
            f"{sample.name.removeprefix(prefix)} {sample.labels}": sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }


def together(metrics: Metrics, amount: float) -> None:
    """All of them in one step."""
    add_together([(one, amount) for one in metrics.counters], [(one, amount) for one in metrics.histograms])


def one_by_one(metrics: Metrics, amount: float) -> None:
    """By the methods of prometheus_client's classes."""
    for counter in metrics.counters:
        counter.inc(amount)
    for histogram in metrics.histograms:
        histogram.observe(amount)


def in_a_block(metrics: Metrics, amount: float) -> None:
    """In one step, inside a block that has begun before."""
    with fleetmeter.atomic():
        together(metrics, amount)


@pytest.mark.parametrize("way", [together, in_a_block])
def test_together_is_as_one_by_one(installed: StoreAddress, way: Callable[[Metrics, float], None]) -> None:
    """Each amount adds to the same buckets, sums and totals, here and in the store."""
    ours, theirs = Metrics("ours"), Metrics("theirs")
    for amount in AMOUNTS:
        way(ours, amount)
        one_by_one(theirs, amount)
    assert ours.own("ours") == theirs.own("theirs")
    assert fleetmeter.flush()
    stored = {(name, labels): number for (name, labels), number in samples(installed).items()}
    found, wanted = (
        {(name.removeprefix(prefix), labels): number for (name, labels), number in stored.items() if prefix in name[:6]}
        for prefix in ("ours", "theirs")
    )
    assert found
    assert found == wanted


@pytest.mark.parametrize("numbers", TOO_LARGE)
def test_what_cannot_be_added_is_refused_alike(store: StoreAddress, numbers: str) -> None:
    """An amount whose units no value can hold adds nothing, to sums and to buckets."""
    with installation(store, numbers):
        ours, theirs = Metrics("ours"), Metrics("theirs")
        for amount in TOO_LARGE[numbers]:
            together(ours, amount)
            one_by_one(theirs, amount)
        assert ours.own("ours") == theirs.own("theirs")
        counts = [ours.own("ours")[f"_h{n}{unit}_count {{}}"] for n, unit in enumerate(("", "_seconds", "_usd"))]
        assert counts == [2, 1, 0]


def test_metrics_that_were_given_back_are_recorded_by_their_own_methods(installed: StoreAddress) -> None:
    """A thread that is under way when somebody uninstalls finds stock values, and loses nothing."""
    from fleetmeter.patching.together import add_under_lock

    metrics, runtime = Metrics("gone"), current()
    assert runtime is not None
    together(metrics, 1)
    together(metrics, 8)  # which is noted, as the first one has woken the machinery
    fleetmeter.uninstall()
    assert current() is None
    records = [(one, 2) for one in metrics.counters], [(one, 2) for one in metrics.histograms]
    assert not runtime.accumulator.note(add_under_lock, records)
    add_under_lock(records)
    together(metrics, 4)
    found = metrics.own("gone")
    assert [found[f"_c{n}{unit}_total {{}}"] for n, unit in enumerate(("", "_seconds", "_usd"))] == [15, 15, 15]
    assert [found[f"_h{n}{unit}_sum {{}}"] for n, unit in enumerate(("", "_seconds", "_usd"))] == [15, 15, 15]
