"""How a batch is written as keys and arguments of `apply` (see lua/apply.lua)."""

from collections.abc import Iterable
from dataclasses import dataclass

from fleetmeter.schema.keys import Keys
from fleetmeter.schema.scale import number_text
from fleetmeter.values.delta import Delta


@dataclass(frozen=True)
class Body:
    """`keys` are all keys of the call; `arguments` the sections, whose key indexes count from 1 over the keys."""

    keys: tuple[str, ...]
    arguments: tuple[str, ...]


def encode(delta: Delta, keys: Keys) -> Body:
    """The keys of a namespace that a batch touches, and its sections in the order in which they take effect."""
    names = keys.fixed
    indexes = {name: index for index, name in enumerate(names, 1)}
    arguments: list[str] = []

    def section(operation: str, key: str, width: int, items: Iterable[str]) -> None:
        flat = tuple(items)
        if flat:
            if key not in indexes:
                names.append(key)
                indexes[key] = len(names)
            arguments.extend((operation, str(indexes[key]), str(len(flat) // width), *flat))

    section("define", keys.families, 2, _flat(delta.definitions.items()))
    section("expect", keys.families, 1, delta.adds)
    removals: dict[str, list[str]] = {}
    for removal in delta.removals:
        shape = "parts" if removal.has_parts else "one"
        removals.setdefault(removal.family, []).extend((removal.family, removal.pattern, shape))
    for family, items in removals.items():
        section("remove", keys.family(family), 3, items)
    section("unset", keys.gauges, 1, delta.unset)
    section("gauge", keys.gauges, 2, _flat(delta.gauges.items()))
    for family, numbers in delta.adds.items():
        operation = "add_part" if family in delta.has_parts else "add"
        amounts = ((name, number_text(amount)) for name, amount in numbers.items())
        section(operation, keys.family(family), 2, _flat(amounts))
    section("exemplar", keys.exemplars, 2, _flat(delta.exemplars.items()))
    return Body(tuple(names), tuple(arguments))


def _flat(pairs: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (text for pair in pairs for text in pair)
