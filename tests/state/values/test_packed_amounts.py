"""What the cells of packed layouts hand over: whole numbers, exactly what was recorded."""

from fractions import Fraction
from random import Random

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import shape_of
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.amounts import Amount
from fleetmeter.values.batch import Batch
from fleetmeter.values.cells import cell_of
from fleetmeter.values.packed_amounts import Number

FEMTO = 10**15
BOUNDS = ("0.1", "1.0", "+Inf")


class Process:
    """An accumulator, and what it refused."""

    def __init__(self) -> None:
        self.refused: list[object] = []
        self.accumulator = Accumulator(lambda: None, lambda _, amount: self.refused.append(amount))

    def cell(self, kind: str = "counter", unit: str = "", part: str | None = None, *, packed: bool = True) -> Amount:
        """A cell of a family of its own."""
        definition = Definition.of(f"p{unit}", kind, "", unit, (), BOUNDS * (kind == "histogram"), "", packed=packed)
        cell = cell_of(self.accumulator, definition, (), part)
        assert isinstance(cell, Amount)
        return cell


@pytest.fixture
def process() -> Process:
    """A process that has recorded nothing."""
    return Process()


@pytest.mark.parametrize(
    ("amounts", "units"),
    [
        ((0.1, 0.2), 3 * 10**14),
        ((0.1, 0.7), 8 * 10**14),
        ((1e6, 0.1), 10**21 + 10**14),
        ((2**53 + 1, 2**60), (2**53 + 1 + 2**60) * FEMTO),
        ((10**36,), 10**36 * FEMTO),
        ((1e22,), 10**22 * FEMTO),
        ((True, 0.5), 15 * 10**14),
        ((1.5e-15,), 2),
        ((4e-16,), 0),
        ((0,), 0),
    ],
)
def test_a_number_without_unit_is_whole_in_units_of_a_millionth_of_a_billionth(
    process: Process, amounts: tuple[float, ...], units: int
) -> None:
    """Ints count exactly, floats by their shortest decimal: 0.1 and 0.2 are 0.3 together."""
    cell = process.cell()
    for amount in amounts:
        cell.inc(amount)
    taken = cell.take()
    assert (type(taken), taken) == (int, units)


def test_what_is_too_small_stays_pending_until_it_adds_up(process: Process) -> None:
    """A thousand times 10^-18 is one unit, and nothing is lost or made on the way."""
    cell, total = process.cell(), 0
    for _ in range(1000):
        cell.inc(1e-18)
        total += int(cell.take())
    assert total == 1


def test_the_rest_of_random_amounts_is_never_as_much_as_a_unit(process: Process) -> None:
    """However amounts are spread over batches, the store has all of them but less than a unit for each float sum."""
    random, cell = Random(7), process.cell()
    taken, recorded = 0, Fraction(0)
    for _ in range(3000):
        amount = random.choice((random.random(), random.random() * 1e-14, random.randrange(10**20), 0.1))
        before = cell.pending
        cell.inc(amount)
        recorded += Fraction(repr(float(cell.pending))) - Fraction(repr(float(before)))
        taken += int(cell.take())
        assert isinstance(cell.pending, int) or abs(cell.pending) <= 5.1e-16
    assert abs(Fraction(taken, FEMTO) - recorded) < Fraction(3000, FEMTO)


@pytest.mark.parametrize(
    ("unit", "largest"), [("", 10**36), ("seconds", 10**30), ("usd", 10**27)], ids=["none", "seconds", "usd"]
)
def test_an_amount_that_no_value_has_room_for_is_refused_when_it_is_recorded(
    process: Process, unit: str, largest: int
) -> None:
    """10^36 units of the whole slot are taken, ten times as much is refused; the hash format takes 10^290."""
    cell = process.cell(unit=unit)
    cell.inc(float(largest))
    cell.inc(float(largest * 10))
    assert process.refused == [float(largest * 10)]
    process.cell(unit=unit, packed=False).inc(float(largest * 10))
    assert len(process.refused) == 1


@pytest.mark.parametrize(("unit", "scale"), [("seconds", 10**6), ("usd", 10**9)])
def test_seconds_and_money_are_the_units_that_they_always_were(process: Process, unit: str, scale: int) -> None:
    """Microseconds and nano-dollars are whole already."""
    cell = process.cell(unit=unit)
    cell.inc(0.25)
    assert (cell.definition.scale, cell.take()) == (scale, scale // 4)


@pytest.mark.parametrize("part", ["0.1", "+Inf"])
def test_a_count_is_whole(process: Process, part: str) -> None:
    """A bucket counts ones; half a one, which no method of a metric adds, waits for the other half."""
    cell = process.cell("histogram", part=part)
    for expected in (1, 2):
        cell.inc(1.5)
        assert (cell.take(), type(cell.pending)) == (expected, float)
    assert cell.pending == 0


def test_the_process_own_total_is_in_the_family_s_unit(process: Process) -> None:
    """`get()` shows dollars, seconds and plain numbers, as it does for every other cell."""
    cell = process.cell()
    cell.inc(0.1)
    cell.inc(0.2)
    cell.take()
    cell.inc(1)
    assert cell.get() == pytest.approx(1.3)
    assert cell.handed_over() == pytest.approx(0.3)


def test_a_user_s_decimal_context_changes_nothing(process: Process) -> None:
    """An application may compute with three digits; its counters have all of theirs."""
    from decimal import localcontext

    cell = process.cell()
    cell.inc(123456.789012)
    with localcontext(prec=3):
        assert cell.take() == 123456789012 * 10**9


def test_a_batch_says_of_packed_layouts_which_shapes_their_blocks_have() -> None:
    """One for each list of bounds with which the process records; layouts of hashes have none."""
    batch = Batch()
    definitions = [
        Definition.of("h", "histogram", "", "", (), bounds, "", packed=True) for bounds in (BOUNDS, BOUNDS[1:], BOUNDS)
    ]
    for definition in definitions:
        batch.add(definition, '["sum"]', 1)
    batch.add(Definition.of("h", "histogram", "", "", (), BOUNDS, ""), '["sum"]', 1)
    delta = batch.freeze(0, 0.0)
    field = definitions[0].field
    assert delta.shapes == {field: tuple(shape_of(one, one.bounds) for one in definitions[:2])}
    assert delta.adds[field] == {'["sum"]': 3}


def test_gauges_are_levels_whatever_the_setting() -> None:
    """Only what is added up is packed."""
    process = Process()
    gauge = Definition.of("g", "gauge", "", "", (), (), "sum", packed=True)
    assert not gauge.packed
    assert not isinstance(cell_of(process.accumulator, gauge, (), None), Number)
