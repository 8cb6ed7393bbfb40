"""The Pythons of this machine, from pyenv and from PATH; as a program, it prints the newest.

PYTHONPATH=tests python -m support.interpreters
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
"""Every Python that the library supports."""


def interpreter(version: str) -> Path | None:
    """A Python of that version, from pyenv or from PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [folder / "bin" / "python" for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True)]
    on_path = shutil.which(f"python{version}")
    for candidate in [*found, *([Path(on_path)] if on_path else [])]:
        asked = [str(candidate), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)  # a shim of pyenv's may refuse
        if done.stdout.strip() == version:
            return candidate
    return None


def newest(than: tuple[int, int] = sys.version_info[:2]) -> Path | None:
    """The newest Python that is supported, here, and newer than a version; None if there is none."""
    newer = [version for version in VERSIONS if tuple(map(int, version.split("."))) > than]
    return next((found for version in reversed(newer) if (found := interpreter(version))), None)


if __name__ == "__main__":
    sys.stdout.write(f"{newest() or ''}\n")
