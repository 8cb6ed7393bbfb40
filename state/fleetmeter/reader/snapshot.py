"""A namespace as it was at one instant: what a reader read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fleetmeter.errors import StateError
from fleetmeter.reader.gauge_read import GaugeRead
from fleetmeter.reader.returned import NO_RETURNS, Returned
from fleetmeter.schema.definition import StoredDefinition
from fleetmeter.schema.rows import Epoch, Row


@dataclass(frozen=True)
class Snapshot:
    """Everything of a namespace at one instant.

    `epoch` is None where nobody has written yet. `numbers` maps each family's field in `families` to its stored
    numbers, as raw field → raw text; `gauges`, `exemplars` and `removed` are the raw hashes. `returned` is there where
    it was asked for. `replicas` names the writers that have gauges. `extras` has each `GaugeRead` that was sent
    along, by its family, with its replies; None if there was none.
    `problems` tells of families, and of other parts, that are there and cannot be read; nothing of them is in the
    snapshot. `retired` has the rows of folded writers that were asked about, `horizon_us` the newest heartbeat of any
    row that was dropped on purpose, 0 where nothing was asked about. `came` is `returned`, read also if nobody asked
    for it while gathered removals are on record. `swept_us` is when ended writers were last put away; only a glance has
    it, and 0 if it is not known. Times are the store's, µs.
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

    @cached_property
    def alive(self) -> frozenset[str]:
        """The writers that live."""
        return frozenset(writer for writer, row in self.rows.items() if row.alive(self.taken_us))

    @property
    def last_write_us(self) -> int | None:
        """The newest heartbeat or batch of any writer."""
        newest = self._newest
        return None if newest is None else newest.heartbeat_us

    @property
    def last_write_goodbye(self) -> bool | None:
        """Whether that newest one was a goodbye: who wrote last has ended as it should. None if nobody wrote."""
        newest = self._newest
        return None if newest is None else newest.said_goodbye

    @cached_property
    def _newest(self) -> Row | None:
        return max(self.rows.values(), key=lambda row: row.heartbeat_us, default=None)
