"""What the tools of Prometheus and Alertmanager say of the files."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetmeter_app.demo.alertmanager import with_receivers
from support.rules import FOLDER, RULE_FILES
from support.steps import in_step, out_of_step

CASES = tuple(sorted((Path(__file__).parent / "rules").glob("*.yml")))
ALERTMANAGER = (FOLDER / "alertmanager.yml").read_text(encoding="utf-8")
RECEIVERS = ("pagerduty", "slack", "discord", "webhook")


def run(*command: str) -> None:
    """Run a tool that has to be content."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_valid(binary: Callable[[str], str]) -> None:
    """`promtool check config` takes prometheus.yml and the rules that it names."""
    run(binary("promtool"), "check", "config", str(FOLDER / "prometheus.yml"))


def test_the_rules_pass_every_lint(binary: Callable[[str], str]) -> None:
    """`promtool check rules` has nothing to say, whatever it may look for."""
    run(binary("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULE_FILES))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_rules_do_what_their_cases_say(binary: Callable[[str], str], tmp_path: Path, path: Path) -> None:
    """`promtool test rules`: who fires when, with which labels and texts, and who does not."""
    run(binary("promtool"), "test", "rules", *map(str, in_step(path, FOLDER / "rules", tmp_path)))


@pytest.mark.parametrize("failing", [False, True], ids=["scrapes succeed", "scrapes fail"])
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_rules_do_the_same_out_of_step(
    binary: Callable[[str], str], tmp_path: Path, path: Path, failing: bool
) -> None:
    """The same with scrapes between the evaluations and recorded series one evaluation late.

    If every seventh scrape fails besides, whoever had to be silent still is.
    """
    run(binary("promtool"), "test", "rules", *map(str, out_of_step(path, FOLDER / "rules", tmp_path, failing=failing)))


@pytest.mark.parametrize("receivers", [(), *((name,) for name in RECEIVERS), RECEIVERS], ids="+".join)
def test_alertmanager_takes_its_file(binary: Callable[[str], str], tmp_path: Path, receivers: tuple[str, ...]) -> None:
    """As it is shipped, with each receiver taken in, and with all of them."""
    config = tmp_path / "alertmanager.yml"
    config.write_text(with_receivers(ALERTMANAGER, *receivers), encoding="utf-8")
    assert [kind for kind in RECEIVERS if f"    {kind}_configs:" in config.read_text().splitlines()] == [
        kind for kind in RECEIVERS if kind in receivers
    ]
    run(binary("amtool"), "check-config", str(config))
