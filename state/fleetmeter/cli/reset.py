"""`fleetmeter reset`: deletes the numbers of a namespace and begins a new epoch."""

import argparse
from contextlib import closing

from fleetmeter.cli.confirmation import confirmed
from fleetmeter.cli.printing import complain, counted, say, time_text
from fleetmeter.cli.removal import Contents, contents
from fleetmeter.cli.removal import reset as begin_anew
from fleetmeter.cli.target import NamespaceTarget, Subcommands, add_command
from fleetmeter.errors import StateError
from fleetmeter.schema.keys import STATE_FORMAT
from fleetmeter.schema.rows import Epoch


def add_reset(subcommands: Subcommands) -> None:
    """Add `reset` to the program."""
    parser = add_command(
        subcommands, "reset", "Delete all of a namespace's numbers; what the gateway keeps beside them stays."
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=reset)


def reset(arguments: argparse.Namespace) -> int:
    """Ask, delete, and say what was deleted. Returns the exit status; raises `FleetmeterError`."""
    target = NamespaceTarget.of(arguments)
    with closing(target.client()) as client:
        seen = contents(client, target.keys)
        if seen.empty:
            say(f"nothing has been recorded into {target.place}: there is nothing to reset")
            return 0
        say(_preview(target, seen))
        if not confirmed("delete all its numbers for good", target.settings.namespace, yes=arguments.yes):
            return complain("nothing was deleted", 1)
        done = begin_anew(client, target.keys, seen)
    say(
        f"deleted {counted(done.layouts, 'family', 'families')}, {counted(done.numbers, 'number')}, "
        f"{counted(done.gauges, 'gauge value')}, {counted(done.exemplars, 'exemplar')}, "
        f"{counted(done.writers, 'writer')}; a new epoch begins: {done.epoch}"
    )
    if done.writers:
        say("living replicas go on in it by themselves; what they had not yet handed over counts there")
    return 0


def _preview(target: NamespaceTarget, seen: Contents) -> str:
    since = "without an epoch"
    if seen.epoch:
        text = seen.epoch.decode("utf-8", "replace")
        try:
            epoch = Epoch.parse(text)
        except StateError:
            since = "with an epoch that cannot be read"
        else:
            if epoch.format != STATE_FORMAT:
                problem = (
                    f"state format {epoch.format}; this version of fleetmeter resets format {STATE_FORMAT} only, "
                    "use the version that wrote it"
                )
                raise StateError(target.keys.writers, problem)
            since = f"counting since {time_text(epoch.birth_us)}"
    return (
        f"{target.place}, {since}: {counted(seen.families, 'family', 'families')}, {counted(len(seen.rows), 'writer')}"
    )
