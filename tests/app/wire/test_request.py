"""A request is read once, and goes on as its client wrote it but for the fields that are set."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.wire.request import JsonRequest

SPACES = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from(["model", "stream_options", "messages", "a", 'q"', "é"]) | st.text(), VALUES)


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """An object, and a way to write it."""
    fields = draw(FIELDS)
    ascii_only = draw(st.booleans())
    parts = [
        f"{draw(SPACES)}{json.dumps(name, ensure_ascii=ascii_only)}{draw(SPACES)}:{draw(SPACES)}"
        f"{json.dumps(value, ensure_ascii=ascii_only)}{draw(SPACES)}"
        for name, value in fields.items()
    ]
    text = f"{draw(SPACES)}{{{','.join(parts) or draw(SPACES)}}}{draw(SPACES)}"
    return fields, text.encode("utf-8", "surrogatepass")


@given(written(), st.dictionaries(st.sampled_from(["model", "stream_options", "a"]), VALUES, max_size=3))
def test_fields_that_are_set_are_set_and_all_others_stay(
    request_written: tuple[dict[str, Any], bytes], changes: dict[str, Any]
) -> None:
    """For any object, in any spelling: what comes out is the object with those fields; None takes one out."""
    fields, body = request_written
    request = JsonRequest.parse(body)
    assert request.fields == fields
    assert request.body == body
    expected = {name: value for name, value in (fields | changes).items() if changes.get(name, 0) is not None}
    assert json.loads(request.with_fields(changes)) == expected


def test_what_is_not_set_keeps_its_bytes() -> None:
    """Long numbers, escapes and spaces are not written anew."""
    body = b'{ "seed": 12345678901234567890, "t": 1.00, "x": "\\u00e9", "model": "auto" }'
    assert JsonRequest.parse(body).with_fields({"model": "m"}) == body.replace(b'"model": "auto"', b'"model":"m"')


def test_of_a_field_that_is_there_twice_the_last_one_counts() -> None:
    """As most readers have it; the other one is left out, so that no upstream reads it otherwise."""
    request = JsonRequest.parse(b'{"model": "dear", "a": 1, "model": "cheap"}')
    assert request.model == "cheap"
    assert request.body == b'{"model": "cheap", "a": 1}'


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"}", b"[]", b"5", b"null", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{"a":1} x', b"{1:2}", b'{"a" 1}',
     b"\xff", b'{"a":"\xff"}', b"[" * 30_000, b'{"a":' * 30_000, b"9" * 5000, b'{"a":' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """Whatever it is, it is the caller's mistake, and never ours."""
    with pytest.raises(InvalidRequestError) as raised:
        JsonRequest.parse(body)
    assert raised.value.status == 400
