"""Reads a namespace as it is at one instant, with plain read commands only."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, repeat
from typing import Any

import redis

from fleetmeter.connection.client import connect, followed, translated
from fleetmeter.connection.credentials import Credentials
from fleetmeter.connection.multi_exec import Command, read_together
from fleetmeter.errors import StateError, StoreRefused
from fleetmeter.reader.gauge_read import GaugeRead
from fleetmeter.reader.hashes import Fields, Hash
from fleetmeter.reader.identities import Identities
from fleetmeter.reader.life import Life
from fleetmeter.reader.removals import time_of
from fleetmeter.reader.returned import NO_RETURNS, Returned
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import StoredDefinition
from fleetmeter.schema.keys import EPOCH_FIELD, HORIZON_FIELD, SOMETHING, STATE_FORMAT, SWEPT_FIELD, Keys
from fleetmeter.schema.rows import Epoch, Row, is_writer

_NUMBER_TYPES = frozenset(("counter", "histogram", "summary"))
"""Families whose values stand under a key of their own. Types of a later version are not asked for."""


Extras = dict[str, tuple[GaugeRead, Sequence[Any]]]
"""The registered reads that were sent, each with its replies, by family."""


_READS = "reads"
"""The `key` of a `StateError` about a registered read begins with this."""


class Reader:
    """Reads snapshots of one namespace. For one thread at a time.

    Every family is read inside one MULTI/EXEC, together with the list of families. If that list names a family that was
    not read, the read is repeated. What one script call wrote is therefore seen together. With `returns`, the reader
    also reads when removed series came back. `reads` are further reads to send in that transaction.
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
        self._fields: frozenset[bytes] = frozenset()
        self._definitions: dict[bytes, StoredDefinition | StateError] = {}
        self._texts: dict[bytes, bytes] = {}
        self._identities = Identities(self._client, self.keys)
        self._store_now: tuple[int, float] | None = None
        self._hashes: dict[str, Hash] = {}
        self._returns = returns
        self._reads = reads
        self._gathered = False
        self._returned = Hash([], []), NO_RETURNS
        self._stating: tuple[Fields, Collection[str]] = Fields(), ()

    def read(self, known: Collection[str] = ()) -> Snapshot:
        """The namespace now. Raises `StoreError` when the store fails, `StateError` for what cannot be understood.

        If a writer of `known` has no row any more, the snapshot says whether it was folded.
        """
        with translated():
            while True:
                asked = sorted(self._fields)
                replies, extras = self._replies(asked)
                self._parse_families(_hash(self.keys.families, replies[0], self._hashes))
                self._fields = self._fields_with_key()
                came_unread, self._gathered = not self._reads_returned, _has_gathered(replies[4])
                if self._fields.issubset(asked) and not (self._gathered and came_unread):
                    return self._with_retired(self._snapshot(asked, replies, extras), known)

    def glance(self) -> Snapshot:
        """The epoch and the rows only: two small hashes. Raises what `read` would raise for them."""
        with translated():
            commands: list[Command] = [("HGETALL", self.keys.families), ("HGETALL", self.keys.writers), ("TIME",)]
            families, writers, (seconds, micros) = followed(partial(self._read_together, commands))
        _hash(self.keys.families, families, {})
        stored = _hash(self.keys.writers, writers, {})
        epoch, rows = _epoch_and_rows(self.keys.writers, stored)
        swept_us = time_of(stored.get(SWEPT_FIELD.encode(), b"")) or 0
        return Snapshot(int(seconds) * 10**6 + int(micros), epoch, rows, (), {}, {}, {}, None, swept_us=swept_us)

    def life(self) -> Life | None:
        """Since when the store's data cannot have gone back, as far as it says; None if that cannot be known.

        Raises `StoreUnreachable`. A user who may not call INFO gets None.
        """
        commands: list[Command] = [("INFO", "server"), ("INFO", "replication"), ("TIME",)]
        try:
            with translated():
                server, replication, (seconds, micros) = self._read_together(commands)
        except StoreRefused:
            return None
        if not (isinstance(server, bytes) and isinstance(replication, bytes)):
            return None
        return Life.parse(server + b"\n" + replication, int(seconds) * 10**6 + int(micros))

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
            *(("HGETALL", keys.family(name.decode())) for name in fields),
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
            seconds, micros = self._client.time()
            self._store_now = (seconds * 10**6 + micros, self._clock())
        told, at = self._store_now
        return told + int((self._clock() - at) * 1e6)

    def _parse_families(self, families: Mapping[bytes, bytes]) -> None:
        for raw, text in families.items():
            if self._texts.get(raw) != text:
                self._definitions[raw] = _definition(self.keys.families, raw, text)
                self._texts[raw] = text
        for raw in self._texts.keys() - families.keys():
            del self._texts[raw], self._definitions[raw]

    def _fields_with_key(self) -> frozenset[bytes]:
        return frozenset(
            raw
            for raw, stored in self._definitions.items()
            if isinstance(stored, StoredDefinition) and stored.definition.type in _NUMBER_TYPES
        )

    def _snapshot(self, asked: list[bytes], replies: list[Any], extras: Extras) -> Snapshot:
        keys = self.keys
        _, writers, gauges, exemplars, removed, (seconds, micros), *numbers = replies
        raw_returned = numbers.pop() if len(numbers) > len(asked) else []
        taken_us = int(seconds) * 10**6 + int(micros)
        self._store_now = (taken_us, self._clock())
        before, self._hashes = self._hashes, {}
        epoch, rows = _epoch_and_rows(keys.writers, _hash(keys.writers, writers, before))
        problems = [stored for stored in self._definitions.values() if isinstance(stored, StateError)]

        def readable(key: str, reply: Any) -> Hash:
            try:
                self._hashes[key] = _hash(key, reply, before)
            except StateError as error:
                problems.append(error)
                return Hash([], [])
            return self._hashes[key]

        stated = readable(keys.gauges, gauges)
        came = self._parsed_returns(readable(keys.returned, raw_returned))
        failed = {name: error for name, (_, replies) in extras.items() for error in replies if _is_error(error)}
        problems += [_something_else(f"{_READS}[{name}]", error) for name, error in failed.items()]
        return Snapshot(
            taken_us=taken_us,
            epoch=epoch,
            rows=rows,
            definitions=tuple(
                stored for _, stored in sorted(self._definitions.items()) if isinstance(stored, StoredDefinition)
            ),
            numbers={
                name.decode(): readable(keys.family(name.decode()), reply)
                for name, reply in zip(asked, numbers, strict=True)
                if name in self._fields  # without its definition nobody knows what the numbers mean
            },
            gauges=stated,
            replicas=self._identities.names(self._writers_of(stated)),
            extras={name: extra for name, extra in extras.items() if name not in failed},
            exemplars=readable(keys.exemplars, exemplars),
            removed=readable(keys.removed, removed),
            returned=came if self._returns else NO_RETURNS,
            came=came,
            problems=tuple(problems),
        )

    def _writers_of(self, stated: Hash) -> Collection[str]:
        """The writers of statements. Mostly they are those of the last read."""
        if stated.fields is not self._stating[0]:
            writers = {raw.partition(b" ")[0].decode("utf-8", "replace") for raw in stated}
            self._stating = stated.fields, writers
        return self._stating[1]

    def _parsed_returns(self, raw: Hash) -> Returned:
        """The content of a hash. Mostly that is what the last read found, and the same object."""
        if raw is not self._returned[0]:
            self._returned = raw, Returned(raw)
        return self._returned[1]

    def _with_retired(self, snapshot: Snapshot, known: Collection[str]) -> Snapshot:
        missing = sorted(set(known) - snapshot.rows.keys())
        if not missing:
            return snapshot
        reply: Any = self._client.hmget(self.keys.retired, [HORIZON_FIELD, *missing])
        horizon, *rows = reply
        found = {writer: text for writer, text in zip(missing, rows, strict=True) if text is not None}
        retired = {
            writer: Row.parse_retired(writer, _text(f"retired[{writer}]", text)) for writer, text in found.items()
        }
        return replace(snapshot, retired=retired, horizon_us=_horizon(horizon))


