"""The checks on every commit: what is promised about versions is what is run, here and on the hosted machines."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from support.interpreters import VERSIONS, newest
from support.long import LONG
from support.oldest import bounds, constraints

ROOT = Path(__file__).parents[1]
TESTS = Path(__file__).parent
PARTS = ("pinned", "newest", "oldest")


def test_the_oldest_are_the_bounds_that_users_may_install() -> None:
    """Each package that the extras name stands once, at its lower bound; all others are those of constraints.txt."""
    lines = list(constraints())
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    oldest = bounds()
    assert {"prometheus-client", "redis", "fastapi", "h11", "openai", "uvicorn", "bcrypt", "pyyaml", "rich"} <= set(
        oldest
    )
    assert lines[: len(oldest)] == [f"{name}=={version}" for name, version in sorted(oldest.items())]
    assert len(lines) == len(pinned)
    assert set(lines[len(oldest) :]) < set(pinned)


def test_the_newest_python_is_one_that_is_supported_and_newer() -> None:
    """None if no newer one is here; never one that the library does not promise."""
    highest = tuple(map(int, VERSIONS[-1].split(".")))
    assert newest((highest[0], highest[1])) is None


def test_long_tests_exist() -> None:
    """Every file that is said to take long is there."""
    assert [name for name in LONG if not (TESTS / name).is_file()] == []


def test_the_hosted_workflow_only_calls_the_parts_of_ci_run() -> None:
    """It has each part once, and no command of its own."""
    (job,) = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"].values()
    assert tuple(job["strategy"]["matrix"]["part"]) == PARTS
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run ${{ matrix.part }}"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_a_chain_of_make_targets(part: str) -> None:
    """What `.ci/run` runs can be run by hand: nothing but targets of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    script = (ROOT / ".ci" / "run").read_text()
    called = set(re.findall(r"^ *make ([a-z-]+)$", script, re.MULTILINE)) | {f"test-{each}" for each in PARTS[1:]}
    wanted = {"setup", "lint", "types", "wheel-test", "deploy-check", "site", "test", "test-newest", "test-oldest"}
    assert wanted == called <= targets
    assert part in script


def test_an_unknown_part_is_refused() -> None:
    """One line that names the parts there are, before anything is installed."""
    done = subprocess.run([ROOT / ".ci" / "run", "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ".ci/run: 'nonsense' is no part; expected pinned, newest or oldest\n"
