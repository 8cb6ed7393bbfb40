"""The wheel in clean environments: installed as users install it, by each Python that is here, and tried."""

import json
import sys
from pathlib import Path

from release.building import ROOT, run
from support.interpreters import VERSIONS, interpreter

_TRY = """
import fleetmeter
from fleetmeter.embedded import EmbeddedStore
from fleetmeter_exporter import RedisCollector
from prometheus_client import CollectorRegistry, Counter, generate_latest

with EmbeddedStore() as store:
    fleetmeter.install(url=store.url)
    Counter("tried_total", "Runs.").inc(2)
    assert fleetmeter.flush()
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url)
    assert b"tried_total 2.0" in generate_latest(registry)
    fleetmeter.uninstall()
print(fleetmeter.__version__)
"""

UV = Path(sys.executable).with_name("uv")


def install(folder: Path, python: Path, wheel: Path, extra: str) -> Path:
    """The Python of a new environment that has the wheel with an extra, at the pinned versions."""
    run(UV, "venv", "--quiet", "--python", python, folder)
    inside = folder / "bin" / "python"
    target = f"fleetmeter[{extra}] @ {wheel.as_uri()}"
    run(UV, "pip", "install", "--quiet", "--python", inside, "--constraint", ROOT / "constraints.txt", target)
    return inside


def attempt(folder: Path, wheel: Path, version: str) -> list[str]:
    """A line for each supported Python: tried, or not here."""
    lines = []
    for number in VERSIONS:
        python = interpreter(number)
        if python is None:
            lines.append(f"Python {number}: not here")
            continue
        inside = install(folder / number, python, wheel, "demo")
        home = folder / f"home-{number}"
        home.mkdir()
        said = run(inside, "-c", _TRY, HOME=str(home)).strip()
        assert said == version, said
        for program in ("fleetmeter", "fleetmeter-exporter", "fleetmeter-app"):
            assert run(inside.with_name(program), "--version", HOME=str(home)).strip() == f"{program} {version}"
        run(inside.with_name("fleetmeter-app"), "--check", HOME=str(home), OPENAI_API_KEY="test")
        run(inside.with_name("fleetmeter"), "assets", home / "assets", HOME=str(home))
        assert (home / "assets" / "prometheus" / "prometheus.yml").is_file()
        lines.append(
            f"Python {number}: installed, counted, exported, {len(list((home / 'assets').rglob('*.*')))} assets"
        )
    return lines


def bill_of_materials(folder: Path, wheel: Path, target: Path) -> str:
    """Write what the gateway's image holds of Python packages, as CycloneDX; the lines that say what is in it."""
    inside = install(folder, Path(sys.executable), wheel, "app")
    program = Path(sys.executable).with_name("cyclonedx-py")
    run(program, "environment", "--output-reproducible", "--validate", "--output-file", target, inside)
    document = json.loads(target.read_text(encoding="utf-8"))
    names = {component["name"] for component in document["components"]}
    assert {"fleetmeter", "prometheus_client", "redis", "openai", "fastapi"} <= names, names
    return f"{target.name}: {len(names)} packages"