def _is_error(reply: Any) -> bool:
    return isinstance(reply, Exception)


def _has_gathered(removed: Any) -> bool:
    """Whether a reply with removal notes has a gathered one."""
    return isinstance(removed, list) and any(note.endswith(SOMETHING) for note in removed[0::2])


def _horizon(text: bytes | None) -> int:
    """The newest heartbeat among rows that were dropped on purpose; 0 if none was dropped."""
    if text is None:
        return 0
    try:
        return int(text)
    except ValueError as error:
        raise StateError(f"retired[{HORIZON_FIELD}]", f"{text!r} is no time") from error


def _hash(key: str, reply: Any, before: Mapping[str, Hash]) -> Hash:
    """A hash as it was read; if nothing changed, the object of the last read. Raises `StateError` for another type."""
    if isinstance(reply, Exception):
        raise _something_else(key, reply)
    return Hash.flat(reply, before.get(key))


def is_of_read(problem: StateError) -> bool:
    """Whether a problem of a snapshot is that a registered read failed."""
    return problem.key.startswith(f"{_READS}[")


def _something_else(key: str, error: Exception) -> StateError:
    return StateError(key, f"a key of this namespace is of another type: {error}", "wrong_type")


def _definition(key: str, raw: bytes, text: bytes) -> StoredDefinition | StateError:
    """A definition as it was read, or the reason why it cannot be read."""
    try:
        name = _text(key, raw)
        return StoredDefinition.parse(name, _text(f"families[{name}]", text))
    except StateError as error:
        return StateError(error.key, error.problem, "bad_definition")


def _epoch_and_rows(key: str, writers: Hash) -> tuple[Epoch | None, dict[str, Row]]:
    epoch = None
    rows = {}
    for raw_writer, raw_text in zip(writers.fields, writers.texts, strict=True):
        if not is_writer(raw_writer) and raw_writer != EPOCH_FIELD.encode():
            continue  # a later version may keep more fields with `@`, which are no writers
        writer = _text(key, raw_writer)
        text = raw_text.decode() if raw_text.isascii() else _text(f"writers[{writer}]", raw_text)
        if writer != EPOCH_FIELD:
            rows[writer] = Row.parse(writer, text)
        else:
            epoch = Epoch.parse(text)
            if epoch.format != STATE_FORMAT:
                problem = f"state format {epoch.format}; this version reads {STATE_FORMAT}"
                raise StateError(key, problem, "newer_format")
    return epoch, rows


def _text(place: str, raw: bytes) -> str:
    """The text at a place in the store. Raises `StateError` if it is not UTF-8: fleetmeter writes nothing else."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise StateError(place, f"{raw!r} is not UTF-8; a fleetmeter writer stores nothing else") from error
