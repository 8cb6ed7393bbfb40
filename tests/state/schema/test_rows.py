"""Rows: what the `writers` hash says."""

import pytest

from fleetmeter.errors import StateError
from fleetmeter.schema.rows import ALIVE_US, Epoch, Row


def test_rows_and_epochs_are_read() -> None:
    """Each part stands in its place."""
    assert Epoch.parse("abc 12 1") == Epoch("abc", 12, 1)
    assert Row.parse("w", "5 2 77 alive") == Row(5, 2, 77, said_goodbye=False)
    assert Row.parse("w", "5 2 77 goodbye").said_goodbye


def test_a_row_says_who_packs_its_numbers() -> None:
    """`packed` stands in the place of `alive`: such a writer lives."""
    row = Row.parse("w", "5 2 77 packed t1")
    assert row == Row(5, 2, 77, said_goodbye=False, token="t1", packs=True)
    assert row.alive(77)
    assert not Row.parse("w", "5 2 77 alive t1").packs
    assert not Row.parse("w", "5 2 77 goodbye t1").packs


def test_further_words_are_ignored() -> None:
    """A later version may say more of a writer or an epoch without stopping this one."""
    assert Epoch.parse("abc 12 1 more words") == Epoch("abc", 12, 1)
    assert Row.parse("w", "5 2 77 alive t1 more words") == Row(5, 2, 77, said_goodbye=False, token="t1")
    assert Row.parse("w", "5 2 77 goodbye more").said_goodbye


@pytest.mark.parametrize(
    "text", ["", "5", "5 2 77", "a 2 77 alive", "5.5 2 77 alive", "5 2 -1 alive", f"5 2 {10**400} alive"]
)
def test_what_is_no_row_is_refused_by_writer(text: str) -> None:
    """A row of another form names its writer."""
    with pytest.raises(StateError, match="no row") as caught:
        Row.parse("w", text)
    assert caught.value.key == "writers[w]"


@pytest.mark.parametrize("text", ["", "abc", "abc x 1", "abc 1", f"abc {10**400} 1"])
def test_what_is_no_epoch_is_refused(text: str) -> None:
    """An epoch of another form is not taken for one."""
    with pytest.raises(StateError, match="no epoch"):
        Epoch.parse(text)


def test_a_writer_lives_until_three_heartbeats_are_missed() -> None:
    """15 seconds of silence, or a goodbye, end a writer's life."""
    row = Row.parse("w", "1 0 1000 alive")
    assert row.alive(1000 + ALIVE_US - 1)
    assert not row.alive(1000 + ALIVE_US)
    assert not Row.parse("w", "1 0 1000 goodbye").alive(1001)
