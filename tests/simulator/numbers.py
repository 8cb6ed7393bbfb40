"""What must hold of a store's numbers: each series has what was recorded for it, and the parts of a layout agree."""

from collections.abc import Sequence
from fractions import Fraction

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import FRACTION
from fleetmeter.schema.scale import Scale
from simulator.blocks import fault_of
from simulator.hashes import Hashes
from simulator.ledger import FORMATS, LOADS, PACKED, Ledger, number_of
from simulator.stored import PLACES, amount, counted, evicted, numbers, records_in
from simulator.world import Violation, World

Number = int | Fraction


def check_numbers(world: World, hashes: Hashes) -> None:
    """All numbers of a store. Those of a family stand in both formats, and are moved from one to the other."""
    for layout in PACKED:
        _check_fit(world, hashes, layout)
    _check_records(world.ledger, hashes)


def _check_fit(world: World, hashes: Hashes, layout: Definition) -> None:
    """The three keys of a packed layout agree, or one of them was evicted."""
    keys = PLACES[layout.field]
    there = sum(hashes.value(key) is not None for key in keys)
    if there == len(keys):
        fault = fault_of(hashes, keys)
        if fault:
            raise Violation(f"unsound: {layout.name}: {fault}")
    elif there and world.evictions.isdisjoint(keys):
        raise Violation(f"unsound: {layout.name} has {there} of its keys")


def _check_records(ledger: Ledger, hashes: Hashes) -> None:
    paid = counted(hashes)
    for families in FORMATS:
        for layout in (families.twin, families.gone):
            _check_series(ledger, hashes, layout)
    twins = sum(amount(hashes, families.twin) + evicted(hashes, families.twin) for families in FORMATS)
    if twins != paid:
        raise Violation("torn: two counters of one atomic block differ")
    took = _parts(hashes, [families.took for families in FORMATS])
    _check_times(ledger, took, paid, sum(evicted(hashes, families.took) for families in FORMATS))
    load, gone = (
        _parts(hashes, [families.load for families in FORMATS]),
        sum(evicted(hashes, families.load) for families in FORMATS),
    )
    if load.get("count", 0) != number_of(paid) - number_of(gone):
        raise Violation(f"torn: {load.get('count', 0)} loads beside {number_of(paid)} records")
    if load.get("sum", 0) * LOADS != ledger.load(paid) - ledger.load(gone):
        raise Violation("inexact: the sum of loads is not what was recorded")


def _check_series(ledger: Ledger, hashes: Hashes, layout: Definition) -> None:
    """No series of a counter with one label has records of another."""
    for field, number in numbers(hashes, layout).items():
        strangers = ledger.strangers(records_in(layout, number), field[2:-2])
        if strangers:
            raise Violation(f"misplaced: {layout.name} of {field} has {number_of(strangers)} records of others")


def _parts(hashes: Hashes, layouts: Sequence[Definition]) -> dict[str, Number]:
    """The numbers of a family without labels, by part; a sum in its own unit if it has one that is kept exactly."""
    found: dict[str, Number] = {}
    for layout in layouts:
        for field, number in numbers(hashes, layout).items():
            part = field[2:-2]
            scale = FRACTION if part == "sum" and layout.scale == Scale.FEMTO else 1
            found[part] = found.get(part, 0) + Fraction(_number(number)) / scale
    return found


def _number(stored: str | int) -> Number:
    try:
        return int(stored)
    except ValueError:
        return Fraction(stored)


def _check_times(ledger: Ledger, found: dict[str, Number], total: int, gone: int) -> None:
    """A histogram of times has those of the records in a total, without those that are gone."""
    expected = {"0.1": 0, "+Inf": 0, "sum": 0}
    for records, sign in ((total, 1), (gone, -1)):
        for record, count in ledger.records(records):
            expected[record.bound] += sign * count
            expected["sum"] += sign * count * record.micros
    for part, number in expected.items():
        if found.get(part, 0) != number:
            kind = "inexact" if part == "sum" else "torn"
            raise Violation(f"{kind}: {found.get(part, 0)} is under {part}, {number} were recorded")
