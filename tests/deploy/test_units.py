"""The systemd units: accepted by systemd, hardened, and in step with what our programs read."""

import re
import subprocess
from pathlib import Path

import pytest

from support.programs import program

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = ["fleetmeter-exporter.service", "fleetmeter-gateway@.service"]
EXPOSED = 1.5
"""What `systemd-analyze security` may say at most, of 10; most of what is left is the network."""


@pytest.fixture(params=UNITS)
def name(request: pytest.FixtureRequest) -> str:
    """The unit's file."""
    return str(request.param)


@pytest.fixture
def unit(name: str, tmp_path: Path) -> Path:
    """A copy of a unit whose program exists: systemd refuses one that does not."""
    path = tmp_path / name
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert len(re.findall(r"^ExecStart=/opt/fleetmeter/bin/fleetmeter-(exporter|app)$", text, re.MULTILINE)) == 1
    path.write_text(re.sub(r"(?m)^ExecStart=.*", "ExecStart=/bin/true", text), encoding="utf-8")
    return path


def test_systemd_accepts_the_unit(unit: Path) -> None:
    """`systemd-analyze verify` has nothing to say."""
    command = [program("systemd-analyze"), "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_is_hardened(unit: Path) -> None:
    """What the service could do to the machine is next to nothing."""
    command = [program("systemd-analyze"), "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(level) <= EXPOSED


def test_secrets_are_credentials(unit: Path) -> None:
    """Each secret is loaded by systemd, and the variable that names its file names that credential."""
    text = unit.read_text(encoding="utf-8")
    loaded = set(re.findall(r"^LoadCredential=(\w+):/etc/fleetmeter/\w+$", text, re.MULTILINE))
    named = dict(re.findall(r"(\w+_FILE)=%d/(\w+)", text))
    assert loaded == set(named.values())
    assert named.keys() <= {"FLEETMETER_REDIS_PASSWORD_FILE", "OPENAI_API_KEY_FILE"}
