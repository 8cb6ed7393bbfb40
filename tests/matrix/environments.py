"""An environment for each set of packages, in a temporary folder: nothing of it touches the project's own."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARY = ("prometheus-client", "redis[hiredis]")


class InstallFailed(Exception):
    """Packages could not be had; the text is the installer's."""


class Environments:
    """Virtual environments below a folder, one for each set of packages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, ...], Path] = {}

    def with_packages(self, packages: tuple[str, ...]) -> Path:
        """The `bin` of an environment that has these packages and what the library needs. Raises `InstallFailed`."""
        if packages not in self._made:
            home = self._folder / f"environment{len(self._made)}"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
            python = str(home / "bin" / "python")
            uv = shutil.which("uv")
            pip = [sys.executable, "-m", "pip", "--python", python, "install", "--disable-pip-version-check"]
            command = [uv, "pip", "install", "--python", python] if uv else pip
            done = subprocess.run(
                [*command, "--quiet", *LIBRARY, *packages], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise InstallFailed(done.stderr.strip())
            self._made[packages] = home / "bin"
        return self._made[packages]
