"""`fleetmeter assets DIR`: writes the files that go with the programs: dashboards, rules, users of the store."""

import argparse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from fleetmeter.cli.errors import CommandError
from fleetmeter.cli.printing import counted, say
from fleetmeter.cli.target import Subcommands

LAYOUT = {
    "grafana/dashboards": "grafana/dashboards",
    "grafana/provisioning": "grafana/provisioning",
    "prometheus": "prometheus",
    "systemd": "deploy/systemd",
    "users.acl": "state/users.acl",
    "web.yml": "exporter/web.yml",
}
"""Each file or folder: its place in the folder that is written, and in the source tree. A wheel has it in `assets/`."""

_SUMMARY = "Write the dashboards, Prometheus' rules and configuration, the store's users and other files into a folder."


def add_assets(subcommands: Subcommands) -> None:
    """Add `assets` to the subcommands of `fleetmeter`."""
    parser = subcommands.add_parser("assets", help="Write out dashboards, rules and other files.", description=_SUMMARY)
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to write into; it is made if needed")
    parser.add_argument("--force", action="store_true", help="also overwrite files that were changed")
    parser.set_defaults(run=assets)


def assets(arguments: argparse.Namespace) -> int:
    """Write the files. Returns the exit status. Raises `CommandError`, and writes nothing, if a file there differs."""
    folder: Path = arguments.folder
    texts = {folder / name: source.read_bytes() for name, source in sources()}
    try:
        changed = [path for path, text in texts.items() if path.exists() and path.read_bytes() != text]
        if changed and not arguments.force:
            raise CommandError(
                f"{changed[0]} exists and has other content ({counted(len(changed), 'such file')}); name another "
                "folder, or say --force to overwrite"
            )
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
            say(str(path))
    except OSError as error:
        raise CommandError(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return 0


def asset(name: str) -> Path:
    """The path of a file or folder of `LAYOUT`: in the installed package, or in the source tree."""
    packaged = Path(str(files("fleetmeter"))) / "assets"
    return packaged / name if packaged.is_dir() else Path(__file__).parents[3] / LAYOUT[name]


def sources() -> Iterator[tuple[str, Path]]:
    """Every file: its place in the folder that is written, and its present path."""
    for name in LAYOUT:
        path = asset(name)
        if path.is_dir():
            yield from (
                (f"{name}/{file.relative_to(path)}", file) for file in sorted(path.rglob("*")) if file.is_file()
            )
        else:
            yield name, path
