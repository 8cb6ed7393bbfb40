"""hello.lua on a real server."""

from typing import Any

import pytest
import redis

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.lua import lua_source
from support.store import StoreAddress


class Door:
    """Calls hello.lua by hand. `told` is what the last reply said of the row: batches given up, and its token."""

    def __init__(self, address: StoreAddress) -> None:
        self.client = address.client()
        self.keys = address.keys
        self._script = self.client.register_script(lua_source("hello"))

    def hello(
        self, writer: str = "w", epoch: str = "E", form: str = "1", *pairs: str, heard: int = 0, lives: str = ""
    ) -> list[str]:
        """The reply but what was `told`, as text."""
        keys = [self.keys.writers, self.keys.writer(writer), self.keys.retired]
        reply = [item.decode() for item in self._script(keys=keys, args=[writer, epoch, form, heard, lives, *pairs])]
        self.told = reply[2:4]
        return [*reply[:2], *reply[4:]]

    def hash(self, key: str) -> dict[str, str]:
        """A whole hash, as text."""
        return {field.decode(): value.decode() for field, value in self.client.hgetall(key).items()}


@pytest.fixture
def door(store: StoreAddress) -> Any:
    """A namespace that nobody has written to."""
    door = Door(store)
    yield door
    door.client.close()


def test_the_first_hello_makes_the_epoch_and_a_row_at_0(door: Door) -> None:
    """The epoch holds its id, its birth by the store's clock and the state format; the row begins at 0."""
    status, row, epoch, now = door.hello("w", "E", "1", "replica", "here", "pid", "7")
    assert (status, row, epoch) == ("hello", "0", f"E {now} 1")
    assert door.hash(door.keys.writers) == {"@epoch": epoch, "w": f"0 0 {now} alive"}
    assert door.told == ["0", ""]
    assert door.hash(door.keys.writer("w")) == {"replica": "here", "pid": "7"}


def test_a_later_hello_keeps_the_epoch(door: Door) -> None:
    """Whoever comes second takes the epoch that is there."""
    epoch = door.hello("w", "E")[2]
    assert door.hello("v", "F")[2] == epoch


@pytest.mark.parametrize(("tail", "token"), [("", ""), (" t9", "t9"), (" t9 more", "t9")])
def test_hello_again_keeps_the_row(door: Door, tail: str, token: str) -> None:
    """A repeated hello cannot set a writer back, and tells whose batch the row stands for."""
    door.hello()
    door.client.hset(door.keys.writers, "w", f"5 2 1 goodbye{tail}")
    status, row, _, now = door.hello()
    assert (status, row, door.told) == ("hello", "5", ["2", token])
    assert door.hash(door.keys.writers)["w"] == f"5 2 {now} alive {token}".rstrip()


def test_a_folded_writer_is_taken_up_with_its_number(door: Door) -> None:
    """A writer that comes back after a long silence is never taken for one at 0."""
    door.hello("other")
    door.client.hset(door.keys.retired, "w", "9 3 123 456 t9")
    status, row, _, now = door.hello()
    assert (status, row, door.told) == ("hello", "9", ["3", "t9"])
    assert door.hash(door.keys.writers)["w"] == f"9 3 {now} alive t9"
    assert "w" not in door.hash(door.keys.retired)


def test_the_epoch_outlives_the_rows(door: Door) -> None:
    """An evicted `writers` key is no new life: any row may be one of those that are gone; no writer begins at 0."""
    epoch = door.hello("w", "E")[2]
    clock = door.hash(door.keys.retired)["@clock"]
    door.client.delete(door.keys.writers)
    status, _, found, now = door.hello("v", "F")
    assert (status, found, door.hash(door.keys.writers)["@epoch"]) == ("hello", epoch, epoch)
    assert door.hash(door.keys.retired) == {"@epoch": epoch, "@horizon": clock, "@clock": clock}
    assert door.hello("w", "F", heard=int(now) - 1, lives="E")[0] == "dropped"


def test_rows_that_are_gone_may_be_later_than_the_present(door: Door) -> None:
    """After a failover to a store whose clock is behind: a row from before it was evicted, and not lost."""
    row = int(door.hello("w", "E")[3]) + 3_600_000_000
    door.client.hset(door.keys.retired, "@clock", str(row))
    door.client.delete(door.keys.writers)
    door.hello("v", "F")
    assert door.hello("w", "F", heard=row, lives="E")[0] == "dropped"
    assert door.hello("w", "F", heard=row + 1, lives="E")[0] == "hello"


def test_the_epoch_outlives_the_retired_numbers(door: Door) -> None:
    """After an eviction of `retired` a writer without a row may be one that was folded."""
    epoch, now = door.hello("v", "E")[2:]
    door.client.delete(door.keys.retired)
    assert door.hello("w", "F", heard=int(now), lives="E")[0] == "dropped"
    assert door.hash(door.keys.retired)["@epoch"] == epoch
    assert door.hello("v", "F", heard=int(now), lives="E")[0] == "hello"


def test_another_state_format_is_told_and_nothing_is_written(door: Door) -> None:
    """A version that does not know the state's form leaves it alone."""
    door.hello()
    before = door.hash(door.keys.writers)
    assert door.hello("v", "F", "2", "replica", "x")[0] == "format"
    assert door.hash(door.keys.writers) == before
    assert not door.client.exists(door.keys.writer("v"))


@pytest.mark.parametrize(
    ("heard", "lives", "status"),
    [(70, "E", "dropped"), (69, "D E F", "dropped"), (71, "E", "hello"), (0, "E", "hello"), (70, "D EE", "hello")],
)
def test_a_row_that_was_dropped_on_purpose_is_not_made_again(door: Door, heard: int, lives: str, status: str) -> None:
    """A writer that had a row in this life, and was heard of no later than another that was dropped, may be counted."""
    door.hello("other", "E")
    door.client.hset(door.keys.retired, "@horizon", "70")
    assert door.hello("w", "X", "1", "replica", "x", heard=heard, lives=lives)[:2] == [status, "0"]
    assert ("w" in door.hash(door.keys.writers), bool(door.hash(door.keys.writer("w")))) == (status == "hello",) * 2


@pytest.mark.parametrize("place", ["writers", "retired"])
def test_a_row_that_is_there_was_not_dropped(door: Door, place: str) -> None:
    """However long its writer was silent."""
    door.hello("other", "E")
    door.client.hset(door.keys.retired, "@horizon", "70")
    door.client.hset(getattr(door.keys, place), "w", "9 3 60 alive")
    assert door.hello("w", "X", heard=60, lives="E")[:2] == ["hello", "9"]


@pytest.mark.parametrize(
    "arguments",
    [["w"], ["w", "E", "1"], ["w", "E", "1", "0"], ["w", "E", "1", "x", ""], ["w", "E", "1", "0", "", "replica"]],
)
def test_malformed_arguments_write_nothing(door: Door, arguments: list[str]) -> None:
    """A call of the wrong shape is refused before the first write."""
    script = door.client.register_script(lua_source("hello"))
    keys = [door.keys.writers, door.keys.writer("w"), door.keys.retired]
    with pytest.raises(redis.ResponseError, match="malformed"):
        script(keys=keys, args=arguments)
    assert door.client.exists(*keys) == 0


def test_a_full_store_refuses_hello_with_nothing_written() -> None:
    """Out of memory stops the script at its first write."""
    with EmbeddedStore(options={"maxmemory": "1", "maxmemory-policy": "noeviction"}) as full:
        door = Door(StoreAddress(full.url, "full"))
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            door.hello("w", "E", "1", "replica", "x")
        assert door.client.dbsize() == 0
        door.client.close()
