"""Amounts of any numeric type, and amounts that nothing can add up; warnings are errors here, as in `-W error`."""

import logging
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

import fleetmeter
from support.fleet import samples
from support.store import StoreAddress

AMOUNTS: list[Any] = [
    True, 3, 2.5, np.float16(2.5), np.float32(2.5), np.float64(2.5), np.longdouble(2.5), np.int64(3), np.uint8(3),
    np.bool_(True), np.array(2.5), Decimal("2.5"), Fraction(5, 2),
]  # fmt: skip
INFINITE: list[Any] = [np.float32("nan"), np.float16("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")]
TOO_LARGE: list[Any] = [1e308, 10**400, 10**5000, Decimal("1e400"), Fraction(10) ** 400, np.longdouble("1e400")]


def kind(amount: Any) -> str:
    """The name of its type, unlike any other's here."""
    return f"{type(amount).__module__}.{type(amount).__name__}"


@pytest.mark.parametrize("unit", ["", "seconds", "usd"])
def test_every_type_of_number_counts(unit: str, installed: StoreAddress) -> None:
    """Counters, gauges, histograms and summaries take it without a warning, and it counts as its float does."""
    registry = CollectorRegistry()
    counter = Counter("odd_c", "x", ["of"], registry=registry, unit=unit)
    summary = Summary("odd_s", "x", ["of"], registry=registry, unit=unit)
    histogram = Histogram("odd_h", "x", ["of"], registry=registry, unit=unit, buckets=(2.5, 3, 1e300))
    gauge = Gauge("odd_g", "x", ["of"], registry=registry, multiprocess_mode="sum")
    for amount in AMOUNTS:
        of = kind(amount)
        counter.labels(of).inc(amount)
        summary.labels(of).observe(amount)
        histogram.labels(of).observe(amount)
        histogram.labels(of).observe(amount, {"trace_id": "a"})
        gauge.labels(of).inc(amount)
        gauge.labels(of).inc(amount)
    assert fleetmeter.flush()
    shown, tail = samples(installed), f"_{unit}" if unit else ""
    for amount in AMOUNTS:
        one, own = float(amount), ("of", kind(amount))
        assert shown[f"odd_c{tail}_total", frozenset({own})] == one
        assert shown[f"odd_s{tail}_sum", frozenset({own})] == one
        assert shown[f"odd_h{tail}_sum", frozenset({own})] == 2 * one
        assert shown[f"odd_h{tail}_bucket", frozenset({own, ("le", "2.5")})] == (2 if one <= 2.5 else 0)
        assert shown["odd_g", frozenset({own})] == 2 * one


@pytest.mark.parametrize("amount", ["5", None, 1j, [1]])
def test_what_is_no_number_is_the_callers_error(amount: Any, installed: StoreAddress) -> None:
    """A text of digits, too: the stock client refuses it with a TypeError."""
    registry = CollectorRegistry()
    for record in (
        Counter("odd_c", "x", registry=registry).inc,
        Gauge("odd_g", "x", registry=registry).inc,
        Histogram("odd_h", "x", registry=registry).observe,
        Summary("odd_s", "x", registry=registry).observe,
    ):
        with pytest.raises(TypeError):
            record(amount)


@pytest.mark.parametrize("reason", ["not_finite", "too_large"])
@pytest.mark.parametrize("unit", ["", "seconds", "usd"])
def test_what_cannot_be_added_up_is_told_for_what_it_is(
    unit: str, reason: str, installed: StoreAddress, caplog: pytest.LogCaptureFixture
) -> None:
    """A finite amount is not called otherwise, and no line of the log is longer than a person reads."""
    amounts = INFINITE if reason == "not_finite" else TOO_LARGE
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        for number, amount in enumerate(amounts):
            Summary(f"odd_{number}", "x", registry=CollectorRegistry(), unit=unit).observe(amount)
    Counter("odd_good", "x", registry=CollectorRegistry()).inc()  # what was refused makes no batch of its own
    said = [record.getMessage() for record in caplog.records]
    expected = "it is not finite" if reason == "not_finite" else "the largest amount"
    assert len(said) == len(amounts)
    assert all(line.endswith(expected) and len(line) < 250 for line in said), said
    assert fleetmeter.flush()
    assert samples(installed)["fleetmeter_rejected_values_total", frozenset({("reason", reason)})] == len(amounts)


def test_an_amount_that_is_too_large_twice_is_too_large(installed: StoreAddress) -> None:
    """`inc(1e308)` twice is no infinity: both are refused for their size, and the next one counts."""
    counter = Counter("odd_c", "x", registry=CollectorRegistry())
    counter.inc(1e308)
    counter.inc(1e308)
    counter.inc(2)
    assert fleetmeter.flush()
    shown = samples(installed)
    assert shown["odd_c_total", frozenset()] == 2
    assert shown["fleetmeter_rejected_values_total", frozenset({("reason", "too_large")})] == 2
    assert shown["fleetmeter_rejected_values_total", frozenset({("reason", "not_finite")})] == 0


@pytest.mark.parametrize("exemplar", [None, {"trace_id": "x"}])
def test_a_whole_number_is_observed_with_all_its_digits(
    exemplar: dict[str, str] | None, installed: StoreAddress
) -> None:
    """With an exemplar as without: no float stands between."""
    size = Histogram("size", "Help.", registry=None)
    size.observe(2**53 + 1, exemplar)
    assert fleetmeter.flush()
    assert samples(installed)["size_sum", frozenset()] == 2**53 + 1
