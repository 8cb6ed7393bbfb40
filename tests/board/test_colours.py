"""Colours: the dashboards' on both themes, and two values of a label never look the same for no reason."""

from pathlib import Path

import pytest

import fleetmeter_board
from fleetmeter_board import colours
from fleetmeter_board.colours import COLOURS, colour, contrast, style_sheet


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_line_can_be_seen(theme: str) -> None:
    """Each colour stands out from the page by 3, as WCAG asks of parts of a picture."""
    page = {"light": "#FFFFFF", "dark": "#181B1F"}[theme]
    paints = dict(pair.split(":") for pair in style_sheet(theme).strip(";").split(";"))
    assert len(paints) > 20
    assert {name for name, paint in paints.items() if contrast(paint, page) < 3} == set()
    assert {f"--{name}" for of in COLOURS.values() for name in map(colours._name, of.values())} <= set(paints)


def test_every_text_of_the_style_sheet_can_be_read() -> None:
    """Ink, quiet text and the three tones stand out by 4.5 from each ground of their theme."""
    style = (Path(fleetmeter_board.__file__).parent / "style.css").read_text()
    themes = [part for part in style.split("color-scheme:")[1:] if "--page" in part]
    assert len(themes) == 3, "light, the system's dark, the chosen dark"
    for text in themes:
        found = dict(item.strip().split(": ") for item in text.split("}")[0].split(";") if ": #" in item)
        for ink in ("--ink", "--muted", "--good", "--warn", "--bad"):
            for ground in ("--page", "--panel", "--calm", "--alert", "--alarm"):
                assert contrast(found[ink].upper(), found[ground].upper()) >= 4.5, (ink, ground)


def test_known_values_have_the_dashboards_colours() -> None:
    """On the board a model has the colour that it has on the dashboards."""
    for label, of in COLOURS.items():
        for value, paint in of.items():
            assert colour(label, value) == colours.variable(paint)


def test_unknown_values_differ_and_keep_their_colours() -> None:
    """As many as there are colours differ from each other; each is the same whenever it is asked for."""
    names = [f"value-{number}" for number in range(12)]
    first = [colour("a label of the user's own", name) for name in names]
    assert len(set(first)) == len(names)
    assert [colour("a label of the user's own", name) for name in reversed(names)] == first[::-1]


def test_memory_has_a_bound() -> None:
    """A label that takes ever new values is given colours, and not remembered for ever."""
    for number in range(1000):
        colour("growing", str(number))
    assert len(colours._given["growing"]) == colours._REMEMBERED
