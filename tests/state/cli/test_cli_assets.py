"""`fleetmeter assets`: the files that go with the programs, as they are in the repository."""

import tomllib
from pathlib import Path

import pytest

from fleetmeter.cli.assets import LAYOUT, sources
from fleetmeter.cli.command import main

ROOT = Path(__file__).parents[3]


def test_everything_is_written_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file of the repository's folders arrives under its name, with its content, and is named in the output."""
    assert main(["assets", str(tmp_path / "new" / "folder")]) == 0
    written = {path.relative_to(tmp_path / "new" / "folder") for path in tmp_path.rglob("*") if path.is_file()}
    for name in (
        "prometheus/prometheus.yml",
        "prometheus/rules/alerts.yml",
        "grafana/dashboards/cost.json",
        "users.acl",
    ):
        assert Path(name) in written
        wanted = ROOT / ("state/users.acl" if name == "users.acl" else name)
        assert (tmp_path / "new" / "folder" / name).read_bytes() == wanted.read_bytes()
    assert len(capsys.readouterr().out.splitlines()) == len(written) == len(dict(sources()))


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """Files that are there as they should be are no obstacle."""
    assert main(["assets", str(tmp_path)]) == 0
    assert main(["assets", str(tmp_path)]) == 0


def test_what_was_changed_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another content stops everything, by its name, before anything is written; `--force` goes on."""
    mine = tmp_path / "prometheus" / "alertmanager.yml"
    mine.parent.mkdir()
    mine.write_text("mine\n")
    assert main(["assets", str(tmp_path)]) == 1
    assert f"{mine} exists and has other content (1 such file)" in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert main(["assets", "--force", str(tmp_path)]) == 0
    assert mine.read_bytes() == (ROOT / "prometheus" / "alertmanager.yml").read_bytes()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 and one line, no traceback."""
    (tmp_path / "file").touch()
    assert main(["assets", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_wheel_has_the_same() -> None:
    """What the build puts into the wheel is what the command writes from the source tree."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    packed = {target: source for source, target in wheel["force-include"].items() if "/assets/" in target}
    assert packed == {f"fleetmeter/assets/{name}": source for name, source in LAYOUT.items()}
