"""The fields of `gauges`, parsed into writer, layout and series. Each field is parsed once, when it is new."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, compress
from typing import NamedTuple, Self, cast

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.plain_lists import PlainLists
from fleetmeter.reader.spelling import columns_of, columns_of_ends, lists_of
from fleetmeter.schema.definition import read_json, texts_of

_SERIES = b",["
"""What stands between the head of a field and its label values: `w ["name","layout"` and `"a","b"]]`."""

_AT_ONCE = 1_000
"""Fields that are parted together: what they are parted into takes little memory, and is quick to reach."""

Columns = list[list[str]]
"""The label values of some fields: the first label's of all fields, then the second's, and so on."""


_Places = dict[tuple[str, str] | None, list[int]]
"""The places of fields by their layout; None has those of fields that are no statements."""


class Head(NamedTuple):
    """What a field says before the label values: the writer, family and layout. Fields that say the same share one."""

    writer: str
    layout: tuple[str, str]


@dataclass(frozen=True)
class Stated:
    """The statements of one layout: at which places of the hash they are, and whose.

    `found` has the label values if they were found when the fields were read, and nobody has asked for them yet.
    """

    fields: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    found: list[PlainLists] = field(default_factory=list, repr=False)

    @cached_property
    def writers(self) -> list[str]:
        """The writer of each."""
        return [head.writer for head in self.heads]

    @cached_property
    def values(self) -> list[tuple[str, ...]]:
        """The label values of each, by sorted name."""
        together = lists_of([b"[" + end[:-1] for end in _ends_of(self.fields)])
        if together is not None:
            return list(map(tuple, together))
        return [values for one in self.fields for _, values in [_taken_apart(one)]]

    @cached_property
    def every_writer(self) -> frozenset[str]:
        """All writers among them."""
        return frozenset(self.writers)

    def texts(self, width: int, some: Sequence[int]) -> PlainLists | Columns | None:
        """The `width` label values of some of them, by sorted name; None if a field is not spelled as our writers do.

        What was found when the fields were read is given away, because it takes as much memory as the fields.
        """
        found = self.found.pop() if self.found else None
        if found is not None and found.width == width and len(some) == len(self.fields):
            return found
        ends = _ends_of(map(self.fields.__getitem__, some))
        return PlainLists.of(ends, width, "", "]]") or columns_of_ends(ends, width)

    def only(self, stays: Sequence[bool]) -> "Stated":
        """Those of them that stay."""
        self.found.clear()
        fields, places = list(compress(self.fields, stays)), list(compress(self.places, stays))
        return Stated(fields, places, list(compress(self.heads, stays)))


_NOTHING = Stated()


class StatedFields:
    """The fields of one hash. As long as a `Stated` is the same object, everything derived from it holds.

    `unreadable` lists the places of fields that are no statements.
    """

    def __init__(self, fields: Fields, before: Self | None = None) -> None:
        self.fields = fields
        found: dict[tuple[str, str], PlainLists] = {}
        if before is None:
            self._heads, places, found = _read(fields)
        else:
            self._heads = _with_new(fields, before)
            places = _by_layout(self._heads)
        self.unreadable = places.pop(None, [])
        self._by_layout = {
            layout: self._stated(at, [found[layout]] if layout in found else [])
            for layout, at in places.items()
            if layout is not None
        }

    @classmethod
    def of(cls, fields: Fields, before: Self | None) -> Self:
        """The statements of these fields; `before` itself if its fields are the same object."""
        if before is None or before.fields is not fields:
            return cls(fields, before)
        before.let_go()
        return before

    def let_go(self) -> None:
        """Forget the label values that nobody has asked for."""
        for stated in self._by_layout.values():
            stated.found.clear()

    def of_layout(self, name: str, layout: str) -> Stated:
        """The statements of a family's layout."""
        return self._by_layout.get((name, layout), _NOTHING)

    def heads(self) -> Sequence[Head | None]:
        """The head of each field; None for one that is no statement."""
        return self._heads

    def _stated(self, places: list[int], found: list[PlainLists]) -> Stated:
        if len(places) == len(self.fields):
            return Stated(self.fields, places, cast("list[Head]", self._heads), found)
        heads = [head for head in map(self._heads.__getitem__, places) if head is not None]
        return Stated(list(map(self.fields.__getitem__, places)), places, heads, found)


