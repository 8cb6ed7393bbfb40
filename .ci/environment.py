"""Makes .venv ready for a make target, and says all the while how far it is.

    python3 .ci/environment.py demo      what `make demo` needs
    python3 .ci/environment.py dev       what every target needs; it includes the demo's

Each level leaves a marker file in .venv, which the Makefile compares with pyproject.toml and constraints.txt. A level
that is added to another one installs only what is missing. Needs nothing but Python's standard library.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MARKERS = {"demo": (".ready-demo",), "dev": (".ready-demo", ".ready")}
"""The marker files of each level."""
EVERY = 5.0
"""Seconds between two lines about a step that takes its time."""


class Progress:
    """Lines on stderr with the seconds since the start; a step that lasts is named again every few seconds."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._doing = ""
        self._ended = Event()
        self._clock = Thread(target=self._remind, daemon=True)

    def step(self, doing: str, *, quiet: bool = False) -> None:
        """Say what is done now; a quiet step is said at the next reminder, unless another one has begun by then."""
        self._doing = doing
        if not quiet:
            self._say(doing)

    def _say(self, doing: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._begun:5.0f} s  {doing}\n")
        sys.stderr.flush()

    def _remind(self) -> None:
        while not self._ended.wait(EVERY):
            self._say(f"{self._doing} …")

    def __enter__(self) -> "Progress":
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._clock.join()


def lines(command: list[str], log: list[str]) -> Iterator[str]:
    """What a command prints, line by line, kept in `log`, too; raises `CalledProcessError` if it fails."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            log.append(line)
            yield line.strip()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def install(level: str, progress: Progress, log: list[str]) -> None:
    """Let pip install this folder with the extra of that name, at the versions of constraints.txt."""
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--constraint", "constraints.txt", "--editable", f".[{level}]"]
    progress.step("asking pip for the packages that are missing")
    found = 0
    for line in lines(command, log):
        if line.startswith("Collecting "):
            found += 1
            progress.step(f"downloading package {found}: {line.split()[1]}", quiet=True)
        elif line.startswith("Installing collected packages:"):
            progress.step(f"installing {line.count(',') + 1} packages")


def main(level: str) -> int:
    """Make the level ready; the exit status of what failed."""
    log: list[str] = []
    sys.stderr.write(f"setting up {VENV.name} for `make {'demo' if level == 'demo' else 'test'}`; this happens once\n")
    with Progress() as progress:
        try:
            if not (VENV / "bin" / "pip").exists():  # pip comes last: one that was broken off has none
                progress.step("creating the environment")
                list(lines([sys.executable, "-m", "venv", str(VENV)], log))
            install(level, progress, log)
        except subprocess.CalledProcessError as error:
            sys.stderr.write("".join(log))
            sys.stderr.write(f"set-up failed: {' '.join(error.cmd)} ended with status {error.returncode}\n")
            return int(error.returncode)
        for marker in MARKERS[level]:
            (VENV / marker).touch()
        progress.step("ready")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
