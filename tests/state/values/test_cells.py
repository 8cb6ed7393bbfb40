"""Cells: whole numbers where they belong, and prometheus_client's own totals."""

import math
import random
from decimal import Decimal
from typing import Any

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.scale import LARGEST
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.batch import Batch
from fleetmeter.values.cells import cell_of


class Bench:
    """An accumulator and what it rejected."""

    def __init__(self) -> None:
        self.rejected: list[object] = []
        self.accumulator = Accumulator(lambda: None, lambda _, amount: self.rejected.append(amount))

    def cell(self, name: str, kind: str = "counter", part: str | None = None, unit: str = "") -> Any:
        """A value without labels."""
        bounds = ("1", "+Inf") if kind == "histogram" else ()
        return cell_of(self.accumulator, Definition.of(name, kind, "", unit, (), bounds, "sum"), (), part)

    def batch(self) -> Batch:
        """What is pending."""
        return self.accumulator.drain()

    def added(self) -> float:
        """The only amount that is pending."""
        ((amount,),) = [list(numbers.values()) for numbers in self.batch().adds.values()]
        return amount


@pytest.fixture
def bench() -> Bench:
    """An empty accumulator."""
    return Bench()


def test_counts_are_handed_over_as_they_are(bench: Bench) -> None:
    """Whole amounts stay whole beyond 2^53, fractions stay fractions."""
    cell = bench.cell("c")
    cell.inc(2**53)
    cell.inc(1)
    assert bench.added() == 2**53 + 1
    cell.inc(0.25)
    assert bench.added() == 0.25


def test_each_amount_of_money_is_rounded_by_itself(bench: Bench) -> None:
    """The total is the sum of rounded nano-dollars: whole, and the same in any order and in any batches."""
    cell = bench.cell("cost_usd")
    amounts = [random.Random(1).random() / 1000 for _ in range(1000)]
    expected = sum(round(amount * 10**9) for amount in amounts)
    total: float = 0
    for number, amount in enumerate(amounts):
        cell.inc(amount)
        if number % 7 == 0:
            part = bench.added()
            assert isinstance(part, int)
            total += part
    total += bench.added()
    assert total == expected
    assert cell.get() == expected / 10**9


def test_money_in_decimals_is_exact(bench: Bench) -> None:
    """A price that was computed in decimals is not forced through a float."""
    cell = bench.cell("cost_usd")
    cell.inc(Decimal("123456789.123456789"))
    assert bench.added() == 123456789123456789


def test_seconds_keep_their_remainder(bench: Bench) -> None:
    """What is less than a microsecond waits for the next batch; nothing is lost or counted twice."""
    cell = bench.cell("t_seconds")
    total: float = 0
    for _ in range(1000):
        cell.inc(0.0000004)
        total += bench.added()
    assert total == 400
    assert cell.get() == pytest.approx(0.0004)


@pytest.mark.parametrize("micros", [397, 785, 290_000, 1001, 1003, 999_999, 123_456_789])
def test_whole_microseconds_arrive_whole(bench: Bench, micros: int) -> None:
    """A duration such as 0.000397 s is not cut to 396 µs because of its binary form."""
    cell = bench.cell("t_seconds")
    cell.inc(micros / 10**6)
    assert bench.added() == micros


def test_seconds_are_never_handed_over_as_a_decrease(bench: Bench) -> None:
    """Whatever is left over, no batch takes back what an earlier one gave."""
    cell = bench.cell("t_seconds")
    dice = random.Random(2)
    for _ in range(3000):
        cell.inc(dice.choice((0.0, 0.0000005, 0.0000015, 1e-9, 0.29, 1.1, dice.random())))
        assert bench.added() >= 0


def test_buckets_of_money_and_seconds_are_plain_counts(bench: Bench) -> None:
    """Only the sum has the scale."""
    bench.cell("cost_usd", "histogram", "1").inc(1)
    assert bench.added() == 1
    bench.cell("t_seconds", "summary", "count").inc(1)
    assert bench.batch().adds.popitem()[1]['["count"]'] == 1


