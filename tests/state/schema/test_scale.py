"""Scales: whole numbers in the store, exact numbers out of it."""

import math
from fractions import Fraction

import pytest

from fleetmeter.schema.scale import Scale, number_text, parse_number, scale_of, unscaled


@pytest.mark.parametrize(
    ("name", "unit", "kind", "scale"),
    [
        ("cost", "usd", "counter", Scale.NANO),
        ("openai_total_cost_usd", "", "counter", Scale.NANO),
        ("openai_cost_usd", "", "histogram", Scale.NANO),
        ("latency_seconds", "", "histogram", Scale.MICRO),
        ("latency", "seconds", "summary", Scale.MICRO),
        ("requests", "", "counter", Scale.PLAIN),
        ("usd", "", "counter", Scale.NANO),
        ("busd", "", "counter", Scale.PLAIN),
        ("size_bytes", "bytes", "histogram", Scale.PLAIN),
        ("price_usd", "eur", "counter", Scale.PLAIN),
        ("uptime_seconds", "seconds", "gauge", Scale.PLAIN),
        ("budget_usd", "usd", "gauge", Scale.PLAIN),
    ],
)
def test_the_unit_decides_the_scale_and_the_name_where_there_is_none(
    name: str, unit: str, kind: str, scale: Scale
) -> None:
    """Money is kept in nano-dollars, seconds in microseconds, everything else and every gauge as it is."""
    assert scale_of(name, unit, kind) is scale


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (1.0, "1"), (-3.0, "-3"), (2**53 + 1, "9007199254740993"), (0.1, "0.1"), (1e300, str(int(1e300)))],
)
def test_numbers_are_sent_with_all_their_digits(number: float, text: str) -> None:
    """A whole number is sent as one, any other in its shortest exact form, and comes back the same."""
    assert number_text(number) == text
    assert parse_number(text.encode()) == number


@pytest.mark.parametrize(("number", "text"), [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan")])
def test_numbers_that_are_not_finite_have_a_text(number: float, text: str) -> None:
    """Encoding a batch cannot fail because of one number; the store decides about it."""
    assert number_text(number) == text
    assert repr(float(parse_number(text.encode()))) == text


@pytest.mark.parametrize("scale", [Scale.PLAIN, Scale.NANO])
def test_what_no_float_holds_is_infinite(scale: Scale) -> None:
    """The store adds up further than floats go; such a total is shown as an infinity and stops no scrape."""
    assert unscaled(parse_number(b"9" * 400), scale) == math.inf
    assert unscaled(parse_number(b"-" + b"9" * 400), scale) == -math.inf
    assert unscaled(parse_number(b"9" * 4400), scale) == math.inf
    assert float(unscaled(parse_number(str(int(1.7e308)).encode()), 1)) == 1.7e308


def test_a_stored_number_loses_no_digit() -> None:
    """Whole numbers are read as integers, and divided by their scale with one correct rounding."""
    assert parse_number(b"9007199254740993") == 2**53 + 1
    stored = 123456789012345678901
    assert unscaled(stored, Scale.NANO) == float(Fraction(stored, 10**9))
    assert unscaled(2**60 + 1, Scale.PLAIN) == 2**60 + 1
