"""Sightings of a fleet whose every number and time is known."""

from collections.abc import Mapping

from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.keys import STATE_FORMAT
from fleetmeter.schema.rows import Epoch, Row
from fleetmeter.watching.sighting import Sighting
from fleetmeter.watching.totals import Totals

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def sample(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The key of a sample."""
    return name, tuple(labels.items())


def sighting(
    at: float, samples: Samples, *, epoch: str = "epoch", birth: float = 0.0, rows: Mapping[str, Row] | None = None
) -> Sighting:
    """One at a time in seconds since 1970. An empty `epoch` means that nobody has written."""
    began = Epoch(epoch, round(birth * 1e6), STATE_FORMAT) if epoch else None
    snapshot = Snapshot(round(at * 1e6), began, dict(rows or {}), (), {}, {}, {}, None)
    totals = Totals(tuple((name, dict(labels), value) for (name, labels), value in samples.items()))
    return Sighting(snapshot, totals, {}, at)
