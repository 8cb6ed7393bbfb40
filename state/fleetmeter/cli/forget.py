"""`fleetmeter forget`: removes a family, or the series of it that have some label values."""

import argparse
from collections.abc import Iterator
from contextlib import closing

from fleetmeter.cli.confirmation import confirmed
from fleetmeter.cli.errors import CommandError
from fleetmeter.cli.printing import complain, counted, grouped, say, shown, warn_of
from fleetmeter.cli.removal import forget as remove
from fleetmeter.cli.selection import SeriesSelection, series_of
from fleetmeter.cli.target import NamespaceTarget, Subcommands, add_command
from fleetmeter.reader.families import Family, legible_families, types_left_out
from fleetmeter.reader.snapshot import Snapshot

_SUMS = {"_total": "total", "_count": "count", "_sum": "sum"}
"""Sums that are shown before a family is removed, by the suffix of the samples that are added up."""


def add_forget(subcommands: Subcommands) -> None:
    """Add `forget` to the program."""
    parser = add_command(subcommands, "forget", "Remove a family, or only its series with these label values.")
    parser.add_argument("family", metavar="FAMILY", help="the family, as `fleetmeter ls` names it")
    parser.add_argument("labels", nargs="*", metavar="label=value", help="only series that have this label value")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=forget)


def forget(arguments: argparse.Namespace) -> int:
    """Ask, remove, and say what was removed. Returns the exit status; raises `FleetmeterError`."""
    target = NamespaceTarget.of(arguments)
    selection = SeriesSelection.parse(arguments.family, arguments.labels)
    with closing(target.reader()) as reader:
        snapshot = reader.read()
    definitions = selection.definitions(snapshot)
    families, problems = legible_families(snapshot)
    warn_of(problems)
    family = next((found for found in families if found.definition.name == selection.family), None)
    if selection.labels and family is not None and not selection.samples(family):
        raise CommandError(f"no series of {selection.family!r} has these label values; `fleetmeter ls` lists them")
    unknown = selection.family in types_left_out(snapshot)
    for line in _preview(target, selection, family, len(definitions), unknown=unknown):
        say(line)
    if not confirmed("forget it for good", "yes", yes=arguments.yes):
        return complain("nothing was removed", 1)
    with closing(target.client()) as client:
        gone = remove(
            client,
            target.keys,
            selection.family,
            ((item.field, selection.pattern(item) if selection.labels else "all") for item in definitions),
        )
    say(
        f"removed {counted(gone.numbers, 'number')}, {counted(gone.gauges, 'gauge value')}, "
        f"{counted(gone.exemplars, 'exemplar')}, {counted(gone.layouts, 'definition')}"
    )
    for line in _outlook(selection, snapshot):
        say(line)
    return 0


def _preview(
    target: NamespaceTarget, selection: SeriesSelection, family: Family | None, layouts: int, *, unknown: bool
) -> Iterator[str]:
    """What would be removed. Without a `family`, why that is not known: its type, if `unknown`, else a bad number."""
    narrowed = ",".join(f'{shown(name)}="{shown(value)}"' for name, value in selection.labels.items())
    what = shown(selection.family) + (f"{{{narrowed}}}" if narrowed else "")
    if family is None:
        why = "a later version of fleetmeter made its type" if unknown else "a part of it cannot be read"
        yield f"{what} of {target.place}: {why}, so its size and sums cannot be shown"
        return
    samples = selection.samples(family)
    facts = [counted(series_of(samples), "series", "series")]
    for suffix, name in _SUMS.items():
        values = [sample.value for sample in samples if sample.suffix == suffix]
        if values:
            facts.append(f"{name} {grouped(sum(values))}")
    if layouts > 1:
        facts.append(f"in {layouts} layouts")
    yield f"{what} of {target.place}: {family.definition.type}, {', '.join(facts)}"


def _outlook(selection: SeriesSelection, snapshot: Snapshot) -> Iterator[str]:
    """What happens next, if replicas are alive that may record it again."""
    alive = len(snapshot.alive)
    if not alive:
        return
    who = f"{counted(alive, 'replica')} {'is' if alive == 1 else 'are'} alive"
    if selection.labels:
        yield f"{who}; if one still records these series, they come back with its next flush, counted from 0"
    else:
        yield f"{who}; if one still records this family, it comes back with the next record, counted from 0"
