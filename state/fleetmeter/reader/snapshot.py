"""A namespace as it was at one instant: what a reader read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fleetmeter.errors import StateError
from fleetmeter.reader.gauge_read import GaugeRead
from fleetmeter.reader.returned import NO_RETURNS, Returned
from fleetmeter.reader.stated_fields import StatedFields
from fleetmeter.schema.definition import StoredDefinition
from fleetmeter.schema.rows import Epoch, Row


@dataclass(frozen=True)
class Snapshot:
    """Everything of a namespace at one instant. Times are the store's, µs.

    `epoch` is None if nobody has written yet. `numbers` maps each family's field in `families` to its stored numbers,
    as raw field → raw text. `gauges`, `exemplars` and `removed` are the raw hashes. `replicas` names the writers that
    have gauges. `extras` has each `GaugeRead` that was sent along, by its family, with its replies; None if none was
    sent.

    `problems` lists families and other parts that exist and cannot be read; nothing of them is in the snapshot.
    `retired` has the rows of the folded writers that the caller asked about. `horizon_us` is the newest heartbeat of
    any row that was dropped on purpose; 0 if the caller asked about no writer. `returned` has content only if the
    caller asked for it. `came` is the same, and is also read when gathered removals are on record. `swept_us` is when
    ended writers were last put away; only a glance reads it, and 0 means unknown. `stated` are the fields of `gauges`,
    parsed, if a reader did so.
    """

    taken_us: int
    epoch: Epoch | None
    rows: dict[str, Row]
    definitions: tuple[StoredDefinition, ...]
    numbers: Mapping[str, Mapping[bytes, bytes]]
    gauges: Mapping[bytes, bytes]
    replicas: dict[str, str]
    extras: Mapping[str, tuple[GaugeRead, Sequence[Any]]] | None
    exemplars: Mapping[bytes, bytes] = field(default_factory=dict)
    removed: Mapping[bytes, bytes] = field(default_factory=dict)
    returned: Returned = NO_RETURNS
    retired: dict[str, Row] = field(default_factory=dict)
    horizon_us: int = 0
    problems: tuple[StateError, ...] = ()
    came: Returned = NO_RETURNS
    swept_us: int = 0
    stated: StatedFields | None = field(default=None, compare=False, repr=False)

    @cached_property
    def alive(self) -> frozenset[str]:
        """The writers that are alive."""
        return frozenset(writer for writer, row in self.rows.items() if row.alive(self.taken_us))

    @property
    def last_write_us(self) -> int | None:
        """The newest heartbeat or batch of any writer."""
        newest = self._newest
        return None if newest is None else newest.heartbeat_us

    @property
    def last_write_goodbye(self) -> bool | None:
        """Whether the last writer of all ended with a goodbye, so that silence is in order. None if nobody wrote."""
        newest = self._newest
        return None if newest is None else newest.said_goodbye

    @cached_property
    def _newest(self) -> Row | None:
        return max(self.rows.values(), key=lambda row: row.heartbeat_us, default=None)
