"""Exemplars of one snapshot after the other."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from fleetmeter.reader.exemplars import Exemplars
from fleetmeter.schema.definition import compact_json

_NAMES = [f'{layout} ["{number}"]'.encode() for layout in ("jobs:0", "a b:1") for number in range(6)]


def _text(number: int) -> bytes:
    return f"{number} {compact_json({'labels': {'trace_id': 'a'}, 'value': number, 'timestamp': 1.5})}".encode()


_TEXTS = st.sampled_from([_text(1), _text(2), _text(3), b"1 {}", b"\xff", b""])
_HASHES = st.dictionaries(st.sampled_from(_NAMES), _TEXTS).flatmap(lambda found: st.permutations(list(found.items())))


@given(st.lists(_HASHES.map(dict), min_size=2, max_size=5))
def test_exemplars_read_after_others_are_those_of_the_hash_alone(hashes: list[Mapping[bytes, bytes]]) -> None:
    """Whatever came, went, changed or stands elsewhere, and what was given out before stays as it was."""
    exemplars = Exemplars()
    given_out = []
    for raw in hashes:
        found = exemplars.of(raw)
        alone = Exemplars().of(raw)
        assert {layout: some for layout, some in found.items() if some} == {
            layout: some for layout, some in alone.items() if some
        }
        given_out.append((found, {layout: {**some} for layout, some in found.items()}))
    assert all(found == before for found, before in given_out)


def test_only_layouts_with_other_exemplars_have_another_object() -> None:
    """What nobody touched is the same object, so that nobody has to compare it."""
    raw = {name: _text(1) for name in _NAMES}
    exemplars = Exemplars()
    before = exemplars.of(raw)
    now = exemplars.of({**raw, _NAMES[0]: _text(2)})
    assert now["a b:1"] is before["a b:1"]
    assert now["jobs:0"] is not before["jobs:0"]
    assert now["jobs:0"][b'["0"]'].value == 2
