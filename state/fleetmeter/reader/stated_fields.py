"""The fields of `gauges`, parsed into writer, layout and series. Each field is parsed once, when it is new."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple, Self

from fleetmeter.reader.hashes import Fields
from fleetmeter.schema.definition import read_json, texts_of


class Whose(NamedTuple):
    """What a field says: the writer, family and layout, and label values by sorted name."""

    writer: str
    layout: tuple[str, str]
    values: tuple[str, ...]


@dataclass(frozen=True)
class Stated:
    """The statements of one layout: at which places of the hash they are, and whose."""

    fields: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    whose: list[Whose] = field(default_factory=list)

    @cached_property
    def writers(self) -> list[str]:
        """The writer of each."""
        return [one.writer for one in self.whose]

    @cached_property
    def values(self) -> list[tuple[str, ...]]:
        """The label values of each."""
        return [one.values for one in self.whose]

    @cached_property
    def every_writer(self) -> frozenset[str]:
        """All writers among them."""
        return frozenset(self.writers)


_NOTHING = Stated()


class StatedFields:
    """The fields of one hash. As long as a `Stated` is the same object, everything derived from it holds.

    `unreadable` lists the places of fields that are no statements.
    """

    def __init__(self, fields: Fields, before: Self | None = None) -> None:
        self.fields = fields
        self._whose: list[Whose | None] = _whose_of(fields) if before is None else _with_new(fields, before)
        self.unreadable = [place for place, whose in enumerate(self._whose) if whose is None]
        places: dict[tuple[str, str], list[int]] = {}
        for place, whose in enumerate(self._whose):
            if whose is not None:
                found = places.get(whose.layout)
                if found is None:
                    found = places[whose.layout] = []
                found.append(place)
        self._by_layout = {layout: self._stated(at) for layout, at in places.items()}

    @classmethod
    def of(cls, fields: Fields, before: Self | None) -> Self:
        """The statements of these fields; `before` itself if its fields are the same object."""
        return before if before is not None and before.fields is fields else cls(fields, before)

    def of_layout(self, name: str, layout: str) -> Stated:
        """The statements of a family's layout."""
        return self._by_layout.get((name, layout), _NOTHING)

    def whose(self) -> Sequence[Whose | None]:
        """Whose each field is."""
        return self._whose

    def _stated(self, places: list[int]) -> Stated:
        whose = [one for place in places if (one := self._whose[place]) is not None]
        return Stated([self.fields[place] for place in places], places, whose)


def _with_new(fields: Fields, before: StatedFields) -> list[Whose | None]:
    known, places = before.whose(), fields.places_in(before.fields)
    new = iter(_whose_of([field for field, place in zip(fields, places, strict=True) if place is None]))
    return [known[place] if place is not None else next(new) for place in places]


def _whose_of(fields: Sequence[bytes]) -> list[Whose | None]:
    """Whose each of these fields is, read together if they are all as they should be; None for one that is none."""
    try:
        parted = [field.partition(b" ") for field in fields]
        parsed = read_json(b"[" + b",\n".join([series for _, _, series in parted]) + b"]")
        if len(parsed) != len(fields) or not set(map(len, parsed)) <= {3}:
            raise ValueError("a field holds a line feed, or something else")
        names, layouts, values = zip(*parsed, strict=True) if parsed else ((), (), ())
        texts_of([*names, *layouts, *chain.from_iterable(values)])
        if not set(map(type, values)) <= {list}:
            raise ValueError("a field holds something else")
        layout_of = {pair: pair for pair in zip(names, layouts, strict=True)}
        writers = b"\n".join([writer for writer, _, _ in parted]).decode().split("\n")
        whose = zip(writers, zip(names, layouts, strict=True), map(tuple, values), strict=True)
        return [Whose(writer, layout_of[layout], series) for writer, layout, series in whose]
    except (ValueError, TypeError):
        return [_whose(field) for field in fields]


def _whose(field: bytes) -> Whose | None:
    try:
        writer, _, series = field.decode().partition(" ")
        *family, values = read_json(series)
        name, layout = texts_of(family)
        return Whose(writer, (name, layout), tuple(texts_of(values)))
    except (ValueError, TypeError):
        return None
