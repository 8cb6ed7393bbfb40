"""Removing from a fleet's numbers on purpose: the calls of forget.lua and reset.lua."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import redis

from fleetmeter.cli.errors import CommandError
from fleetmeter.connection.client import translated
from fleetmeter.errors import StateError
from fleetmeter.lua import lua_source
from fleetmeter.schema.definition import StoredDefinition
from fleetmeter.schema.keys import EPOCH_FIELD, STATE_FORMAT, Keys, layout_of_note
from fleetmeter.schema.rows import is_writer, random_id, rows_of

TRIES = 10
"""Calls that find a family which appeared after the list of families was read, before that counts as a failure."""

_SCAN_COUNT = 1000
"""Keys that the store looks at in one call: more would keep others waiting."""


@dataclass(frozen=True)
class Forgotten:
    """How much was removed; `numbers` are stored fields, of which a histogram's series has several."""

    numbers: int
    gauges: int
    exemplars: int
    layouts: int


@dataclass(frozen=True)
class Reset:
    """What was deleted; `epoch` is the id of the namespace's new one."""

    epoch: str
    layouts: int
    numbers: int
    gauges: int
    exemplars: int
    writers: int


@dataclass(frozen=True)
class Contents:
    """Every key of a namespace that a reset deletes; `epoch` is the whole text, empty where there is none.

    `layouts` are fields of `families`, or of `removed` in front of a pattern; `rows` is the `writers` hash.
    """

    epoch: bytes
    layouts: frozenset[bytes]
    families: int
    rows: dict[bytes, bytes]
    others: frozenset[bytes]

    @property
    def empty(self) -> bool:
        """Whether nothing was ever written."""
        return not (self.epoch or self.layouts or self.rows or self.others)


def forget(client: redis.Redis, keys: Keys, family: str, choices: Iterable[tuple[str, str | None]]) -> Forgotten:
    """Remove what is chosen, in one script call.

    `choices` has each layout of the family: its field in `families`, and a pattern, see lua/forget.lua; None for a
    layout that stays. A definition of the family that cannot be read goes if all of the others do, and stays if not.
    Raises `CommandError` if a layout appears meanwhile, and `StoreError`.
    """
    call = client.register_script(lua_source("forget"))
    fixed = keys.fixed[2:]
    with translated():
        fields = {field.encode(): what or "none" for field, what in choices}
        whole = set(fields.values()) == {"all"}
        fields |= dict.fromkeys(_unreadable(client.hgetall(keys.families), family), "all" if whole else "none")
        arguments = [family, *(text for pair in fields.items() for text in pair)]
        numbers = [keys.family("").encode() + field for field in fields]
        reply: Any = call(keys=[*fixed, *numbers], args=arguments)
    status, *counts = reply
    if status != b"removed":
        raise CommandError(f"{family!r} got another layout just now, and nothing was removed; run the command again")
    return Forgotten(*map(int, counts))


def _unreadable(families: Any, family: str) -> Iterator[bytes]:
    """The fields of a family's definitions that cannot be read."""
    for field, text in families.items():
        if field.rpartition(b":")[0] == family.encode():
            try:
                StoredDefinition.parse(field.decode(), text.decode())
            except (StateError, UnicodeDecodeError):
                yield field


def contents(client: redis.Redis, keys: Keys) -> Contents:
    """What a reset would delete. Raises `StoreError`."""
    with translated():
        pipeline: Any = client.pipeline(transaction=True)
        pipeline.hgetall(keys.writers)
        pipeline.hkeys(keys.families)
        pipeline.hkeys(keys.removed)
        pipeline.hkeys(keys.retired)
        rows, families, removed, retired = pipeline.execute()
        scanned = {key for pattern in keys.patterns for key in client.scan_iter(match=pattern, count=_SCAN_COUNT)}
    epoch = rows.pop(EPOCH_FIELD.encode(), b"")
    rows = rows_of(rows)
    named = {keys.writer("").encode() + writer for writer in (*rows, *retired) if is_writer(writer)}
    layouts = frozenset((*families, *map(layout_of_note, removed)))
    numbers = {keys.family("").encode() + layout for layout in layouts}
    return Contents(epoch, layouts, len(families), rows, frozenset((scanned | named) - numbers))


def reset(client: redis.Redis, keys: Keys, seen: Contents) -> Reset:
    """Begin the namespace anew, if its epoch is still the one that was seen.

    Raises `CommandError` where it is not, or where families keep appearing, and `StoreError`.
    """
    call = client.register_script(lua_source("reset"))
    old, new = seen.epoch.partition(b" ")[0], random_id()
    for _ in range(TRIES):
        layouts = sorted(seen.layouts)
        numbers = [keys.family("").encode() + layout for layout in layouts]
        with translated():
            reply: Any = call(
                keys=[*keys.fixed, *numbers, *sorted(seen.others)], args=[old, new, STATE_FORMAT, *layouts]
            )
        status, *counts = reply
        if status == b"reset":
            return Reset(new, *map(int, counts))
        if status == b"changed":
            raise CommandError(
                f"namespace {keys.namespace!r} began anew meanwhile; nothing was deleted, run the command again"
            )
        seen = contents(client, keys)
    raise CommandError(f"namespace {keys.namespace!r} gets new families all the time; nothing was deleted, try again")
