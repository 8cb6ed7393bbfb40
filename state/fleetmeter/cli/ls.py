"""`fleetmeter ls`: lists the families of a namespace, the samples of one, its writers, or a store's namespaces."""

import argparse
from contextlib import closing
from dataclasses import asdict
from typing import Any

from fleetmeter.cli.inventory import (
    FamilyEntry,
    NamespaceEntry,
    SampleEntry,
    WriterEntry,
    family_entries,
    namespace_entries,
    sample_entries,
    writer_entries,
)
from fleetmeter.cli.printing import NOTHING, columns, say, say_json, seconds_text, shown, time_text, warn_of
from fleetmeter.cli.selection import SeriesSelection
from fleetmeter.cli.target import NamespaceTarget, Subcommands, add_command
from fleetmeter.errors import SettingError
from fleetmeter.reader.families import legible_families
from fleetmeter.reader.identities import Identities


def add_ls(subcommands: Subcommands) -> None:
    """Add `ls` to the program."""
    parser = add_command(subcommands, "ls", "List families, the series of one, writers, or namespaces.")
    parser.add_argument("family", nargs="?", metavar="FAMILY", help="list the samples of this family")
    parser.add_argument("labels", nargs="*", metavar="label=value", help="only series that have this label value")
    parser.add_argument("--buckets", action="store_true", help="with a histogram: its buckets too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    others = parser.add_mutually_exclusive_group()
    others.add_argument("--writers", action="store_true", help="list the processes that record")
    others.add_argument("--namespaces", action="store_true", help="list the namespaces of the store")
    parser.set_defaults(run=ls)


def ls(arguments: argparse.Namespace) -> int:
    """Print the list that was asked for. Returns the exit status; raises `FleetmeterError`."""
    target = NamespaceTarget.of(arguments)
    other = "--writers" if arguments.writers else "--namespaces" if arguments.namespaces else None
    if other and arguments.family:
        raise SettingError(other, f"it lists no families; leave out {arguments.family!r}")
    entries: list[Any]
    lines: list[str]
    if arguments.namespaces:
        with closing(target.client()) as client:
            entries, problems = namespace_entries(client)
        warn_of(problems)
        lines = _namespaces(entries)
    else:
        with closing(target.reader()) as reader:
            snapshot = reader.read()
        families, problems = legible_families(snapshot)
        if arguments.writers:
            with closing(target.client()) as client:
                entries = writer_entries(snapshot, Identities(client, target.keys).of(snapshot.rows))
            lines = _writers(entries)
        elif arguments.family:
            selection = SeriesSelection.parse(arguments.family, arguments.labels)
            selection.definitions(snapshot)
            warn_of(problems)
            entries = sample_entries(families, selection, buckets=arguments.buckets)
            lines = [_sample(entry) for entry in entries] or ["no series"]
        else:
            warn_of(problems)
            entries = family_entries(snapshot, families)
            lines = _families(entries) if entries else [f"no families in {target.place}"]
    if arguments.json:
        say_json([asdict(entry) for entry in entries])
    else:
        say("\n".join(lines))
    return 0


def _families(entries: list[FamilyEntry]) -> list[str]:
    return columns(
        ("FAMILY", "TYPE", "UNIT", "LABELS", "SERIES", "LAYOUTS", "HELP"),
        (
            (
                shown(entry.name),
                shown(entry.type),
                shown(entry.unit) or NOTHING,
                shown(",".join(entry.labels)) or NOTHING,
                NOTHING if entry.series is None else str(entry.series),
                str(entry.layouts),
                shown(entry.help),
            )
            for entry in entries
        ),
        right=("SERIES", "LAYOUTS"),
    )


def _writers(entries: list[WriterEntry]) -> list[str]:
    return columns(
        ("WRITER", "REPLICA", "PID", "VERSION", "APPLIED", "GIVEN UP", "LAST SIGN", "STATE"),
        (
            (
                shown(entry.id),
                shown(entry.replica) or NOTHING,
                shown(entry.pid) or NOTHING,
                shown(entry.version) or NOTHING,
                str(entry.applied),
                str(entry.given_up),
                f"{seconds_text(entry.silent_seconds)} ago",
                entry.state,
            )
            for entry in entries
        ),
        right=("PID", "APPLIED", "GIVEN UP", "LAST SIGN"),
    )


def _namespaces(entries: list[NamespaceEntry]) -> list[str]:
    return columns(
        ("NAMESPACE", "SINCE", "WRITERS", "FAMILIES"),
        (
            (
                entry.name,
                NOTHING if entry.since_us is None else time_text(entry.since_us),
                NOTHING if entry.writers is None else str(entry.writers),
                NOTHING if entry.families is None else str(entry.families),
            )
            for entry in entries
        ),
        right=("WRITERS", "FAMILIES"),
    )


def _sample(entry: SampleEntry) -> str:
    pairs = ",".join(f'{shown(name)}="{shown(value)}"' for name, value in entry.labels.items())
    return f"{shown(entry.name)}{{{pairs}}} {entry.value}" if pairs else f"{shown(entry.name)} {entry.value}"
