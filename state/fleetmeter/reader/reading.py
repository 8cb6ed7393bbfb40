"""Reads a namespace as it is at one instant, with plain read commands only."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, repeat
from typing import Any

import redis

from fleetmeter.connection.client import connect, followed, translated
from fleetmeter.connection.credentials import Credentials
from fleetmeter.connection.multi_exec import Command, read_together
from fleetmeter.errors import StoreRefused
from fleetmeter.reader.gauge_read import GaugeRead
from fleetmeter.reader.identities import Identities
from fleetmeter.reader.life import Life
from fleetmeter.reader.parser import Extras, Parser, parse_glance, parse_retired
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.times import microseconds
from fleetmeter.schema.keys import HORIZON_FIELD, SOMETHING, Keys

_FAMILIES, _REMOVED, _TIME, _NUMBERS = 0, 4, 5, 6
"""The places of these replies, by the order of `Reader._commands`."""


class Reader:
    """Reads snapshots of one namespace. For one thread at a time.

    Every family is read inside one MULTI/EXEC, together with the list of families. If that list names a family that was
    not read, or if a packed layout's list of names does not go on from what is known of it, the read is repeated. What
    one script call wrote is therefore seen together. With `returns`, the reader also reads when removed series came
    back. `reads` are further reads to send in that transaction.
    """

    def __init__(
        self,
        url: str,
        namespace: str,
        clock: Callable[[], float] = time.monotonic,
        credentials: Credentials | None = None,
        *,
        returns: bool = False,
        reads: Sequence[GaugeRead] = (),
    ) -> None:
        self.keys = Keys(namespace)
        self._client = connect(url, self.keys.writers, credentials, protocol=2)  # in which hashes come as flat lists
        self._read_together = partial(read_together, self._client)
        self._clock = clock
        self._parser = Parser(self.keys)
        self._identities = Identities(self._client, self.keys)
        self._store_now: tuple[int, float] | None = None
        self._returns = returns
        self._reads = reads
        self._gathered = False

    def read(self, known: Collection[str] = ()) -> Snapshot:
        """The namespace now. Raises `StoreError` when the store fails, `StateError` for what cannot be understood.

        If a writer of `known` has no row any more, the snapshot says whether it was folded.
        """
        with translated():
            while True:
                asked = sorted(self._parser.fields)
                replies, extras = self._replies(asked)
                self._parser.see_families(replies[_FAMILIES])
                goes_on = self._parser.see_names(asked, replies[_NUMBERS:])
                came_unread, self._gathered = not self._reads_returned, _has_gathered(replies[_REMOVED])
                if goes_on and self._parser.fields.issubset(asked) and not (self._gathered and came_unread):
                    self._store_now = microseconds(*replies[_TIME]), self._clock()
                    snapshot = self._parser.snapshot(asked, replies, extras, returns=self._returns)
                    return self._with_retired(self._with_names(snapshot), known)

    def glance(self) -> Snapshot:
        """The epoch and the rows only: two small hashes. Raises what `read` would raise for them."""
        with translated():
            commands: list[Command] = [("HGETALL", self.keys.families), ("HGETALL", self.keys.writers), ("TIME",)]
            families, writers, now = followed(partial(self._read_together, commands))
        return parse_glance(self.keys, families, writers, now)

    def life(self) -> Life | None:
        """Since when the store's data cannot have gone back, as far as it says; None if that cannot be known.

        Raises `StoreUnreachable`. A user who may not call INFO gets None.
        """
        commands: list[Command] = [("INFO", "server"), ("INFO", "replication"), ("TIME",)]
        try:
            with translated():
                server, replication, now = self._read_together(commands)
        except StoreRefused:
            return None
        if not (isinstance(server, bytes) and isinstance(replication, bytes)):
            return None
        return Life.parse(server + b"\n" + replication, microseconds(*now))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _commands(self, fields: list[bytes]) -> list[Command]:
        keys = self.keys
        return [
            ("HGETALL", keys.families),
            ("HGETALL", keys.writers),
            ("HGETALL", keys.gauges),
            ("HGETALL", keys.exemplars),
            ("HGETALL", keys.removed),
            ("TIME",),
            *self._parser.commands(fields),
            *([("HGETALL", keys.returned)] if self._reads_returned else []),
        ]

    def _replies(self, asked: list[bytes]) -> tuple[list[Any], Extras]:
        """The replies to our own commands, and those of each extra read, all at one instant."""
        now_us = self._estimated_now()
        commands = self._commands(asked)
        more = [(read, list(read.commands(self.keys, now_us))) for read in self._reads]
        extra = [command for _, group in more for command in group]
        try:
            replies = followed(partial(self._read_together, [*commands, *extra]))
        except redis.ResponseError as error:
            if not extra:
                raise
            # a command that may not be sent costs the whole transaction: was it one of ours?
            replies = [*followed(partial(self._read_together, commands)), *repeat(error, len(extra))]
        left = iter(replies[len(commands) :])
        return replies[: len(commands)], {read.family: (read, list(islice(left, len(group)))) for read, group in more}

    @property
    def _reads_returned(self) -> bool:
        """Whether to read when series came: if the caller wants it, or if gathered removals make it necessary."""
        return self._returns or self._gathered

    def _estimated_now(self) -> int:
        """The store's clock now: its time at the last read, plus what our own clock has counted since."""
        if self._store_now is None:
            self._store_now = microseconds(*self._client.time()), self._clock()
        told, at = self._store_now
        return told + int((self._clock() - at) * 1e6)

    def _with_names(self, snapshot: Snapshot) -> Snapshot:
        writers = snapshot.stated.writers if snapshot.stated is not None else ()
        return replace(snapshot, replicas=self._identities.names(writers))

    def _with_retired(self, snapshot: Snapshot, known: Collection[str]) -> Snapshot:
        missing = sorted(set(known) - snapshot.rows.keys())
        if not missing:
            return snapshot
        reply: Any = self._client.hmget(self.keys.retired, [HORIZON_FIELD, *missing])
        horizon_us, retired = parse_retired(missing, reply)
        return replace(snapshot, retired=retired, horizon_us=horizon_us)


def _has_gathered(removed: Any) -> bool:
    """Whether a reply with removal notes has a gathered one."""
    return isinstance(removed, list) and any(note.endswith(SOMETHING) for note in removed[0::2])
