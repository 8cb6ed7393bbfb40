"""The pictures are of these dashboards, and the preview reads the JSON as Grafana would."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from observation.dashboards import ROOT, documents
from pictures.look import series_colour, step_colour
from pictures.sheet import DRAWN_FROM, WIDTH, digest
from pictures.units import write

FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES = 300_000


ASKING = {name: document for name, document in documents().items() if name != "runbook"}
"""Those with something to draw."""


@pytest.mark.parametrize(("name", "document"), [*ASKING.items()], ids=[*ASKING])
def test_a_picture_shows_the_dashboard_as_it_is(name: str, document: dict[str, Any]) -> None:
    """Each dashboard has one picture, drawn from its present JSON, not too large, and shown in docs/dashboards.md."""
    path = FOLDER / f"{name}.png"
    with Image.open(path) as image:
        assert image.width == WIDTH
        assert image.info[DRAWN_FROM] == digest(document), "run `make pictures`"
    assert path.stat().st_size < MOST_BYTES
    assert len(re.findall(rf"!\[[^\]]+\]\(pictures/{name}\.png\)", (ROOT / "docs" / "dashboards.md").read_text())) == 1


def test_no_picture_is_left_over() -> None:
    """The folder holds the dashboards' pictures, those of the board, and nothing else."""
    found = {path.name for path in FOLDER.iterdir()}
    assert {name for name in found if not name.startswith("board-")} == {f"{name}.png" for name in ASKING}


def test_a_changed_dashboard_needs_another_picture() -> None:
    """What is drawn counts, as a title does; a description, which is not, does not."""
    document = documents()["cost"]
    before = digest(document)
    document["panels"][0]["description"] = "another"
    assert digest(document) == before
    document["panels"][0]["title"] = "another"
    assert digest(document) != before


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.333, "percentunit", "33.3%"),
        (0.000273, "currencyUSD", "$0.000273"),
        (1234.5, "currencyUSD", "$1.23 K"),
        (0.475, "s", "475 ms"),
        (0.00005, "s", "50 µs"),
        (10_956_346.0, "s", "18.1 weeks"),
        (1_048_576.0, "bytes", "1 MiB"),
        (24006.4, "locale", "24,006"),
        (12.0, "reqps", "12 req/s"),
        (0.01234, "suffix:$/h", "0.0123 $/h"),
        (1234.6, "suffix:$/h", "1235 $/h"),
        (12345.6, "count:tokens/s", "12.3K tokens/s"),
        (2_500_000.0, "count:tokens/s", "2.50M tokens/s"),
        (0.0123, "count:calls/s", "0.0123 calls/s"),
        (1_795_581_175_219.0, "dateTimeAsIso", "2026-11-25 04:32:55"),
        (4.0, "short", "4"),
    ],
)
def test_numbers_have_their_units(value: float, unit: str, text: str) -> None:
    """Values are written with Grafana's units, prefixes and some three digits."""
    assert write(value, unit) == text


def test_thresholds_colour_from_their_value_on() -> None:
    """The highest step that was reached decides."""
    steps: list[dict[str, Any]] = [{"value": None, "color": "green"}, {"value": 0.05, "color": "red"}]
    assert [step_colour(steps, value) for value in (0.0, 0.05, 1.0)] == ["#73BF69", "#F2495C", "#F2495C"]


def test_a_series_without_an_override_has_the_colour_of_its_name() -> None:
    """The same name has the same colour in every panel, and one that can be told from the background."""
    config = {"defaults": {"color": {"mode": "palette-classic-by-name"}}, "overrides": []}
    colours = {name: series_colour(config, name) for name in ("gpt-5.1", "gpt-4o", "a", "b", "worker_jobs")}
    assert colours == {name: series_colour(config, name) for name in colours}
    assert "#052B51" not in {series_colour(config, f"name-{number}") for number in range(500)}


def test_the_pictures_have_no_tool_of_their_own() -> None:
    """They are drawn by what the tests bring, and the package that users install holds none of it."""
    wheel = re.search(r"^packages = (\[.*\])$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert wheel is not None
    assert "grafana" not in wheel[1]
    assert (Path(__file__).parents[1] / "pictures" / "sheet.py").is_file()
