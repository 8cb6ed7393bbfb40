"""Building the distributions so that anybody who builds them again gets the same bytes."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, **variables: str) -> str:
    """What a command prints; ends the check with its output if it fails."""
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, env=environ | variables, capture_output=True, text=True, check=False, cwd=variables.get("HOME", ROOT)
    )
    if done.returncode:
        raise SystemExit(f"release-check: {' '.join(map(str, command))} failed\n{done.stdout}{done.stderr}")
    return done.stdout


def committed() -> list[str]:
    """The files that belong to the project; what else lies in the folder is nobody's to publish."""
    return run("git", "-C", str(ROOT), "ls-files", "-z").rstrip("\0").split("\0")


def moment() -> str:
    """The time of the last commit, in seconds since 1970: the date of every file in what is built."""
    return run("git", "-C", str(ROOT), "log", "-1", "--format=%ct").strip()


def build(folder: Path, umask: int) -> dict[str, Path]:
    """The sdist, and the wheel that is built from it, of a copy of the tree with times and rights of its own."""
    source, dist = folder / "source", folder / "dist"
    for name in committed():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to((ROOT / name).readlink())
        else:
            shutil.copyfile(ROOT / name, target)
            target.chmod((0o777 if os.access(ROOT / name, os.X_OK) else 0o666) & ~umask)
    run(sys.executable, "-m", "build", "--outdir", dist, source, SOURCE_DATE_EPOCH=moment())
    return {path.name: path for path in sorted(dist.iterdir())}


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
