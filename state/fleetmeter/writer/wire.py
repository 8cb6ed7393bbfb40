"""How a batch is written as keys and arguments of `apply` (see lua/apply.lua)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleetmeter.schema.keys import Keys
from fleetmeter.schema.scale import number_text
from fleetmeter.values.delta import Delta
from fleetmeter.writer.directory import Asked, Known
from fleetmeter.writer.packed_sections import blocks_of, indexed, named


@dataclass(frozen=True)
class Body:
    """`keys` are all keys of the call; `arguments` the sections, whose key indexes count from 1 over the keys.

    `asked` are the blocks of packed layouts that are named, section by section; `proven` are the layouts to which it
    also adds by what was known.
    """

    keys: tuple[str, ...]
    arguments: tuple[str, ...]
    asked: tuple[Asked, ...] = ()
    proven: tuple[str, ...] = ()


class _Sections:
    """The keys and sections of a body in the making."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.names = keys.fixed
        self.arguments: list[str] = []
        self.asked: list[Asked] = []
        self.proven: list[str] = []
        self._indexes = {name: index for index, name in enumerate(self.names, 1)}

    def add(self, operation: str, key: str | tuple[str, str, str], width: int, items: Iterable[str]) -> None:
        """One section, unless it is empty. Of several keys, which are declared in a row, it names the first."""
        flat = tuple(items)
        if flat:
            every = (key,) if isinstance(key, str) else key
            if every[0] not in self._indexes:
                self._indexes[every[0]] = len(self.names) + 1
                self.names += every
            self.arguments.extend((operation, str(self._indexes[every[0]]), str(len(flat) // width), *flat))

    def add_packed(self, field: str, delta: Delta, known: Known | None) -> None:
        """The amounts of a packed layout: by slot if that is known, else by name."""
        keys = self.keys.packed(field)
        blocks = blocks_of(delta.adds[field], delta.shapes[field], has_parts=field in delta.has_parts)
        if known is not None:
            here, blocks = known.parted(blocks)
            if here:
                self.add("indexed", keys, 1, indexed(known, here))
                self.proven.append(field)
        for shape, series_of in blocks.items():
            self.add("named", keys, 1, named(shape, series_of))
            self.asked.append(Asked(field, shape, tuple(series_of)))


def encode(delta: Delta, keys: Keys, known: Mapping[str, Known] | None = None) -> Body:
    """The keys of a namespace that a batch touches, and its sections in the order in which they take effect.

    `known` is where blocks of packed layouts stand, by field. A layout of which something is removed is not looked up.
    """
    body = _Sections(keys)
    body.add("define", keys.families, 2, _flat(delta.definitions.items()))
    body.add("expect", keys.families, 1, delta.adds)
    removals = _removals(delta)
    for family, (operation, items) in removals.items():
        body.add(operation, keys.packed(family) if "packed" in operation else keys.family(family), 3, items)
    body.add("unset", keys.gauges, 1, delta.unset)
    body.add("gauge", keys.gauges, 2, _flat(delta.gauges.items()))
    for family, numbers in delta.adds.items():
        if family in delta.shapes:
            body.add_packed(family, delta, None if known is None or family in removals else known.get(family))
            continue
        operation = "add_part" if family in delta.has_parts else "add"
        amounts = ((name, number_text(amount)) for name, amount in numbers.items())
        body.add(operation, keys.family(family), 2, _flat(amounts))
    body.add("exemplar", keys.exemplars, 2, _flat(delta.exemplars.items()))
    return Body(tuple(body.names), tuple(body.arguments), tuple(body.asked), tuple(body.proven))


def _removals(delta: Delta) -> dict[str, tuple[str, list[str]]]:
    """What is removed of each layout, and by which operation; that of its twin follows a layout's own."""
    found: dict[str, tuple[str, list[str]]] = {}
    for removal in delta.removals:
        own, twin = ("remove_packed", "remove_twin") if removal.packed else ("remove", "remove_packed_twin")
        for family, operation in ((removal.family, own), (removal.twin, twin)):
            if family:
                item = (family, removal.pattern, "parts" if removal.has_parts else "one")
                found.setdefault(family, (operation, []))[1].extend(item)
    return found


def _flat(pairs: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (text for pair in pairs for text in pair)