@pytest.mark.parametrize("name", ["c", "cost_usd", "t_seconds"])
@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, 10**400])
def test_amounts_that_no_finite_float_holds_are_rejected(bench: Bench, name: str, amount: float) -> None:
    """They are told, and the number stays what it was."""
    cell = bench.cell(name)
    cell.inc(amount)
    cell.inc(1)
    assert len(bench.rejected) == 1
    assert cell.get() == 1


def test_money_beyond_a_float_is_rejected_and_not_raised(bench: Bench) -> None:
    """No amount makes `inc` fail."""
    cell = bench.cell("cost_usd")
    cell.inc(LARGEST)
    assert bench.rejected == [LARGEST]
    assert cell.get() == 0


def test_a_total_that_overflows_does_not_cost_the_batch(bench: Bench) -> None:
    """The largest amounts that are taken add up to a float; what could overflow on its way is refused at once."""
    cell = bench.cell("c")
    cell.inc(LARGEST)
    cell.inc(LARGEST)
    assert bench.added() == 2 * LARGEST
    seconds = bench.cell("c_seconds")
    seconds.inc(LARGEST)
    assert bench.rejected == [LARGEST]
    assert seconds.get() == 0


@pytest.mark.parametrize("name", ["c", "c_seconds"])
def test_number_types_do_not_mix(bench: Bench, name: str) -> None:
    """A Decimal before a float adds up with it: the first amount does not decide which ones may follow."""
    cell = bench.cell(name)
    cell.inc(Decimal("1.5"))
    assert bench.added() == 1.5 * cell.definition.scale
    cell.inc(0.5)
    assert cell.get() == 2


def test_setting_an_amount_changes_this_processs_total_only(bench: Bench) -> None:
    """`Counter.reset()` of the stock client never takes anything from the fleet."""
    for name in ("c", "cost_usd", "t_seconds"):
        cell = bench.cell(name)
        cell.inc(5)
        cell.set(0)
        assert cell.get() == 0
    assert [list(numbers.values()) for numbers in bench.batch().adds.values()] == [[5], [5 * 10**9], [5 * 10**6]]


def test_a_zero_makes_a_series_and_a_bucket_exists_with_its_sum(bench: Bench) -> None:
    """A histogram at 0 costs one field, not one per bucket."""
    bench.cell("h", "histogram", "sum")
    bench.cell("h", "histogram", "1")
    bench.cell("s", "summary", "count")
    bench.cell("c").inc(0)
    assert [list(numbers) for numbers in bench.batch().adds.values()] == [['["sum"]'], ['["count"]'], ["[]"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.5, "1.5"), (math.nan, "nan"), (-math.inf, "-inf"), (2.0**60, str(2**60)), (True, "1")],
)
def test_gauges_keep_any_value(bench: Bench, value: float, text: str) -> None:
    """NaN and infinities are values of a gauge like any other."""
    bench.cell("g", "gauge").set(value)
    assert [text for _, text in bench.batch().gauges.values()] == [text]
    assert bench.rejected == []


def test_a_gauge_tells_the_last_of_its_values(bench: Bench) -> None:
    """Between two batches only the newest value counts."""
    cell = bench.cell("g", "gauge")
    cell.set(5)
    cell.inc(-2)
    assert [text for _, text in bench.batch().gauges.values()] == ["3"]
    assert not bench.batch()


@pytest.mark.parametrize(("amount", "error"), [("1", TypeError), (None, TypeError), (10**400, OverflowError)])
def test_a_wrong_amount_of_a_gauge_fails_where_it_is_made(bench: Bench, amount: Any, error: type[Exception]) -> None:
    """As with the stock client, and inside an `atomic()` block too, whose other records are not lost by it."""
    cell, counter = bench.cell("g", "gauge"), bench.cell("c")
    block = bench.accumulator.begin()
    with pytest.raises(error):
        cell.inc(amount)
    counter.inc(1)
    bench.accumulator.commit(block)
    assert counter.get() == 1


def test_facts_are_sent_once_they_are_set(bench: Bench) -> None:
    """An Info that says nothing yet is not shown."""
    facts = bench.cell("i", "info")
    bench.cell("c").inc(1)
    assert bench.batch().gauges == {}
    facts.set({"version": "1\ud800", "b": "ä"})
    assert [text for _, text in bench.batch().gauges.values()] == ['{"version":"1?","b":"ä"}']
