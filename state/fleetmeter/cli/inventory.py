"""The lists of `ls`: families, samples and writers of a namespace, and the namespaces of a store."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis

from fleetmeter.cli.printing import json_number
from fleetmeter.cli.selection import SeriesSelection, series_of
from fleetmeter.connection.client import translated
from fleetmeter.errors import StateError
from fleetmeter.reader.families import Family, types_left_out
from fleetmeter.reader.identities import Identity
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.keys import EPOCH_FIELD, NAMESPACES, Keys, namespace_of
from fleetmeter.schema.rows import Epoch, is_writer

_SCAN_COUNT = 1000
"""Keys that the store looks at in one call. With more, other clients would have to wait."""


@dataclass(frozen=True)
class FamilyEntry:
    """One family; `series` is None for a type that this version does not know."""

    name: str
    type: str
    unit: str
    labels: list[str]
    series: int | None
    layouts: int
    help: str


@dataclass(frozen=True)
class SampleEntry:
    """One sample; `value` is a text if it is not finite."""

    name: str
    labels: dict[str, str]
    value: float | str


@dataclass(frozen=True)
class WriterEntry:
    """One writer. `applied` is its last batch; `silent_seconds` is the age of its last sign of life (store clock)."""

    id: str
    replica: str
    pid: str
    version: str
    applied: int
    given_up: int
    silent_seconds: float
    state: str


@dataclass(frozen=True)
class NamespaceEntry:
    """One namespace of a store; `since_us` is when its epoch began (store clock), None if it has no epoch.

    A number is None if the key that holds it is of another type.
    """

    name: str
    since_us: int | None
    writers: int | None
    families: int | None


def family_entries(snapshot: Snapshot, families: Iterable[Family]) -> list[FamilyEntry]:
    """All families of a snapshot by name: the given ones, and the ones whose type this version does not know."""
    layouts = Counter(stored.definition.name for stored in snapshot.definitions)
    entries = [
        FamilyEntry(
            definition.name,
            definition.type,
            definition.unit,
            list(definition.labels),
            series_of(family.samples),
            layouts[definition.name],
            definition.help,
        )
        for family in families
        for definition in [family.definition]
    ]
    for name, kind in types_left_out(snapshot).items():
        entries.append(FamilyEntry(name, kind, "", [], None, layouts[name], "made by a later version of fleetmeter"))
    return sorted(entries, key=lambda entry: entry.name)


def sample_entries(families: Iterable[Family], selection: SeriesSelection, *, buckets: bool) -> list[SampleEntry]:
    """The selected samples, in the order of an exposition. Those of buckets are left out unless `buckets` is true."""
    return [
        SampleEntry(family.definition.name + sample.suffix, dict(sample.labels), json_number(sample.value))
        for family in families
        if family.definition.name == selection.family
        for sample in selection.samples(family)
        if buckets or sample.suffix != "_bucket"
    ]


def writer_entries(snapshot: Snapshot, identities: dict[str, Identity]) -> list[WriterEntry]:
    """Every writer that has a row: first the living ones, then the silent, then the ended; each group by name."""
    entries = []
    for writer, row in snapshot.rows.items():
        identity = identities.get(writer, Identity())
        state = "goodbye" if row.said_goodbye else "alive" if row.alive(snapshot.taken_us) else "silent"
        silent = max(0.0, (snapshot.taken_us - row.heartbeat_us) / 1e6)
        entries.append(
            WriterEntry(
                writer, identity.replica, identity.pid, identity.version, row.applied, row.given_up, silent, state
            )
        )
    order = {"alive": 0, "silent": 1, "goodbye": 2}
    return sorted(entries, key=lambda entry: (order[entry.state], entry.replica, entry.pid, entry.id))


def namespace_entries(client: redis.Redis) -> tuple[list[NamespaceEntry], list[StateError]]:
    """Every namespace in the store's database, and what could not be read; in a cluster, those on this node.

    Raises `StoreError`.
    """
    entries: list[NamespaceEntry] = []
    problems: list[StateError] = []
    with translated():
        found: Any = client.scan_iter(match=NAMESPACES, count=_SCAN_COUNT)
        for name in sorted({name for name in map(namespace_of, found) if name is not None}):
            keys = Keys(name)
            pipeline: Any = client.pipeline(transaction=False)
            pipeline.hget(keys.writers, EPOCH_FIELD)
            pipeline.hkeys(keys.writers)
            pipeline.hlen(keys.families)
            replies = pipeline.execute(raise_on_error=False)
            for place, key in (1, keys.writers), (2, keys.families):
                if _is_of_another_type(replies[place]):
                    problems.append(StateError(key, "it is of another type; expected a hash", "wrong_type"))
            epoch, writers, families = (_or_none(reply) for reply in replies)
            count = None if writers is None else sum(map(is_writer, writers))
            entries.append(NamespaceEntry(name, _birth(epoch), count, families))
    return entries, problems


def _is_of_another_type(reply: object) -> bool:
    return isinstance(reply, redis.ResponseError) and str(reply).startswith("WRONGTYPE")


def _or_none(reply: Any) -> Any:
    """A reply, or None for a key of another type; any other error is raised."""
    if _is_of_another_type(reply):
        return None
    if isinstance(reply, Exception):
        raise reply
    return reply


def _birth(epoch: bytes | None) -> int | None:
    try:
        return Epoch.parse(epoch.decode()).birth_us if epoch is not None else None
    except (StateError, UnicodeDecodeError):
        return None
