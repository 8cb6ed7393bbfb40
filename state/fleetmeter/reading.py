"""Reads a namespace as it is at one instant, with plain read commands only."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import redis

from fleetmeter.connection import connect, followed, translated
from fleetmeter.credentials import Credentials
from fleetmeter.definition import StoredDefinition
from fleetmeter.errors import StateError
from fleetmeter.keys import EPOCH_FIELD, HORIZON_FIELD, STATE_FORMAT, Keys
from fleetmeter.rows import Epoch, Row

_NUMBER_TYPES = frozenset(("counter", "histogram", "summary"))
"""Families whose values stand under a key of their own; what a later version keeps there is not asked for."""


@dataclass(frozen=True)
class Snapshot:
    """Everything of a namespace at one instant.

    `epoch` is None where nobody has written yet. `numbers` maps each family's field in `families` to its stored
    numbers, as raw field → raw text; `gauges`, `exemplars` and `removed` are the raw hashes. `replicas` names the
    writers that have gauges. `cache_size` is the number of live entries of the prompt cache, None where there is none.
    `retired` has the rows of folded writers that were asked about, `horizon_us` the newest heartbeat of any row that
    was dropped on purpose, 0 where nothing was asked about. Times are the store's, µs.
    """

    taken_us: int
    epoch: Epoch | None
    rows: dict[str, Row]
    definitions: tuple[StoredDefinition, ...]
    numbers: dict[str, dict[bytes, bytes]]
    gauges: dict[bytes, bytes]
    replicas: dict[str, str]
    cache_size: int | None
    exemplars: dict[bytes, bytes] = field(default_factory=dict)
    removed: dict[bytes, bytes] = field(default_factory=dict)
    retired: dict[str, Row] = field(default_factory=dict)
    horizon_us: int = 0

    @property
    def alive(self) -> list[str]:
        """The writers that live."""
        return [writer for writer, row in self.rows.items() if row.alive(self.taken_us)]

    @property
    def last_write_us(self) -> int | None:
        """The newest heartbeat or batch of any writer."""
        return max((row.heartbeat_us for row in self.rows.values()), default=None)


class Reader:
    """Reads snapshots of one namespace. For one thread at a time.

    Every family is read inside one MULTI/EXEC, together with the list of families itself: where that names a family
    that was not read, the read is repeated. What was written by one script call is therefore seen together.
    """

    def __init__(
        self,
        url: str,
        namespace: str,
        clock: Callable[[], float] = time.monotonic,
        credentials: Credentials | None = None,
    ) -> None:
        self.keys = Keys(namespace)
        self._client = connect(url, self.keys.writers, credentials)
        self._clock = clock
        self._fields: frozenset[bytes] = frozenset()
        self._definitions: dict[bytes, StoredDefinition] = {}
        self._texts: dict[bytes, bytes] = {}
        self._replicas: dict[str, str] = {}
        self._store_now: tuple[int, float] | None = None

    def read(self, known: Collection[str] = ()) -> Snapshot:
        """The namespace now. Raises `StoreError` when the store fails, `StateError` for what cannot be understood.

        Of `known` writers that have no row any more, the snapshot tells whether they were folded.
        """
        with translated():
            while True:
                now = self._estimated_now()
                reply = followed(partial(self._transaction, now))
                self._parse_families(reply[0])
                asked, self._fields = self._fields, self._fields_with_key()
                if self._fields <= asked:
                    return self._with_retired(self._snapshot(reply), known)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _transaction(self, now_us: int) -> list[Any]:
        keys = self.keys
        pipeline: Any = self._client.pipeline(transaction=True)
        pipeline.hgetall(keys.families)
        pipeline.hgetall(keys.writers)
        pipeline.hgetall(keys.gauges)
        pipeline.hgetall(keys.exemplars)
        pipeline.hgetall(keys.removed)
        pipeline.zcount(keys.cache_expiry, f"({now_us}", "+inf")
        pipeline.exists(keys.cache_expiry)
        pipeline.time()
        self._asked = sorted(self._fields)
        for name in self._asked:
            pipeline.hgetall(keys.family(name.decode()))
        try:
            reply: list[Any] = pipeline.execute()
        except redis.ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise StateError(keys.families, f"a key of this namespace holds something else: {error}") from error
            raise
        return reply

    def _estimated_now(self) -> int:
        """The store's clock: as it was told with the last read, moved on by ours."""
        if self._store_now is None:
            seconds, micros = self._client.time()
            self._store_now = (seconds * 10**6 + micros, self._clock())
        told, at = self._store_now
        return told + int((self._clock() - at) * 1e6)

    def _parse_families(self, families: dict[bytes, bytes]) -> None:
        for raw, text in families.items():
            if self._texts.get(raw) != text:
                name = _text(self.keys.families, raw)
                self._definitions[raw] = StoredDefinition.parse(name, _text(f"families[{name}]", text))
                self._texts[raw] = text
        for raw in self._texts.keys() - families.keys():
            del self._texts[raw], self._definitions[raw]

    def _fields_with_key(self) -> frozenset[bytes]:
        return frozenset(raw for raw, stored in self._definitions.items() if stored.definition.type in _NUMBER_TYPES)

    def _snapshot(self, reply: list[Any]) -> Snapshot:
        _, writers, gauges, exemplars, removed, cache_size, cache_exists, (seconds, micros), *numbers = reply
        taken_us = seconds * 10**6 + micros
        self._store_now = (taken_us, self._clock())
        epoch = None
        rows = {}
        for raw_writer, raw_text in writers.items():
            if raw_writer.startswith(b"@") and raw_writer != EPOCH_FIELD.encode():
                continue  # what a later version keeps beside the epoch is no writer
            writer = _text(self.keys.writers, raw_writer)
            text = _text(f"writers[{writer}]", raw_text)
            if writer == EPOCH_FIELD:
                epoch = Epoch.parse(text)
                if epoch.format != STATE_FORMAT:
                    problem = f"state format {epoch.format}; this version reads {STATE_FORMAT}"
                    raise StateError(self.keys.writers, problem)
            else:
                rows[writer] = Row.parse(writer, text)
        return Snapshot(
            taken_us=taken_us,
            epoch=epoch,
            rows=rows,
            definitions=tuple(self._definitions[raw] for raw in sorted(self._definitions)),
            numbers={
                name.decode(): group
                for name, group in zip(self._asked, numbers, strict=True)
                if name in self._fields  # else its definition is gone, and with it what the numbers mean
            },
            gauges=gauges,
            replicas=self._names({_shown(raw.partition(b" ")[0]) for raw in gauges}),
            cache_size=cache_size if cache_exists else None,
            exemplars=exemplars,
            removed=removed,
        )

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
        return replace(snapshot, retired=retired, horizon_us=int(horizon or 0))

    def _names(self, writers: set[str]) -> dict[str, str]:
        """`<replica>:<pid>` of writers; who a writer is never changes, so each is asked for once."""
        unknown = sorted(writers - self._replicas.keys())
        if unknown:
            pipeline: Any = self._client.pipeline(transaction=False)
            for writer in unknown:
                pipeline.hmget(self.keys.writer(writer), "replica", "pid")
            for writer, (replica, pid) in zip(unknown, pipeline.execute(), strict=True):
                self._replicas[writer] = f"{_shown(replica)}:{_shown(pid)}" if replica and pid else writer
        for writer in self._replicas.keys() - writers:
            del self._replicas[writer]
        return dict(self._replicas)


def _text(place: str, raw: bytes) -> str:
    """Text that was read at a place; raises `StateError` for what is no UTF-8 and so no text of ours."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise StateError(place, f"{raw!r} is no UTF-8; a fleetmeter writer stores nothing else") from error


def _shown(raw: bytes) -> str:
    """A name for display; nothing else depends on it."""
    return raw.decode("utf-8", "replace")
