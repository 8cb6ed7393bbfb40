"""What the distributions hold: everything that is needed, and nothing that is not the project's."""

import re
import tarfile
from pathlib import Path
from zipfile import ZipFile

from fleetmeter.cli.assets import sources
from release.building import ROOT, committed
from support.interpreters import VERSIONS

FOLDERS = {
    "state": ("fleetmeter", "fleetmeter_pytest"),
    "exporter": ("fleetmeter_exporter",),
    "app": ("fleetmeter_app",),
    "board": ("fleetmeter_board",),
}
PACKAGES = [package for packages in FOLDERS.values() for package in packages]


def check_wheel(wheel: Path) -> str:
    """The packages, the launcher's line and the assets; metadata that says what is true."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata_name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(metadata_name).decode()
    top = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    expect("the wheel's top level", top, {*PACKAGES, "fleetmeter-run.pth"})
    places = [f"{folder}/{package}/" for folder, packages in FOLDERS.items() for package in packages]
    ours = {name.partition("/")[2] for name in committed() if name.startswith(tuple(places))}
    expect("files of the packages", ours - set(names), set())
    assets = {f"fleetmeter/assets/{name}" for name, _ in sources()}
    expect("the assets", {name for name in names if name.startswith("fleetmeter/assets/")}, assets)
    known = set(re.findall(r"^Classifier: Programming Language :: Python :: (3\.\d+)$", metadata, re.MULTILINE))
    expect("the classifiers of Python versions", known, set(VERSIONS))
    if "License-Expression: Apache-2.0" not in metadata or "License-File: LICENSE" not in metadata:
        raise SystemExit("release-check: the wheel does not name its licence")
    return f"{wheel.name}: {len(names)} files, {wheel.stat().st_size:,} bytes"


def check_sdist(sdist: Path) -> str:
    """Files of the project alone; tests, documentation and deployment among them, so that it can be tried as it is."""
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if not member.isdir()}
    expect("files of the sdist that are not committed", names - set(committed()) - {"PKG-INFO"}, set())
    for needed in ("tests/conftest.py", "deploy/Dockerfile", "docs/deploy.md", "Makefile", "constraints.txt"):
        if needed not in names:
            raise SystemExit(f"release-check: the sdist lacks {needed}")
    return f"{sdist.name}: {len(names)} files, {sdist.stat().st_size:,} bytes"


def check_version(version: str, tag: str) -> str:
    """A tag names the version, whose changes are on record under it; without a tag there is nothing to check."""
    if not tag:
        return f"version {version}, no tag"
    if tag != f"v{version}":
        raise SystemExit(f"release-check: the tag is {tag}, and _version.py says {version}; expected v{version}")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        raise SystemExit(f"release-check: CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD'")
    return f"version {version}, as tagged, with its changes on record"


def expect(what: str, found: set[str], wanted: set[str]) -> None:
    """End the check if two sets differ, naming what is too much and what is missing."""
    if found != wanted:
        raise SystemExit(f"release-check: {what}: too much {sorted(found - wanted)}, missing {sorted(wanted - found)}")
