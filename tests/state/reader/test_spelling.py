"""Lists and objects of texts that are taken apart together: as if each were read by itself, or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetmeter.reader.spelling import are_lists, columns_of, columns_of_ends, objects_of
from fleetmeter.schema.definition import compact_json

SOME = st.text(alphabet='ab",[]{}:\\%\n\0\x1f é🚀', max_size=5)
PLAIN = ['["a","b"]', '["",","]', '["]","["]', '["é","🚀"]', '["a%","{}"]']


@given(st.integers(0, 3).flatmap(lambda width: st.lists(st.lists(SOME, min_size=width, max_size=width), min_size=1)))
def test_lists_as_our_writers_spell_them_are_taken_apart(lists: list[list[str]]) -> None:
    """Whatever is in the texts: quotes, brackets, line feeds, other alphabets."""
    spelled = [compact_json(texts).encode() for texts in lists]
    width = len(lists[0])
    assert columns_of(spelled, width) == [[texts[at] for texts in lists] for at in range(width)]
    assert are_lists(spelled, width)
    assert not are_lists(spelled, width + 1)
    assert columns_of(spelled, width + 1) is None


@pytest.mark.parametrize(
    "other",
    [
        '["a"]', '["a","b","c"]', '["a", "b"]', ' ["a","b"]', '["a","b"] ', '["a","b"],["a","b"]',
        '["a","b"]\n["a","b"]',
        '["a""b"]', '["a";"b"]', '["a",1]', '["a",null]', '["a",["b"]]', '{"a":"b"}', '["a","b"', '"a","b"]', "", "[]",
        '["a","b\n"]', '["a","\x1f"]', '["a","\\u0062"]', '["a","\\/"]', '["a","\\ud800"]',
    ],
)  # fmt: skip
def test_one_that_is_spelled_otherwise_is_found_among_many(other: str) -> None:
    """It may mean the same as another one, so that nobody may take its spelling for its meaning."""
    for at in range(len(PLAIN) + 1):
        lists = [text.encode() for text in (*PLAIN[:at], other, *PLAIN[at:])]
        assert columns_of(lists, 2) is None
        assert not are_lists(lists, 2)


def test_what_is_no_text_at_all() -> None:
    """Bytes that are no UTF-8 are in no list and no object."""
    assert columns_of([b'["a","\xff"]'], 2) is None
    assert not are_lists([b'["a","\xff"]'], 2)
    assert columns_of_ends([b'"a","\xff"]]'], 2) is None
    assert objects_of([b'{"a":"\xff"}']) is None


@pytest.mark.parametrize("text", ['{"a":"1"}', '{"a":"1","b":""}', '{"é":":","[4":"{,}"}'])
def test_objects_with_the_same_names_are_taken_apart(text: str) -> None:
    """A column for each name, in the order in which they stand."""
    found = objects_of([text.encode()] * 3)
    assert found == {name: [fact] * 3 for name, fact in json.loads(text).items()}
    assert list(found) == list(json.loads(text))


@pytest.mark.parametrize(
    "other",
    ["{}", '{"a":1}', '{"b":"1"}', '{"a":"1","b":"2"}', '{"a":"1","a":"2"}', '{"a": "1"}', '{"a":"\\n"}', '{"a":"\n"}',
     '["a","1"]', '{"a","1"}', '{"a":"1"', ""],
)  # fmt: skip
def test_objects_of_another_kind_are_not(other: str) -> None:
    """They are left to be read one by one."""
    for texts in ([other, '{"a":"1"}'], ['{"a":"1"}', other], ['{"a":"1"}', other, '{"a":"1"}']):
        assert objects_of([text.encode() for text in texts]) is None
    assert objects_of([b'{"a":"1","a":"2"}'] * 2) is None


@given(st.integers(0, 3).flatmap(lambda width: st.lists(st.lists(SOME, min_size=width, max_size=width), min_size=1)))
def test_the_ends_of_fields_of_gauges(lists: list[list[str]]) -> None:
    """They are taken apart as the lists are that they end; nothing else passes for one, nor two of them for one."""
    width, lines = len(lists[0]), [compact_json(texts).encode() for texts in lists]
    ends = [line[1:] + b"]" for line in lines]
    assert columns_of_ends(ends, width) == columns_of(lines, width)
    assert columns_of_ends(ends, width + 1) is None
    other = compact_json(["a"] * width).encode()[1:]
    for wrong in (
        b"",
        other,
        other + b"x",
        other + b"]]",
        b" " + other + b"]",
        b"[" + other + b"]",
        other + b"]\n" + other + b"]",
    ):
        assert columns_of_ends([*ends, wrong], width) is None
        assert columns_of_ends([wrong, *ends], width) is None
