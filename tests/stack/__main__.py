"""`python -m stack`: the whole check; exit status 1 and the reason if something does not hold."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from drill.receiver import Receiver
from stack.checks import Checks
from stack.environment import build
from stack.images import found
from stack.stage import Stage


def main() -> int:
    """Build what the images hold, then go on in network, mount and process namespaces of our own."""
    if os.geteuid() != 0:
        sys.stderr.write("stack-check: needs root, for networks and users of its own; everything else does not\n")
        return 1
    for program in ("ip", "bwrap", "setpriv", "wget"):
        found(program)
    with tempfile.TemporaryDirectory(prefix="stack-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # services read their files as their own users
        sys.stdout.write("stack-check: building the wheel and the images' environment\n")
        sys.stdout.flush()
        build(folder)  # while there is a network
        apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return subprocess.run([*apart, sys.executable, "-m", "stack", name], check=False).returncode


def inside(folder: Path) -> int:
    """Start everything and look."""
    begun = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begun:5.0f} s  {line}\n")
        sys.stdout.flush()

    with Stage(folder, folder / "environment") as stage, Receiver(stage.networks.machine("notices")) as receiver:
        stage.open(receiver.url, say)
        for check in Checks(stage, receiver).all():
            try:
                say(check())
            except AssertionError as error:
                sys.stderr.write(f"stack-check: {check.__doc__} It is not so: {error}\n")
                return 1
    say("everything holds")
    return 0


if __name__ == "__main__":
    sys.exit(inside(Path(sys.argv[1])) if len(sys.argv) > 1 else main())
