"""The exporter's own families, made at each scrape: they say how the scrape went."""

import time
from collections.abc import Iterator, Sequence

import fleetmeter
from fleetmeter.reader.families import Family
from fleetmeter.reader.sample import Labels, Sample
from fleetmeter.reader.verdict import HOLDING
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.fleet import REASONS, Scrape

NAMESPACE = "namespace"
"""The label with the name of the namespace, if more than one is served."""

OWN_NAMES = (
    "fleetmeter_up",
    "fleetmeter_last_scrape_error",
    "fleetmeter_replicas",
    "fleetmeter_last_write_timestamp_seconds",
    "fleetmeter_last_write_goodbye",
    "fleetmeter_state_epoch_timestamp_seconds",
    "fleetmeter_snapshot_held",
    "fleetmeter_snapshot_held_reason",
    "fleetmeter_counts_behind",
    "fleetmeter_scrape_series",
    "fleetmeter_exporter_build_info",
    "fleetmeter_scrape_duration_seconds",
)
"""Their names. A family of the fleet with such a name is not shown."""


def constant_labels(scrape: Scrape, scrapes: Sequence[Scrape]) -> Labels:
    """The labels that every series of a namespace gets, if more than one is served."""
    return ((NAMESPACE, scrape.namespace),) if len(scrapes) > 1 else ()


def declared() -> list[tuple[Definition, tuple[str, ...]]]:
    """Every own family of an exporter of one namespace, with its labels, for documentation and dashboards."""
    families = _own_families([Scrape("")], [0], 0.0)
    return [(family.definition, tuple(dict(family.samples[0].labels) if family.samples else ())) for family in families]


def own_families(scrapes: Sequence[Scrape], series: Sequence[int], started: float) -> list[Family]:
    """The families, each with one sample for every namespace for which the value is known.

    `series` is the number of samples shown of each namespace. `started` is when the scrape began, by
    `time.perf_counter`.
    """
    return [family for family in _own_families(scrapes, series, started) if family.samples]


def _own_families(scrapes: Sequence[Scrape], series: Sequence[int], started: float) -> Iterator[Family]:
    labels = [constant_labels(scrape, scrapes) for scrape in scrapes]

    def each(name: str, help_text: str, values: Sequence[float | None], unit: str = "") -> Family:
        samples = [Sample("", label, value) for label, value in zip(labels, values, strict=True) if value is not None]
        return Family(Definition(name, "gauge", help_text, unit), 0, samples=samples)

    yield each(
        "fleetmeter_up",
        "Whether everything that is stored could be read (1) or not (0); see fleetmeter_last_scrape_error.",
        [float(scrape.up) for scrape in scrapes],
    )
    yield _errors(scrapes, labels)
    snapshots = [scrape.shown.snapshot if scrape.shown is not None else None for scrape in scrapes]
    yield each(
        "fleetmeter_replicas",
        "Processes that record into this namespace and live.",
        [None if snapshot is None else len(snapshot.alive) for snapshot in snapshots],
    )
    yield each(
        "fleetmeter_last_write_timestamp_seconds",
        "When a replica last wrote, heartbeats included, by the store's clock.",
        [_seconds(snapshot.last_write_us if snapshot is not None else None) for snapshot in snapshots],
        "seconds",
    )
    yield each(
        "fleetmeter_last_write_goodbye",
        "Whether the last write was a goodbye (1): who wrote last has ended as it should, and nobody wrote after it.",
        [_truth(snapshot.last_write_goodbye if snapshot is not None else None) for snapshot in snapshots],
    )
    yield each(
        "fleetmeter_state_epoch_timestamp_seconds",
        "When the namespace's counts began, by the store's clock.",
        [_seconds(snapshot.epoch.birth_us if snapshot and snapshot.epoch else None) for snapshot in snapshots],
        "seconds",
    )
    yield each(
        "fleetmeter_snapshot_held",
        "Whether this scrape shows an older snapshot (1), while replicas send again what the store lost.",
        [None if scrape.shown is None else float(scrape.shown.held) for scrape in scrapes],
    )
    yield _held_reasons(scrapes, labels)
    yield each(
        "fleetmeter_counts_behind",
        "Stored numbers that are below what was served before; what was served is shown in their place.",
        [None if scrape.shown is None else scrape.shown.counts_behind for scrape in scrapes],
    )
    yield each("fleetmeter_scrape_series", "Samples of the fleet's families in this scrape.", series)
    yield _alone(
        "fleetmeter_exporter_build_info",
        "The version of the exporter.",
        (("version", fleetmeter.__version__),),
        1.0,
    )
    yield _alone(
        "fleetmeter_scrape_duration_seconds",
        "Time to read the store, to merge what was read, and to write it out.",
        (),
        time.perf_counter() - started,
        "seconds",
    )


def _errors(scrapes: Sequence[Scrape], labels: Sequence[Labels]) -> Family:
    samples = []
    for scrape, label in zip(scrapes, labels, strict=True):
        met = {reason for reason, _ in scrape.errors.values()}
        samples += [Sample("", (*label, ("reason", reason)), float(reason in met)) for reason in REASONS]
    help_text = "Whether the last scrape met this trouble (1): something is missing from it, or all of it."
    return Family(Definition("fleetmeter_last_scrape_error", "gauge", help_text), 0, samples=samples)


def _held_reasons(scrapes: Sequence[Scrape], labels: Sequence[Labels]) -> Family:
    samples = []
    for scrape, label in zip(scrapes, labels, strict=True):
        shown = scrape.shown
        met = shown.cause.reason if shown is not None and shown.held and shown.cause is not None else None
        reasons = HOLDING if shown is not None or not scrape.namespace else ()
        samples += [Sample("", (*label, ("reason", str(reason))), float(reason is met)) for reason in reasons]
    help_text = "Why this scrape shows an older snapshot (1): what the store lacks of what was served."
    return Family(Definition("fleetmeter_snapshot_held_reason", "gauge", help_text), 0, samples=samples)


def _alone(name: str, help_text: str, labels: Labels, value: float, unit: str = "") -> Family:
    return Family(Definition(name, "gauge", help_text, unit), 0, samples=[Sample("", labels, value)])


def _truth(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / 1e6
