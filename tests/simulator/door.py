"""The redis client as `Store` and `Reader` use it: their own code builds the calls and reads the replies."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import cache, partial
from typing import Any

from fleetmeter.connection.multi_exec import Command
from fleetmeter.reader.parser import Parser
from fleetmeter.reader.reading import Reader
from fleetmeter.writer.directory import Directory
from fleetmeter.writer.store import Store
from simulator.hashes import Hashes
from simulator.stored import KEYS, counted_as_defined
from simulator.world import Caller, Request, World

ADDRESS = "redis://nowhere.invalid"


class Connection:
    """One caller's way to the store.

    `counted` is what the store had counted when it was last read, in formats that are defined there: a process that was
    killed may have left numbers without definitions.
    """

    def __init__(self, world: World, caller: Caller) -> None:
        self._world = world
        self._caller = caller
        self._between: Callable[[], None] | None = None
        self._trips = self.counted = 0

    def interrupt(self, between: Callable[[], None] | None) -> None:
        """Let something happen after the next round trip."""
        self._between, self._trips = between, 0

    def script(self, name: str, *, keys: Sequence[str], args: Sequence[object]) -> list[Any]:
        """What EVALSHA replies."""
        return self._world.call(self._caller, Request(name, tuple(keys), tuple(args)))

    def together(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to read commands at one instant, as the store sends them: hashes as flat lists."""
        return self._replies([tuple(map(str, command)) for command in commands], _as_sent)

    def read(self, *commands: tuple[str, ...]) -> list[Any]:
        """The replies to read commands at one instant."""
        return self._replies(commands, _reply)

    def _replies(self, commands: Sequence[tuple[str, ...]], reply_of: Callable[..., Any]) -> list[Any]:
        if self._trips and self._between is not None:
            between, self._between = self._between, None
            between()
        self._trips += 1
        if self._caller.deliveries and self._caller.deliveries.pop(0) != "ok":
            raise ConnectionError("the store is away")
        master = self._world.master(self._caller.side)
        master.hashes.now_us = self._world.now_us(master)
        if len(commands) > 1:
            self.counted = counted_as_defined(master.hashes)
        return [reply_of(master.hashes, *command) for command in commands]

    def time(self) -> tuple[int, int]:
        """TIME."""
        seconds, micros = self.read(("TIME",))[0]
        return seconds, micros

    def hget(self, key: str, field: str) -> bytes | None:
        """HGET."""
        found: bytes | None = self.read(("HGET", key, field))[0]
        return found

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        """HGETALL."""
        found: dict[bytes, bytes] = self.read(("HGETALL", key))[0]
        return found

    def hscan(self, key: str, cursor: int, count: int) -> tuple[int, dict[bytes, bytes]]:
        """HSCAN, of a hash that is small: all of it."""
        return 0, self.hgetall(key)

    def hmget(self, key: str, fields: Sequence[str]) -> list[bytes | None]:
        """HMGET."""
        found: list[bytes | None] = self.read(("HMGET", key, *fields))[0]
        return found

    def hkeys(self, key: str) -> list[bytes]:
        """HKEYS."""
        found: list[bytes] = self.read(("HKEYS", key))[0]
        return found

    def pipeline(self, *, transaction: bool = True) -> "Pipeline":
        """MULTI, or a plain pipeline."""
        return Pipeline(self)


class Pipeline:
    """Commands that are read together."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._commands: list[tuple[str, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., "Pipeline"]:
        return partial(self._queue, name.upper())

    def _queue(self, name: str, *arguments: str) -> "Pipeline":
        self._commands.append((name, *arguments))
        return self

    def execute(self) -> list[Any]:
        """Their replies."""
        return self._connection.read(*self._commands)


def _reply(hashes: Hashes, name: str, *arguments: str) -> Any:
    """A reply as redis-py hands it out."""
    reply = _as_sent(hashes, name, *arguments)
    if name == "TIME":
        return tuple(int(text) for text in reply)
    return dict(zip(reply[::2], reply[1::2], strict=True)) if name == "HGETALL" else reply


def _as_sent(hashes: Hashes, name: str, *arguments: str) -> Any:
    """A reply as the store sends it."""
    if name == "HGETALL":
        return hashes.flat(*arguments)
    reply = hashes.execute(name, *arguments)
    if isinstance(reply, (list, tuple)):
        return [None if text is None else text.encode() for text in reply]
    return reply.encode() if isinstance(reply, str) else reply


@cache
def _store() -> Store:
    return Store(ADDRESS, KEYS)


@cache
def _reader() -> Reader:
    return Reader(ADDRESS, KEYS.namespace)


def store_through(connection: Connection, *, packed: bool) -> Store:
    """A writer's store."""
    store = copy(_store())
    vars(store).update(
        _client=connection,
        _hello=partial(connection.script, "hello"),
        _apply=partial(connection.script, "apply"),
        _fold=partial(connection.script, "fold"),
        _convert=partial(connection.script, "convert"),
        _compact=partial(connection.script, "compact"),
        packed=packed,
        _directory=Directory(),
    )
    return store


def reader_through(connection: Connection, clock: Callable[[], float]) -> Reader:
    """An exporter's reader."""
    reader = copy(_reader())
    vars(reader).update(
        _client=connection, _read_together=connection.together, _clock=clock, _parser=Parser(KEYS),
    )  # fmt: skip
    return reader
