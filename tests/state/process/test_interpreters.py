"""Every Python that the library supports: the core ways of docs/examples, under each interpreter that is here.

An interpreter is no program that a machine must have: one that is missing is skipped, in CI too.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from fleetmeter.embedded import EmbeddedStore
from support.examples import running
from support.interpreters import VERSIONS, interpreter
from support.processes import PATIENCE, PROGRAMS, environment, fleet, value
from support.store import StoreAddress, new_address

ROOT = Path(__file__).parents[3]
JOBS = 40
WAYS = {
    "a function": ("function.py",),
    "threads": ("threads.py", str(JOBS)),
    "fork": ("process_pool.py", str(JOBS), "fork"),
    "spawn": ("process_pool.py", str(JOBS), "spawn"),
}
OTHERS = tuple(version for version in VERSIONS if version != "{}.{}".format(*sys.version_info))
"""Those that this run is not under: `test_ways.py` and `test_fork.py` show the same of its own."""

WHILE_THREADS_RUN = "error:This process:DeprecationWarning"
"""From 3.12 on Python warns of a fork in a process that has threads. Before its first record, fleetmeter has none."""


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives a Python of a version that has what the library needs; skips the test where there is none."""

    @cache
    def find(version: str) -> Path:
        if version == "{}.{}".format(*sys.version_info):
            return Path(sys.executable)
        base = interpreter(version)
        if base is None:
            pytest.skip(f"there is no python{version}, neither on PATH nor in pyenv")
        folder = tmp_path_factory.mktemp("environment") / version
        made = str(folder / "bin" / "python")
        subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", made]
        install += ["--constraint", str(ROOT / "constraints.txt"), "prometheus-client", "redis[hiredis]"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode and os.environ.get("CI") != "true":
            pytest.skip(f"python{version} cannot be given what the library needs: {done.stderr}")
        assert done.returncode == 0, done.stderr
        return Path(made)

    return find


@pytest.mark.parametrize("version", OTHERS)
def test_the_core_ways_are_exact_under_each_python(
    version: str, python: Callable[[str], Path], server: EmbeddedStore, tmp_path: Path
) -> None:
    """A function, threads, forked and spawned processes, all at once in a namespace each: no job is lost or doubled."""
    command = (str(python(version)), "-W", WHILE_THREADS_RUN)
    stores = {way: new_address(server) for way in WAYS}
    with ExitStack() as stack:
        programs = {
            way: stack.enter_context(
                running(stores[way], tmp_path / way, *words, python=command, PYTHONPATH=str(ROOT / "state"))
            )
            for way, words in WAYS.items()
        }
        statuses = {way: program.process.wait(PATIENCE) for way, program in programs.items()}

    assert statuses == dict.fromkeys(WAYS, 0)
    assert value(fleet(stores["a function"]), "calls_total") == 1
    for way in ("threads", "fork", "spawn"):
        assert value(fleet(stores[way]), "jobs_total") == programs[way].done == JOBS


def ended(python: Path, store: StoreAddress, program: str, *arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of one of the suite's programs, under some Python."""
    done = subprocess.run(
        [python, PROGRAMS / program, *arguments],
        env=environment(store, PYTHONPATH=str(ROOT / "state")),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", ["all", "flush", "threads"])
def test_a_program_ends_at_once_whatever_records_at_its_end(
    way: str, version: str, python: Callable[[str], Path], store: StoreAddress
) -> None:
    """A suspended generator, a `__del__`, a cycle: status 0, and not a word; a cycle that is garbage still counts."""
    assert ended(python(version), store, "finalising.py", way) == (0, "", "")
    samples = fleet(store)
    assert value(samples, "counted_total", by="main") == 3
    assert value(samples, "counted_total", by="cycle") == (way == "all")


@pytest.mark.parametrize("version", OTHERS)
@pytest.mark.parametrize(("way", "total"), [("after counting", 11), ("grandchild", 111)])
def test_a_process_forks_without_a_warning(
    way: str, total: int, version: str, python: Callable[[str], Path], store: StoreAddress
) -> None:
    """Our threads are at rest in a fork, so that Python does not warn of them."""
    assert ended(python(version), store, "fork.py", way) == (0, "", "")
    assert value(fleet(store), "counted_total") == total
