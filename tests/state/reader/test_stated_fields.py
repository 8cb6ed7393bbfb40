"""Statements that are read together: each as if it were read by itself."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

from hypothesis import given
from hypothesis import strategies as st

from fleetmeter.reader.change import change_of
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.heads import Head
from fleetmeter.reader.plain_lists import PlainLists
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.stated_fields import Members, Stated, StatedFields
from fleetmeter.reader.statements import Statements, said_in
from fleetmeter.schema.definition import compact_json, read_json

TEXTS = st.sampled_from(["", "a", "b", "é", 'q"', "\\", ",[", "]]", "x\ny", "\0", " "])
WRITERS = st.sampled_from(["w1", "w2", "é", 'q"', "\\w", ",[", ""])
LAYOUTS = st.sampled_from([("n", "l"), ("n", "l2"), ("é,[", "l")])


@st.composite
def stated_fields(draw: st.DrawFn) -> bytes:
    """A field: mostly as our writers spell it, at times in other JSON, at times anything."""
    name, layout = draw(LAYOUTS)
    values = draw(st.lists(TEXTS, min_size=2, max_size=2) | st.lists(TEXTS, max_size=3))
    series = [name, layout, values]
    text = draw(st.sampled_from([compact_json(series)] * 6 + [json.dumps(series), json.dumps(series, indent=1)]))
    field = f"{draw(WRITERS)} {text}".encode()
    return draw(
        st.sampled_from([field] * 8 + [field[:-1], field + b"]", b"\xff" + field, field.replace(b'"l"', b"1"), b"x"])
    )


def by_itself(field: bytes) -> tuple[Head, tuple[str, ...]] | None:
    """What a field says, read as JSON; None if it is no statement."""
    try:
        writer, _, series = field.decode().partition(" ")
        name, layout, values = read_json(series)
    except (ValueError, TypeError):
        return None
    texts = [name, layout, *values] if isinstance(values, list) else [None]
    return (Head(writer, (name, layout)), tuple(values)) if all(isinstance(text, str) for text in texts) else None


def is_spelled_so(field: bytes) -> bool:
    """Whether our writers spell a statement so, and nothing before the label values looks like their beginning."""
    writer, _, series = field.decode().partition(" ")
    name, layout, _ = read_json(series)
    head = f"{writer} {compact_json([name, layout])[:-1]}"
    return compact_json(read_json(series)) == series and field.decode().partition(",[")[0] == head


@given(st.lists(stated_fields(), unique=True), st.lists(stated_fields(), unique=True),
       st.sampled_from(["none", "all", "some"]))  # fmt: skip
def test_fields_that_are_read_together_say_what_each_says(first: list[bytes], second: list[bytes], taken: str) -> None:
    """Heads, places and label values, of the fields of a first read and of those that a later one adds."""
    fields = Fields(first)
    stated = StatedFields.of(fields, None)
    assert_right(stated, taken)
    assert StatedFields.of(fields, stated) is stated
    assert_right(stated, "all")
    assert_right(StatedFields.of(Fields.after(fields, second), stated), "all")


@given(st.lists(st.tuples(WRITERS, LAYOUTS), min_size=5, max_size=30), st.data())
def test_places_stay_right_while_fields_of_several_layouts_come_and_go(
    heads: list[tuple[str, tuple[str, str]]], data: st.DataObject
) -> None:
    """Plain fields, some of which are there at each read, in one order."""
    every = [
        f"{writer} {compact_json([*layout, [str(number), 'b']])}".encode()
        for number, (writer, layout) in enumerate(heads)
    ]
    fields, stated = Fields(), StatedFields.of(Fields(), None)
    earlier: dict[tuple[str, str], Stated] = {}
    for _ in range(4):
        there = data.draw(st.lists(st.booleans(), min_size=len(every), max_size=len(every)))
        fields = Fields.after(fields, list(compress(every, there)))
        stated = StatedFields.of(fields, stated)
        assert_right(stated, "all")
        assert stated.writers == {head.writer for head in stated.heads() if head is not None}
        for layout in {layout for _, layout in heads}:
            part = stated.of_layout(*layout)
            assert part.every_writer == set(part.writers)
            assert part.fields == [fields[place] for place in part.places]
            known = earlier.setdefault(layout, Stated())
            if isinstance(part.places, Members) and part.places.before is known.places:
                change, expected = part.places.change, change_of(known.fields, part.fields)
                assert change is not None
                assert (change.count, [*change.came], [*change.gone]) == (
                    expected.count,
                    [*expected.came],
                    [*expected.gone],
                )
            earlier[layout] = part


def columns(part: Stated, width: int, some: Sequence[int]) -> list[list[str]] | None:
    """The label values of some statements, in whichever form they were found."""
    texts = part.texts(width, some)
    return texts.columns() if isinstance(texts, PlainLists) else texts


def assert_right(stated: StatedFields, taken: str) -> None:
    """That all is said as each field says it, also the label values of `all` or `some` of them."""
    read = [by_itself(field) for field in stated.fields]
    assert list(stated.heads()) == [None if one is None else one[0] for one in read]
    assert list(stated.unreadable) == [place for place, one in enumerate(read) if one is None]
    for name, layout in {one[0].layout for one in read if one is not None}:
        own = [(place, *one) for place, one in enumerate(read) if one is not None and one[0].layout == (name, layout)]
        found = stated.of_layout(name, layout)
        assert list(found.places) == [place for place, _, _ in own]
        assert found.writers == [head.writer for _, head, _ in own]
        assert found.values == [values for _, _, values in own]
        if taken == "none":
            continue
        stays = [taken == "all" or head.writer == "w2" for _, head, _ in own]
        part = found if taken == "all" else found.only(stays)
        members = [one for one, stay in zip(own, stays, strict=True) if stay]
        width = len(members[0][2]) if members else 2
        plain = all(is_spelled_so(stated.fields[place]) and len(values) == width for place, _, values in members)
        expected = [[values[at] for _, _, values in members] for at in range(width)] if plain else None
        for _ in range(2):  # what was found at first is given away
            texts = part.texts(width, range(len(members)))
            assert (texts.columns() if isinstance(texts, PlainLists) else texts) == expected
        assert not members or columns(part, width + 1, range(len(members))) is None
        if plain and members:
            assert columns(part, width, [0]) == [[text] for text in members[0][2]]


RAW = st.tuples(
    st.sampled_from([b"0", b"5", b"1790000000000000", b"9" * 18, b"1" * 19, b"", b"-1", b"x", b"5\n6", b"\xd9\xa3"]),
    st.sampled_from([b" "] * 6 + [b"", b"  "]),
    st.sampled_from([b"1", b"-0.5", b"nan", b"a b", b"", b"\n", b"\xff", "é".encode(), b"1\n2 3"]),
).map(b"".join)


@given(st.lists(RAW, max_size=5))
def test_times_and_texts_are_parted_as_each_by_itself(raw: list[bytes]) -> None:
    """A time, a space and a text in UTF-8; what is anything else is told of, and only that."""
    fields = [b'w ["n","l",["%d"]]' % number for number in range(len(raw))]
    empty = Snapshot(0, None, {}, (), {}, {}, {}, None)
    statements = Statements(replace(empty, gauges=Hash(fields, raw)))
    parts = [text.partition(b" ") for text in raw]
    assert said_in(statements.raw) == [text for _, _, text in parts]
    assert statements.illegible == {place for place, (time, _, text) in enumerate(parts) if not is_legible(time, text)}


def is_legible(time: bytes, text: bytes) -> bool:
    """Whether a time is a number, and a text is one."""
    try:
        int(time)
        text.decode()
    except ValueError:
        return False
    return True


def test_what_is_the_same_in_a_later_snapshot_is_the_same_object() -> None:
    """Also in the snapshot itself, so that nothing is kept twice; and what was illegible stays so."""
    empty = Snapshot(0, None, {}, (), {}, {}, {}, None)
    first = [b"1 5", b"x", b"3 7"]
    before = Statements(replace(empty, gauges=Hash([b'w ["n","l",["%d"]]' % at for at in range(3)], first)))
    again = Statements(before._snapshot, before)
    assert again.raw is before.raw is first
    assert again.illegible == {1}
    fields = Fields.after(before.fields.fields, [b'w ["n","l",["%d"]]' % at for at in (0, 9, 1, 2)])
    gauges = Hash(fields, [bytes([*b"1 5"]), b"\xff", b"x", b"4 7"])
    later = Statements(replace(empty, gauges=gauges), before)
    assert later.raw == [b"1 5", b"\xff", b"x", b"4 7"]
    assert gauges.texts is later.raw
    assert later.raw[0] is first[0]
    assert later.raw[2] is first[1]
    assert later.illegible == {1, 2}
