"""`fleetmeter doctor`: examines a store, and says what each finding means for the numbers."""

import argparse
from collections import Counter
from contextlib import closing
from dataclasses import asdict

from fleetmeter.cli.doctor.check import Check, Status, exit_status
from fleetmeter.cli.doctor.facts import gather
from fleetmeter.cli.doctor.permissions import Permissions, unreadable_once_packed, writer_permissions
from fleetmeter.cli.doctor.rehearsal import rehearse
from fleetmeter.cli.doctor.server_checks import server_checks
from fleetmeter.cli.doctor.state_checks import permission_checks, read_or_refusal, state_checks, state_size
from fleetmeter.cli.printing import say, say_json, shown
from fleetmeter.cli.target import NamespaceTarget, Subcommands, add_command
from fleetmeter.errors import StoreError
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.settings import PACKED


def add_doctor(subcommands: Subcommands) -> None:
    """Add `doctor` to the program."""
    parser = add_command(
        subcommands, "doctor", "Check the store, and say what its settings and its state mean for the numbers."
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=doctor)


def doctor(arguments: argparse.Namespace) -> int:
    """Print every finding. Returns 1 if a check fails, else 0. Raises `SettingError`."""
    target = NamespaceTarget.of(arguments)
    try:
        checks = _checks(target)
    except StoreError as error:
        checks = [Check(Status.FAIL, "reachable", str(error), "replicas keep their counts until it answers")]
    if arguments.json:
        say_json([asdict(check) for check in checks])
        return exit_status(checks)
    say(target.place)
    for check in checks:
        say(f"{check.status:<8} {check.subject:<14} {shown(check.found)}")
        say(f"{'':<8} {'':<14} {shown(check.meaning)}")
    counts = Counter(check.status for check in checks)
    say(", ".join(f"{counts[status]} {status}" for status in Status if counts[status]))
    return exit_status(checks)


def _checks(target: NamespaceTarget) -> list[Check]:
    with closing(target.client()) as client, closing(target.reader()) as reader:
        checks = list(server_checks(gather(client)))
        read = read_or_refusal(reader)
        permissions = writer_permissions(client, target.keys, packed=target.settings.numbers == PACKED)
        problem = "" if permissions != Permissions() else rehearse(client, target.settings)
        checks += permission_checks(permissions, problem, read, unreadable_once_packed(client, target.keys))
        size = state_size(client, target.keys, read) if isinstance(read, Snapshot) else None
        return checks + list(state_checks(read, size, target.keys, reader.life()))
