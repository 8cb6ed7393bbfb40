"""What a store holds of each family: the numbers in both formats, and what was of them when a key was evicted."""

from collections.abc import Mapping

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import FRACTION
from simulator.blocks import numbers_of
from simulator.hashes import Hashes
from simulator.ledger import FIELDS, FORMATS, PACKED, Families

KEYS = Keys("sim")
GHOST = "ghost"
"""A key that no script sees: what of the state was evicted, so that a roll-back brings that back too."""


PLACES = {
    layout.field: KEYS.packed(layout.field) if layout.packed else (KEYS.family(layout.field),)
    for families in FORMATS
    for layout in families
}
"""The keys that hold the numbers of each layout."""

LAYOUTS = {key: (families, layout) for families in FORMATS for layout in families for key in PLACES[layout.field]}
"""Families and layout of each key that holds numbers."""


def numbers(hashes: Hashes, layout: Definition) -> Mapping[str, str | int]:
    """The numbers of a layout by their field, in stored units."""
    places = PLACES[layout.field]
    if len(places) == 1:
        return hashes.hash(places[0])
    found: Mapping[str, int] | None = hashes.derived.get(places[0])
    if found is None:
        found = hashes.derived[places[0]] = numbers_of(hashes, places)
    return found


def amount(hashes: Hashes, layout: Definition) -> int:
    """The records in a counter of a layout."""
    return sum(records_in(layout, number) for number in numbers(hashes, layout).values())


def records_in(layout: Definition, number: str | int) -> int:
    """The records in a stored number of a counter. Raises `ValueError` if it has a fraction."""
    units, rest = divmod(int(number), FRACTION if layout.packed else 1)
    if rest:
        raise ValueError(f"{number} units of {layout.name} are no whole number")
    return units


def evicted(hashes: Hashes, layout: Definition) -> int:
    """The records that a layout had when a key of it was evicted."""
    return int(hashes.hash(GHOST).get(layout.field, "0"))


def counted_in(hashes: Hashes, families: Families) -> int:
    """Every record that a state has counted in one format."""
    name = families.paid.field
    found: int | None = hashes.derived.get(name)
    if found is None:
        found = hashes.derived[name] = amount(hashes, families.paid) + evicted(hashes, families.paid)
    return found


def counted(hashes: Hashes) -> int:
    """Every record that a state has counted, as often as it has."""
    return counted_in(hashes, FIELDS) + counted_in(hashes, PACKED)


def counted_as_defined(hashes: Hashes) -> int:
    """The same without formats that are not defined, whose numbers nobody can read."""
    defined = hashes.hash(KEYS.families)
    return sum(counted_in(hashes, families) for families in FORMATS if families.paid.field in defined)
