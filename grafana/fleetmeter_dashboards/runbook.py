"""What each alert means and what to do first: prometheus/runbook.md, within reach of every dashboard."""

import re
from collections.abc import Sequence
from pathlib import Path

from fleetmeter_dashboards.page import Page, Section
from fleetmeter_dashboards.panels import note

TEXT = Path(__file__).parents[2] / "prometheus" / "runbook.md"
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_HEIGHT = 11
"""Grafana's rows: enough for most entries; a longer one scrolls."""


def page(_labels: Sequence[str] = ()) -> Page:
    """The dashboard: one panel for each entry, which a link can show alone."""
    preface, *entries = re.split(r"^## ", TEXT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    panels = [note("How to read this", _words(preface.partition("\n")[2]), height=5, headed=True)]
    texts = dict(_entry(entry) for entry in entries)
    for title, words in texts.items():
        panels.append(note(title, words, width=12, height=_HEIGHT, headed=True))
    if len(texts) % 2:
        panels[-1] = note(title, words, height=_HEIGHT, headed=True)
    return Page(
        "fleetmeter-runbook",
        "Fleetmeter / Runbook",
        "What each alert means, the first query to run, and the first thing to do.",
        (),
        (Section("", panels),),
    )


def _entry(text: str) -> tuple[str, str]:
    title, _, words = text.partition("\n")
    return title, _words(words)


def _words(text: str) -> str:
    """The text; its links, which lead to files of the repository, are left as words."""
    return _LINK.sub(r"\1", text).strip() + "\n"
