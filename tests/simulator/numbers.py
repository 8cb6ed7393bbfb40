"""What must hold of a store's numbers: each series has what was recorded for it, and the parts of a layout agree."""

from fractions import Fraction

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import FRACTION
from simulator.blocks import fault_of
from simulator.hashes import Hashes
from simulator.ledger import FORMATS, LOADS, Families, Ledger, number_of
from simulator.stored import PLACES, counted_in, evicted, numbers, records_in
from simulator.world import Violation, World

Number = int | Fraction


def check_numbers(world: World, hashes: Hashes) -> None:
    """All numbers of a store, format by format: a process writes all its records in one of them."""
    for families in FORMATS:
        if any(hashes.value(key) is not None for layout in families for key in PLACES[layout.field]):
            for layout in families if families.paid.packed else ():
                _check_fit(world, hashes, layout)
            _check_records(world.ledger, hashes, families)


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


def _check_records(ledger: Ledger, hashes: Hashes, families: Families) -> None:
    paid = counted_in(hashes, families)
    twin = _by_series(ledger, hashes, families.twin)
    _by_series(ledger, hashes, families.gone)
    if sum(twin.values()) + evicted(hashes, families.twin) != paid:
        raise Violation("torn: two counters of one atomic block differ")
    took, gone = _parts(hashes, families.took), evicted(hashes, families.took)
    _check_times(ledger, took, paid, gone)
    load, gone = _parts(hashes, families.load), evicted(hashes, families.load)
    if load.get("count", 0) != number_of(paid) - number_of(gone):
        raise Violation(f"torn: {load.get('count', 0)} loads beside {number_of(paid)} records")
    scale = LOADS / Fraction(FRACTION if families.load.packed else 1)
    if load.get("sum", 0) * scale != ledger.load(paid) - ledger.load(gone):
        raise Violation("inexact: the sum of loads is not what was recorded")


def _by_series(ledger: Ledger, hashes: Hashes, layout: Definition) -> dict[str, int]:
    """The records of each series of a counter with one label, none of which has another's."""
    found = {field[2:-2]: records_in(layout, number) for field, number in numbers(hashes, layout).items()}
    for series, amount in found.items():
        strangers = ledger.strangers(amount, series)
        if strangers:
            raise Violation(f"misplaced: {layout.name} of {series} has {number_of(strangers)} records of others")
    return found


def _parts(hashes: Hashes, layout: Definition) -> dict[str, Number]:
    """The numbers of a layout without labels, by part."""
    return {field[2:-2]: _number(number) for field, number in numbers(hashes, layout).items()}


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
