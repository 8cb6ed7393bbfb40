"""What our images have at /opt/fleetmeter: a wheel of this tree, and what it needs, at the pinned versions."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from stack.compose import ROOT


def build(folder: Path) -> Path:
    """Build the wheel and install it below a folder, by wheels alone, as deploy/Dockerfile does; the environment."""
    place = folder / "environment"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert uv is not None, "uv is in the extra dev"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(folder / "dist"), str(ROOT)], check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    subprocess.run([uv, "venv", "--quiet", "--relocatable", "--python", str(python), str(place)], check=True)
    install = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        str(place / "bin" / "python"),
        "--only-binary",
        ":all:",
        "--compile-bytecode",
    ]
    install += ["--only-binary", ":all:", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*install, f"fleetmeter[app] @ {wheel.as_uri()}"], check=True)
    return place
