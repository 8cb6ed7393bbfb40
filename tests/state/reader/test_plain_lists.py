"""Lists of texts in which nothing is escaped, taken apart together."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetmeter.reader.plain_lists import PlainLists, are_plain
from fleetmeter.reader.spelling import columns_of
from fleetmeter.schema.definition import compact_json

TEXTS = st.text(alphabet=",[] aé%\U00010348!", max_size=4)


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=1)))
@example([[",", ","], ["", ""]])
def test_lists_say_what_each_says(rows: list[list[str]]) -> None:
    """In columns, as keys that sort as the lists do, and filled into lines; a comma alone may be left to others."""
    width, lists = len(rows[0]), [compact_json(row).encode() for row in rows]
    found = PlainLists.of(lists, width)
    if found is None:
        assert any("," in row for row in rows)
        return
    assert len(found) == len(rows)
    assert found.columns() == columns_of(lists, width) == [list(column) for column in zip(*rows, strict=True)]
    keys = found.keys()
    assert [key.split("\0") for key in keys] == rows
    assert sorted(range(len(rows)), key=keys.__getitem__) == sorted(range(len(rows)), key=rows.__getitem__)
    texts = [f"<{place}%>" for place in range(width + 1)]
    escaped = [[value.replace("%", "%%") for value in row] for row in rows]
    shown = ["".join(text + value for text, value in zip(texts, [*row, ""], strict=True)) for row in escaped]
    assert found.filled(texts).split("\n") == PlainLists.of_keys(keys, width).filled(texts).split("\n") == shown
    ends = [one[1:] + b"]" for one in lists]
    again = PlainLists.of(ends, width, "", "]]")
    assert again is not None
    assert again.keys() == keys


@pytest.mark.parametrize(
    "other",
    [b"", b"[]", b'["a"]', b'["a","b","c"]', b'["a", "b"]', b'["a","b"] ', b'["a","b"]\n["c","d"]', b'["\\n","b"]',
     b'["\x01","b"]', b'["a\x01b"]', b'["a"\x01"b"]', b'["\n","b"]', b'["\xff","b"]', b'[","x"b"]', b'["a","]',
     b'["a",1]', b'["a"x","b"]', b'{"a","b"}', b'"a","b"', b'["a""b"]'],
)  # fmt: skip
def test_anything_else_is_not_taken_for_such_a_list(other: bytes) -> None:
    """Wherever it stands: what is no list of two texts, or is spelled otherwise."""
    for lists in ([other], [other, b'["a","b"]'], [b'["a","b"]', other], [b'["a","b"]', other, b'["a","b"]']):
        assert PlainLists.of(lists, 2) is None
        assert not are_plain(b"\n".join(lists), len(lists), 2)
