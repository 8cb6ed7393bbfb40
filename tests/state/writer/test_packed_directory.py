"""What a writer remembers of slots, and when it forgets."""

from fleetmeter.schema.packing import Shape
from fleetmeter.writer.directory import Asked, Directory, Known

SHAPE = Shape(2, ("",))
A, B, C = (f'["{name}"]' for name in "abc")
FIELD = "a family: of spaces:0123abcd"


def asked(*series: str) -> list[Asked]:
    """A question of one section."""
    return [Asked(FIELD, SHAPE, series)]


def filled() -> Directory:
    """A directory that knows A at 0."""
    directory = Directory(2)
    directory.of("w")
    directory.learn(asked(A), [f"{FIELD} g1 3 d3 0"], ())
    return directory


def test_what_was_told_is_known() -> None:
    """A family's name may hold spaces; a series that went to `__overflow__` has no slot."""
    directory = Directory()
    directory.learn(asked(A, B), [f"{FIELD} g1 4 d4 0 -"], ())
    assert directory.of("") == {FIELD: Known("g1 4 d4", {SHAPE: {A: 0}})}


def test_more_is_joined_to_what_the_same_call_has_proven() -> None:
    """The call added by what was known, so the names go on from there."""
    directory = filled()
    directory.learn(asked(B), [f"{FIELD} g1 4 d4 2"], (FIELD,))
    assert directory.of("w") == {FIELD: Known("g1 4 d4", {SHAPE: {A: 0, B: 2}})}


def test_more_is_joined_if_nothing_came_between() -> None:
    """The same last name and generation: it is the same state."""
    directory = filled()
    directory.learn(asked(B), [f"{FIELD} g1 3 d3 2"], ())
    assert directory.of("w") == {FIELD: Known("g1 3 d3", {SHAPE: {A: 0, B: 2}})}


def test_what_is_not_proven_is_replaced() -> None:
    """Another history may have the same generation, and A elsewhere."""
    for told in (f"{FIELD} g1 4 d4 2", f"{FIELD} g1 3 e3 2", f"{FIELD} g2 3 d3 2"):
        directory = filled()
        directory.learn(asked(B), [told], ())
        assert directory.of("w")[FIELD].slots == {SHAPE: {B: 2}}


def test_sections_of_one_call_belong_together() -> None:
    """Two shapes of one layout are told one after the other, of one instant."""
    directory = filled()
    told = [f"{FIELD} g2 4 d4 2", f"{FIELD} g2 6 d6 4"]
    directory.learn([*asked(B), *asked(C)], told, ())
    assert directory.of("w") == {FIELD: Known("g2 6 d6", {SHAPE: {B: 2, C: 4}})}


def test_what_was_proven_goes_on() -> None:
    """Others' series came: the names go on from what is known, and the slots are where they were."""
    directory = filled()
    directory.go_on([f"{FIELD} g1 7 d7"])
    assert directory.of("w") == {FIELD: Known("g1 7 d7", {SHAPE: {A: 0}})}


def test_another_writer_knows_nothing() -> None:
    """What a writer knew goes with its id."""
    directory = filled()
    assert directory.of("x") == {}


def test_it_forgets_some_or_all() -> None:
    """What was out of date, or everything."""
    directory = filled()
    directory.forget(["another"])
    assert FIELD in directory.of("w")
    directory.forget([FIELD, "another"])
    assert not directory.of("w")
    directory = filled()
    directory.forget()
    assert not directory.of("w")


def test_it_never_grows_beyond_its_bound() -> None:
    """Series that come and go for years do not fill a process: it begins anew."""
    directory = filled()
    directory.learn(asked(B, C), [f"{FIELD} g1 5 d5 2 4"], (FIELD,))
    assert directory.of("w")[FIELD].slots == {}
