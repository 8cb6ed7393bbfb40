"""The commands on a namespace in which somebody else left fields: they do their work, and say what they left out."""

from typing import Any

import pytest

from fleetmeter.schema.definition import Definition
from support.commands import command
from support.scraping import FixedState
from support.store import StoreAddress

ORDERS = Definition.of("orders", "counter", "Orders.", "", ("country",), (), "")
JOBS = Definition.of("jobs", "counter", "Jobs.", "", ("kind",), (), "")


@pytest.fixture
def strayed(store: StoreAddress, client: Any) -> StoreAddress:
    """Two families, of which one holds a field that is no series, and definitions that are none."""
    with FixedState(store) as state:
        state.family(ORDERS, {("at",): 3})
        state.family(JOBS, {("cpu",): 4})
    client.hset(store.keys.family(JOBS.field), "not json", "1")
    for field in ("stray", "orders:zz", b"orders:\xff", b"\xff"):
        client.hset(store.keys.families, field, "no definition")
    return store


def test_ls_lists_what_can_be_read(strayed: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Families that can be read are listed; each part that cannot is named on standard error."""
    assert command(strayed, "ls") == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["FAMILY", "orders"]
    assert [name for name in ("stray", "orders:zz", "family:jobs:", "not json") if name not in err] == []
    assert command(strayed, "ls", "orders") == 0
    assert capsys.readouterr().out == 'orders_total{country="at"} 3\n'


def test_top_shows_what_can_be_read(strayed: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """One frame comes out, with a word that something is unreadable."""
    assert command(strayed, "top", "--once", "--interval", "0.01") == 0
    assert "5 parts unreadable: see fleetmeter doctor" in capsys.readouterr().out


def test_forget_removes_a_family_that_cannot_be_read(
    strayed: StoreAddress, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is broken can be forgotten, and says before that its content is not known."""
    assert command(strayed, "forget", "jobs", "--yes") == 0
    assert "a part of it cannot be read, so its size and sums cannot be shown" in capsys.readouterr().out
    assert not client.exists(strayed.keys.family(JOBS.field))
    assert not client.hexists(strayed.keys.families, JOBS.field)


def test_forget_removes_a_family_beside_definitions_that_are_none(strayed: StoreAddress, client: Any) -> None:
    """They stay while only some series go, and go with the whole family."""
    assert command(strayed, "forget", "orders", "country=at", "--yes") == 0
    assert not client.exists(strayed.keys.family(ORDERS.field))
    assert client.hexists(strayed.keys.families, "orders:zz")
    assert command(strayed, "forget", "orders", "--yes") == 0
    assert set(client.hkeys(strayed.keys.families)) == {JOBS.field.encode(), b"stray", b"\xff"}


def test_reset_deletes_strays_too(strayed: StoreAddress, client: Any) -> None:
    """Whatever stands in the hashes, the namespace begins anew."""
    for note in (b"\xff", b'a:b {"x":1}', b'a:\xff ["x"]', b"a b"):
        client.hset(strayed.keys.removed, note, "stray")
    assert command(strayed, "reset", "--yes") == 0
    assert not client.exists(strayed.keys.families, strayed.keys.removed)


def test_doctor_says_what_is_strange_and_how_to_be_rid_of_it(
    strayed: StoreAddress, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each field that cannot be read is told with its hash and the command that helps; all else is still checked."""
    assert command(strayed, "doctor") == 1
    said = capsys.readouterr().out
    assert "b'not json' → b'1' is no number of this family" in said
    assert f"HDEL; the key is {strayed.keys.family(JOBS.field)}" in said
    assert f"the key is {strayed.keys.families}" in said
    assert "1 family, 1 series" in said
    client.hdel(strayed.keys.family(JOBS.field), "not json")
    client.hdel(strayed.keys.families, "stray", "orders:zz", b"orders:\xff", b"\xff")
    assert command(strayed, "doctor") == 0
    assert "2 families, 2 series" in capsys.readouterr().out
