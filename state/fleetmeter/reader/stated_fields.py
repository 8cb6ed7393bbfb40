"""The fields of `gauges`, parsed into writer, layout and series. Each field is parsed once, when it is new."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress, repeat
from typing import NamedTuple, Self

from fleetmeter.reader.fields import Fields, carried
from fleetmeter.reader.spelling import are_ends, columns_of, lists_of
from fleetmeter.schema.definition import read_json, texts_of

_SERIES = b",["
"""What stands between the head of a field and its label values: `w ["name","layout"` and `"a","b"]]`."""


class Head(NamedTuple):
    """What a field says before the label values: the writer, family and layout. Fields that say the same share one."""

    writer: str
    layout: tuple[str, str]


@dataclass(frozen=True)
class Stated:
    """The statements of one layout: at which places of the hash they are, and whose."""

    fields: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)

    @cached_property
    def writers(self) -> list[str]:
        """The writer of each."""
        return [head.writer for head in self.heads]

    @cached_property
    def values(self) -> list[tuple[str, ...]]:
        """The label values of each, by sorted name."""
        together = lists_of(series_of(self.fields))
        if together is not None:
            return list(map(tuple, together))
        return [values for one in self.fields for _, values in [_taken_apart(one)]]

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
        self._heads: list[Head | None] = _heads_of(fields) if before is None else _with_new(fields, before)
        self.unreadable: list[int] = []
        places: dict[tuple[str, str], list[int]] = {}
        for place, head in enumerate(self._heads):
            if head is None:
                self.unreadable.append(place)
            elif head.layout in places:
                places[head.layout].append(place)
            else:
                places[head.layout] = [place]
        self._by_layout = {layout: self._stated(at) for layout, at in places.items()}

    @classmethod
    def of(cls, fields: Fields, before: Self | None) -> Self:
        """The statements of these fields; `before` itself if its fields are the same object."""
        return before if before is not None and before.fields is fields else cls(fields, before)

    def of_layout(self, name: str, layout: str) -> Stated:
        """The statements of a family's layout."""
        return self._by_layout.get((name, layout), _NOTHING)

    def heads(self) -> Sequence[Head | None]:
        """The head of each field; None for one that is no statement."""
        return self._heads

    def _stated(self, places: list[int]) -> Stated:
        heads = [head for place in places if (head := self._heads[place]) is not None]
        return Stated(list(map(self.fields.__getitem__, places)), places, heads)


def series_of(fields: Sequence[bytes]) -> list[bytes]:
    """The label values of each field, as a JSON list, if the field is spelled as our writers do."""
    return [b"[" + one.partition(_SERIES)[2][:-1] for one in fields]


def _with_new(fields: Fields, before: StatedFields) -> list[Head | None]:
    known, places = len(before.fields), fields.places_in(before.fields)
    new = [place - known for place in places if place >= known]
    now: list[Head | None] = [*repeat(None, len(fields))]
    for place, head in zip(new, _heads_of([fields[place] for place in new]), strict=True):
        now[place] = head
    return carried(before.heads(), now, places)


def _heads_of(fields: Sequence[bytes]) -> list[Head | None]:
    """The head of each field; None for one that is no statement. Fields without escaped texts are read together."""
    heads: dict[bytes, Head | None] = {}
    found: list[Head | None] = []
    plain: list[bytes] = []
    for one in fields:
        head, _, series = one.partition(_SERIES)
        if head not in heads:
            heads[head] = _plain_head(head)
        found.append(heads[head] if b"\\" not in one else None)
        if found[-1] is not None:
            plain.append(series)
    if not are_ends(plain):
        found = [*repeat(None, len(fields))]
    if None in found:
        for place in compress(range(len(found)), [head is None for head in found]):
            found[place] = _head(fields[place])
    return found


def _plain_head(head: bytes) -> Head | None:
    writer, _, family = head.partition(b" ")
    names = columns_of([family + b"]"], 2)
    try:
        return Head(writer.decode(), (names[0][0], names[1][0])) if names is not None else None
    except UnicodeDecodeError:
        return None


def _taken_apart(one: bytes) -> tuple[Head, tuple[str, ...]]:
    """The head and the label values of a field. Raises `ValueError` or `TypeError` if it is no statement."""
    writer, _, series = one.decode().partition(" ")
    *family, values = read_json(series)
    name, layout = texts_of(family)
    return Head(writer, (name, layout)), tuple(texts_of(values))


def _head(one: bytes) -> Head | None:
    try:
        return _taken_apart(one)[0]
    except (ValueError, TypeError):
        return None
