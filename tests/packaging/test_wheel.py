"""The built wheel, in a fresh environment, with the source tree out of reach."""

import os
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]

CHECK = """
import pathlib, sys
import app, fleetmeter, fleetmeter_app.demo, fleetmeter_app.main
from fleetmeter.embedded import EmbeddedStore
from fleetmeter_exporter import RedisCollector
from prometheus_client import CollectorRegistry, Counter, generate_latest

assert app.OWNER == "the user", app
for package in (fleetmeter, fleetmeter_app.main):
    assert pathlib.Path(package.__file__).is_relative_to(sys.prefix), package.__file__
with EmbeddedStore() as store:
    fleetmeter.install(url=store.url)
    Counter("wheel_tested_total", "Runs.").inc()
    assert fleetmeter.flush()
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url)
    assert b"wheel_tested_total 1.0" in generate_latest(registry)
    fleetmeter.uninstall()
print("ok", fleetmeter.__version__)
"""


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that has to succeed."""
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once."""
    directory = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(directory), str(ROOT), cwd=directory)
    (built,) = directory.glob("*.whl")
    return built


def test_wheel_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    """No package of ours can overwrite a user's: the top level has our names and the launcher's line, with data."""
    names = ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names if ".dist-info/" not in name and ".data/" not in name}
    packages = {"fleetmeter", "fleetmeter_exporter", "fleetmeter_app", "fleetmeter_board", "fleetmeter_pytest"}
    assert top == {*packages, "fleetmeter-run.pth"}
    ours = {
        str(path.relative_to(folder))
        for folder in (ROOT / "state", ROOT / "exporter", ROOT / "app", ROOT / "board")
        for path in folder.glob("fleetmeter*/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours - set(names) == set()
    for data in (
        "fleetmeter/py.typed",
        "fleetmeter/lua/apply.lua",
        "fleetmeter/launch/sitecustomize.py",
        "fleetmeter/lua/reset.lua",
        "fleetmeter_app/gateway.toml",
        "fleetmeter_board/style.css",
        "fleetmeter/assets/users.acl",
        "fleetmeter/assets/prometheus/rules/alerts.yml",
    ):
        assert data in names


def test_wheel_works_beside_a_project_with_its_own_app(wheel: Path, tmp_path: Path) -> None:
    """Installed from the wheel alone, everything runs in a project whose own package is called `app`."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--constraint", ROOT / "constraints.txt", f"fleetmeter[demo] @ {wheel.as_uri()}", cwd=tmp_path)
    project = tmp_path / "project"
    (project / "app").mkdir(parents=True)
    (project / "app" / "__init__.py").write_text('OWNER = "the user"\n')
    assert run(python, "-c", CHECK, cwd=project).startswith("ok ")
    assert "fleetmeter-exporter" in run(environment / "bin" / "fleetmeter-exporter", "--version", cwd=project)
    assert "fleetmeter " in run(environment / "bin" / "fleetmeter", "--version", cwd=project)
    run(environment / "bin" / "fleetmeter", "assets", "mine", cwd=project)
    for file in ("prometheus/prometheus.yml", "grafana/dashboards/cost.json"):
        assert (project / "mine" / file).read_bytes() == (ROOT / file).read_bytes()
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "fleetmeter", cwd=project)
    assert (project / "app" / "__init__.py").exists()


def test_core_imports_neither_fastapi_nor_openai(wheel: Path, tmp_path: Path) -> None:
    """The library alone, without extras, imports and records without the frameworks that it can instrument."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--constraint", ROOT / "constraints.txt", str(wheel), cwd=tmp_path)
    check = "import sys, fleetmeter, fleetmeter.llm; print(sorted({'fastapi', 'openai', 'uvicorn'} & set(sys.modules)))"
    assert run(python, "-c", check, cwd=tmp_path).strip() == "[]"
    for command, extra in (("fleetmeter-exporter", "exporter"), ("fleetmeter-app", "app")):
        done = subprocess.run(
            [environment / "bin" / command], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 1
        assert done.stderr.endswith(f"pip install 'fleetmeter[{extra}]'\n")
        assert "Traceback" not in done.stderr
