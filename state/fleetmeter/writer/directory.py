"""Where the numbers of packed layouts stand, as the store has told one writer.

What is known may be out of date at any time: the store looks whether it still holds before it adds by it. An entry of a
layout's names vouches for all entries before it, and the generation for every block that was there.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fleetmeter.schema.definition import MAX_SERIES
from fleetmeter.schema.packing import Shape

Slots = dict[Shape, dict[str, int]]
"""Where blocks begin: by shape, then by series, a JSON array of label values by sorted name."""


Amounts = dict[int, int]
"""Amounts of one block: by the number of its part, 0 for the value. All of them are whole."""

Blocks = dict[Shape, dict[str, Amounts]]
"""What is added to blocks, by shape and then by series."""


class Known(NamedTuple):
    """What is known of one layout: `<generation> <number of names> <digest of the last>`, and where blocks begin."""

    state: str
    slots: Slots

    def parted(self, blocks: Blocks) -> tuple[Blocks, Blocks]:
        """The blocks whose slots are known, and the others."""
        here: Blocks = {}
        others: Blocks = {}
        for shape, series_of in blocks.items():
            slots = self.slots.get(shape, {})
            new = {series: amounts for series, amounts in series_of.items() if series not in slots}
            if not new:
                here[shape] = series_of
            elif len(new) < len(series_of):
                here[shape] = {series: amounts for series, amounts in series_of.items() if series in slots}
            if new:
                others[shape] = new
        return here, others


class Asked(NamedTuple):
    """The blocks that a call named, in the order in which the answer tells their slots; `field` is the layout's."""

    field: str
    shape: Shape
    series: tuple[str, ...]


class Directory:
    """What one writer knows, by the layout's field in `families`: at most `most` blocks of each."""

    def __init__(self, most: int = MAX_SERIES) -> None:
        self._most = most
        self._writer = ""
        self._known: dict[str, Known] = {}

    def of(self, writer: str) -> Mapping[str, Known]:
        """What is known to a writer. Another one than before begins with nothing."""
        if writer != self._writer:
            self._writer = writer
            self._known.clear()
        return self._known

    def learn(self, asked: Iterable[Asked], told: Iterable[str], proven: Iterable[str]) -> None:
        """Take in what an answer told of the blocks that were asked for, one text of `learned` for each of `asked`.

        `proven` are the layouts to whose numbers the same call added by what was known.
        """
        standing = set(proven)
        for question, text in zip(asked, told, strict=True):
            generation, names, digest, *slots = text.removeprefix(f"{question.field} ").split(" ")
            new = Known(f"{generation} {names} {digest}", {})
            old = self._known.get(question.field)
            if old is not None and (question.field in standing or old.state == new.state):  # nothing came or went
                new = new._replace(slots=old.slots)
            standing.add(question.field)  # a second answer about a layout is of the same instant as the first
            found = zip(question.series, slots, strict=True)
            of_shape = new.slots.setdefault(question.shape, {})
            of_shape.update((series, int(slot)) for series, slot in found if slot != "-")
            if sum(map(len, new.slots.values())) > self._most:
                new.slots.clear()
            self._known[question.field] = new

    def go_on(self, grown: Iterable[str]) -> None:
        """Take in how far the names of layouts go to which the same call added by what was known."""
        for text in grown:
            field, *state = text.rsplit(" ", 3)
            self._known[field] = self._known[field]._replace(state=" ".join(state))

    def forget(self, fields: Iterable[str] | None = None) -> None:
        """Forget these layouts, or all."""
        for name in list(self._known) if fields is None else fields:
            self._known.pop(name, None)
