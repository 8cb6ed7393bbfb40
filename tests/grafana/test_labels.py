"""Dashboards for a fleet with labels of its own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fleetmeter_dashboards.__main__ import ORDER, main, texts
from observation.dashboards import opened

ASKING = ("cost.json", "performance.json", "calls.json", "routing.json")
LABELLED: dict[str, Any] = {name: json.loads(text) for name, text in texts(("team", "tenant")).items()}


@pytest.mark.parametrize("name", ASKING)
def test_each_label_has_a_variable(name: str) -> None:
    """After model and intent comes a variable for each label, which lists the values that calls have."""
    variables = {variable["name"]: variable for variable in LABELLED[name]["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "model", "intent", "team", "tenant"]
    assert variables["team"]["query"] == 'label_values(openai_api_calls_total{job="$job"}, team)'


def test_what_calls_record_follows_the_variables() -> None:
    """Every selector of a family that has the labels is filtered by them, and no other is."""
    selectors = {
        selector
        for name, document in LABELLED.items()
        for panel, _ in opened(document["panels"])
        for target in panel.get("targets", ())
        if name in ASKING
        for selector in re.findall(r"\w+\{[^}]*\}", target["expr"])
    }
    assert len(selectors) > 20
    for selector in selectors:
        follows = selector.startswith(("openai_", "model_", "tool_", "cost_savings_usd", "routing_extra_cost_usd"))
        gauge = selector.startswith(("model_circuit_", "openai_model_shutdown"))
        both = all(f'{label}=~"${label}"' in selector for label in ("team", "tenant"))
        assert both == (follows and not gauge), selector


def test_the_cost_dashboard_says_who_spends() -> None:
    """One panel for each label, by that label."""
    panels = {panel["title"]: panel for panel in LABELLED["cost.json"]["panels"]}
    for label in ("team", "tenant"):
        (target,) = panels[f"Which {label} spends the money?"]["targets"]
        assert f"sum by ({label}) (rate(openai_cost_usd_sum" in target["expr"]


def test_the_intent_variable_lists_intents_of_calls() -> None:
    """A service that routes nothing has intents, too."""
    for name in ASKING:
        (intent,) = (each for each in LABELLED[name]["templating"]["list"] if each["name"] == "intent")
        assert "openai_api_calls_total" in intent["query"]


def test_they_are_written_where_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--labels team --folder DIR` writes all of them there; a label that cannot be one is named."""
    assert main(["--labels", "team", "--folder", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.json" for name in ORDER}
    assert main(["--labels", "model", "--folder", str(tmp_path)]) == 1
    assert "'model' is a label that the catalogue has already" in capsys.readouterr().err
