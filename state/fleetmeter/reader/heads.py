"""What the fields of `gauges` say before the label values: the writer and the layout. Many fields are read together."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from fleetmeter.reader.plain_lists import PlainLists
from fleetmeter.reader.spelling import columns_of, columns_of_ends
from fleetmeter.schema.definition import read_json, texts_of

_SERIES = b",["
"""What stands between the head of a field and its label values: `w ["name","layout"` and `"a","b"]]`."""

_AT_ONCE = 1_000
"""Fields that are parted together: what they are parted into takes little memory, and is quick to reach."""

Places = dict[tuple[str, str] | None, Sequence[int]]
"""The places of fields by their layout, in a range if no field has another one; None has those that are no statements.
"""

Writers = dict[tuple[str, str], frozenset[str]]
"""All writers that state something, by layout."""


class Head(NamedTuple):
    """What a field says before the label values: the writer, family and layout. Fields that say the same share one."""

    writer: str
    layout: tuple[str, str]


def ends_of(fields: Iterable[bytes]) -> list[bytes]:
    """What follows the opening bracket of the label values, if a field is spelled as our writers do."""
    return [one.partition(_SERIES)[2] for one in fields]


def writers_of(heads: Sequence[Head | None], known: Writers | None = None) -> Writers:
    """The writers of statements, many of which share a head, beside those that are known."""
    found = {layout: {*writers} for layout, writers in (known or {}).items()}
    for head in dict(zip(map(id, heads), heads, strict=True)).values():
        if head is not None:
            found.setdefault(head.layout, set()).add(head.writer)
    return {layout: frozenset(writers) for layout, writers in found.items()}


def read_heads(fields: Sequence[bytes]) -> tuple[list[Head | None], Places, dict[tuple[str, str], PlainLists]]:
    """The head of each field, None if it is no statement; the places by layout; the label values, if none is escaped.

    Fields of a layout are read together. Only if they are spelled otherwise than our writers do, each is read by
    itself.
    """
    known = _Heads()
    heads: list[Head | None] = []
    joins: list[bytes] = []
    for first in range(0, len(fields), _AT_ONCE):
        texts, some = _parted(fields[first : first + _AT_ONCE])
        heads += map(known.__getitem__, texts)
        joins.append(some)
    joined = b"\n".join(joins)
    del joins
    layouts = {head.layout if head is not None else None for head in known.values()}
    places: Places = {layouts.pop(): range(len(heads))} if len(layouts) == 1 else by_layout(heads)
    found: dict[tuple[str, str], PlainLists] = {}
    others = [places.pop(None, ())]
    ends: list[bytes] = []  # only if one text of all is not enough
    if joined.count(b"\n") != len(fields) - 1:
        ends = ends_of(fields)  # a line feed is in a field, which no writer would spell so
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
    return heads, by_layout(heads) if any(others) else places, found


def _parted(fields: Sequence[bytes]) -> tuple[list[bytes], bytes]:
    """What stands before the label values of each field; and what follows their opening brackets, as lines."""
    pieces = (b"\n" + _SERIES).join(fields).split(_SERIES)
    texts, ends = pieces[::2], b"".join(pieces[1::2])
    # if each line feed is in an end, it is the last of it: so each end but the last has one, and no text has any
    if len(pieces) != 2 * len(fields) or ends.count(b"\n") != len(fields) - 1 or b"\n" in b"".join({*texts}):
        parted = [one.partition(_SERIES) for one in fields]
        return [text for text, _, _ in parted], b"\n".join([end for _, _, end in parted])
    return texts, ends


def by_layout(heads: Sequence[Head | None]) -> Places:
    """The places of the heads of each layout; None has those that are None."""
    different = dict(zip(map(id, heads), heads, strict=True))
    places: dict[tuple[str, str] | None, list[int]] = {}
    lists = {number: places.setdefault(None if head is None else head.layout, []) for number, head in different.items()}
    if len(places) == 1:
        return {layout: range(len(heads)) for layout in places}
    for place, own in enumerate(map(lists.__getitem__, map(id, heads))):
        own.append(place)
    return {**places}


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


def taken_apart(one: bytes) -> tuple[Head, tuple[str, ...]]:
    """The head and the label values of a field. Raises `ValueError` or `TypeError` if it is no statement."""
    writer, _, series = one.decode().partition(" ")
    *family, values = read_json(series)
    name, layout = texts_of(family)
    return Head(writer, (name, layout)), tuple(texts_of(values))


def _head(one: bytes) -> Head | None:
    try:
        return taken_apart(one)[0]
    except (ValueError, TypeError):
        return None
