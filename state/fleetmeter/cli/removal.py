"""Removing numbers on purpose: the calls of forget.lua and reset.lua."""

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
"""Calls of reset.lua before giving up. A call fails if a family appeared after the list of families was read."""

_SCAN_COUNT = 1000
"""Keys that the store looks at in one call. With more, other clients would have to wait."""


@dataclass(frozen=True)
class Forgotten:
    """How much was removed; `numbers` are stored fields: a counter's series has one, a histogram's one per bucket."""

    numbers: int
    gauges: int
    exemplars: int
    layouts: int


@dataclass(frozen=True)
class Reset:
    """How much was deleted; `epoch` is the id of the namespace's new epoch."""

    epoch: str
    layouts: int
    numbers: int
    gauges: int
    exemplars: int
    writers: int


@dataclass(frozen=True)
class Contents:
    """Everything in a namespace that a reset deletes; `epoch` is the whole stored text, empty if there is none.

    `layouts` are named by `families`, and by notes in `removed`. `rows` are the writers' rows. `others` are the keys
    that hold no numbers of a layout.
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
    """Remove layouts of a family, or series of them, in one script call.

    `choices` has each layout of the family: its field in `families`, and `all` or a pattern (see lua/forget.lua), or
    None if nothing of it is removed. A definition that cannot be read is removed only if all other layouts are.
    Raises `CommandError` if another layout appears meanwhile, and `StoreError`.
    """
    call = client.register_script(lua_source("forget"))
    fixed = keys.fixed[2:]
    with translated():
        fields = {field.encode(): what or "none" for field, what in choices}
        whole = set(fields.values()) == {"all"}
        fields |= dict.fromkeys(_unreadable(client.hgetall(keys.families), family), "all" if whole else "none")
        arguments = [family, *(text for pair in fields.items() for text in pair)]
        numbers = _numbers(keys, fields)
        reply: Any = call(keys=[*fixed, *numbers], args=arguments)
    status, *counts = reply
    if status != b"removed":
        raise CommandError(f"a replica just added a layout to {family!r}; nothing was removed, run the command again")
    return Forgotten(*map(int, counts))


def _unreadable(families: Any, family: str) -> Iterator[bytes]:
    """The fields of a family's definitions that cannot be read."""
    for field, text in families.items():
        if field.rpartition(b":")[0] == family.encode():
            try:
                StoredDefinition.parse(field.decode(), text.decode())
            except (StateError, UnicodeDecodeError):
                yield field


def _numbers(keys: Keys, layouts: Iterable[bytes]) -> list[bytes]:
    """The keys that hold the numbers of layouts: for each its hash, and what it has in its place if it is packed."""
    stems = [stem.encode() for stem in (keys.family(""), *keys.packed(""))]
    return [stem + layout for layout in layouts for stem in stems]


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
    others = (scanned | named).difference(_numbers(keys, layouts))
    return Contents(epoch, layouts, len(families), rows, frozenset(others))


def reset(client: redis.Redis, keys: Keys, seen: Contents) -> Reset:
    """Begin the namespace anew, if its epoch is still the one that was seen.

    Raises `CommandError` if it is not, or if new families keep appearing, and `StoreError`.
    """
    call = client.register_script(lua_source("reset"))
    old, new = seen.epoch.partition(b" ")[0], random_id()
    for _ in range(TRIES):
        layouts = sorted(seen.layouts)
        numbers = _numbers(keys, layouts)
        with translated():
            reply: Any = call(
                keys=[*keys.fixed, *numbers, *sorted(seen.others)], args=[old, new, STATE_FORMAT, *layouts]
            )
        status, *counts = reply
        if status == b"reset":
            return Reset(new, *map(int, counts))
        if status == b"changed":
            raise CommandError(
                f"namespace {keys.namespace!r} has a new epoch since it was read; nothing was deleted, "
                "run the command again"
            )
        seen = contents(client, keys)
    raise CommandError(
        f"replicas keep adding families to namespace {keys.namespace!r}; nothing was deleted, run the command again"
    )
