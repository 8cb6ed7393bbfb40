"""Gauges that are read and not recorded: a program can show what it keeps in the store beside the counts.

A program declares the gauge (`prometheus_client.Gauge`) and never sets it. It registers a `GaugeRead` of that name as
an entry point of the group `fleetmeter.reads`. Each exporter that finds the package sends its commands in the
transaction that reads the counts, and shows the samples that it makes of the replies; so do `fleetmeter ls` and
`fleetmeter top`.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from fleetmeter.connection.multi_exec import Command
from fleetmeter.reader.sample import Sample
from fleetmeter.schema.keys import Keys

GROUP = "fleetmeter.reads"
"""The group of entry points that name objects of `GaugeRead`."""

log = logging.getLogger("fleetmeter")

Others = Callable[[str], Sequence[Sample] | None]
"""The samples of another family at the same instant, by its name; None if there is no such family."""


@dataclass(frozen=True)
class GaugeRead:
    """What else to read, and the samples of the gauge `family` that follow from it. They count until a replica sets it.

    `commands` gets the namespace's keys and the store's time in µs. It returns commands that only read, the same number
    of them each time; keys of your own are `keys.beside("name")`. `samples` gets their replies as the store sends them
    (numbers are int, texts bytes, hashes flat lists) and other families. It returns the gauge's samples, or None to
    leave the gauge as it is. It does no I/O.
    """

    family: str
    commands: Callable[[Keys, int], Sequence[Command]]
    samples: Callable[[Sequence[Any], Others], Sequence[Sample] | None]


@cache
def registered() -> tuple[GaugeRead, ...]:
    """What installed packages have registered. An entry that cannot be loaded is left out, and logged."""
    found = []
    for point in entry_points(group=GROUP):
        try:
            read = point.load()
        except Exception:  # whatever somebody else's module raises must not cost the scrape
            log.exception("entry point %s of %s cannot be loaded; its gauge is not read", point.value, GROUP)
            continue
        if isinstance(read, GaugeRead):
            found.append(read)
        else:
            log.error("entry point %s of %s is no GaugeRead; its gauge is not read", point.value, GROUP)
    return tuple(found)