def _ends_of(fields: Iterable[bytes]) -> list[bytes]:
    """What follows the opening bracket of the label values, if a field is spelled as our writers do."""
    return [one.partition(_SERIES)[2] for one in fields]


def _with_new(fields: Fields, before: StatedFields) -> list[Head | None]:
    change = fields.since(before.fields)
    return change.carried(before.heads(), _read([fields[place] for place in change.came])[0])


def _read(fields: Sequence[bytes]) -> tuple[list[Head | None], _Places, dict[tuple[str, str], PlainLists]]:
    """The head of each field, None if it is no statement; the places by layout; the label values, if none is escaped.

    Fields of a layout are read together. Only if they are spelled otherwise than our writers do, each is read by
    itself.
    """
    known = _Heads()
    heads: list[Head | None] = []
    lines: list[bytes] = []
    for first in range(0, len(fields), _AT_ONCE):
        texts, some = _parted(fields[first : first + _AT_ONCE])
        heads += map(known.__getitem__, texts)
        lines.append(some)
    joined = b"\n".join(lines)
    del lines
    layouts = {head.layout if head is not None else None for head in known.values()}
    places: _Places = {layouts.pop(): list(range(len(heads)))} if len(layouts) == 1 else _by_layout(heads)
    found: dict[tuple[str, str], PlainLists] = {}
    others = [places.pop(None, [])]
    ends: list[bytes] = []  # only if one text of all is not enough
    if joined.count(b"\n") != len(fields) - 1:
        ends = _ends_of(fields)  # a line feed is in a field, which no writer would spell so
    elif len(places) > 1 or others[0] or b"\\" in joined:
        ends = joined.split(b"\n")
    for layout, at in places.items():
        own = list(map(ends.__getitem__, at)) if ends else []
        lines = b"\n".join(own) if own else joined
        plain = next((end for end in own if b"\\" not in end), lines[: lines.find(b"\n") if b"\n" in lines else None])
        width = plain.count(b'"') // 2
        lists = PlainLists.of_lines(lines, len(at), width, "", "]]")
        if lists is not None and layout is not None:
            found[layout] = lists
        elif layout is None or columns_of_ends(own or lines.split(b"\n"), width) is None:
            others.append(at)
    for place in chain.from_iterable(others):
        head = heads[place] = _head(fields[place])
        if head is not None:
            found.pop(head.layout, None)
    return heads, _by_layout(heads) if any(others) else places, found


def _parted(fields: Sequence[bytes]) -> tuple[list[bytes], bytes]:
    """What stands before the label values of each field; and what follows their opening brackets, as lines."""
    pieces = (b"\n" + _SERIES).join(fields).split(_SERIES)
    texts, ends = pieces[::2], b"".join(pieces[1::2])
    # if each line feed is in an end, it is the last of it: so each end but the last has one, and no text has any
    if len(pieces) != 2 * len(fields) or ends.count(b"\n") != len(fields) - 1 or b"\n" in b"".join({*texts}):
        parted = [one.partition(_SERIES) for one in fields]
        return [text for text, _, _ in parted], b"\n".join([end for _, _, end in parted])
    return texts, ends


def _by_layout(heads: Sequence[Head | None]) -> _Places:
    """The places of the heads of each layout; None has those that are None."""
    different = dict(zip(map(id, heads), heads, strict=True))
    places: _Places = {}
    lists = {number: places.setdefault(None if head is None else head.layout, []) for number, head in different.items()}
    if len(places) == 1:
        return {layout: list(range(len(heads))) for layout in places}
    for place, own in enumerate(map(lists.__getitem__, map(id, heads))):
        own.append(place)
    return places


class _Heads(dict[bytes, Head | None]):
    """The heads by their texts; None for one that is not spelled as our writers do."""

    def __init__(self) -> None:
        super().__init__()
        self._families: dict[bytes, tuple[str, str] | None] = {}

    def __missing__(self, text: bytes) -> Head | None:
        writer, _, family = text.partition(b" ")
        if family not in self._families:
            names = columns_of([family + b"]"], 2)
            self._families[family] = None if names is None else (names[0][0], names[1][0])
        layout = self._families[family]
        try:
            head = self[text] = None if layout is None else Head(writer.decode(), layout)
        except UnicodeDecodeError:
            head = self[text] = None
        return head


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
