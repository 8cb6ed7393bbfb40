"""How the dashboards are laid out: what comes first, what is folded, what leads where, and in which units."""

import re
from itertools import pairwise
from typing import Any

import pytest
import yaml

from fleetmeter_dashboards.families import by_series, declared
from observation.dashboards import ROOT, Panel, documents, opened, panels
from observation.promql import asked

SERIES = by_series(declared())
OF_THE_GATEWAY = {
    *("model_selections", "model_fallbacks", "model_routing_duration_seconds", "model_circuit_state"),
    *("model_circuit_changes", "budget_limit_usd", "budget_spent_usd", "budget_rejections", "cost_savings_usd"),
    *("routing_extra_cost_usd", "prompt_cache_operations", "prompt_cache_size", "prompt_cache_hit_rate"),
    *("prompt_cache_evictions", "tool_executions", "tool_execution_duration_seconds", "gateway_key_rejections"),
    "errors",
}
"""What only the gateway records by itself; another service may, by the helpers of `fleetmeter.llm`."""
MOST_ON_PERFORMANCE = 14
UNREADABLE = {"ops", "cps", "none", "short", "currencyUSD"}
"""Units that say nothing of a rate."""
TILES = ("What did the last hour cost?", "Cost of today?", "Cost of this month?", "Cost at month's end?")

every_dashboard = pytest.mark.parametrize(("name", "document"), [*documents().items()], ids=[*documents()])
every_panel = pytest.mark.parametrize("panel", [*panels()], ids=lambda panel: f"{panel.dashboard}: {panel.title}")


def families(panel: Panel) -> set[str]:
    """The families that a panel asks for, those left out that only say whether there is anything to show."""
    names = {selector.name for query in panel.queries for selector in asked(query.expression).selectors}
    return {SERIES[name].name for name in names if name in SERIES} - {"fleetmeter_up"}


def of(title: str) -> Panel:
    """The panel with a title, on the first dashboard that has it."""
    return next(panel for panel in panels() if panel.title == title)


def test_errors_come_first_on_performance() -> None:
    """Below the tiles are the errors, then requests and models, and no more than somebody looks through at once."""
    document = documents()["performance"]
    headings = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
    assert headings == ["Errors", "Requests", "Models"]
    found = [panel for panel in panels() if panel.dashboard == "performance"]
    assert len(found) <= MOST_ON_PERFORMANCE
    assert not any(panel.folded for panel in found)


def test_errors_are_those_that_http_counted() -> None:
    """A service that names no errors has them, too: the panels at the top ask for statuses."""
    for title in ("What share of requests fails over time?", "Which errors does the service answer?"):
        assert families(of(title)) == {"http_requests"}
        assert 'status=~"5.."' in of(title).queries[0].expression


@every_panel
def test_what_only_the_gateway_fills_is_folded(panel: Panel) -> None:
    """A panel is folded if, and only if, all that it shows is the gateway's."""
    gateways = families(panel) & OF_THE_GATEWAY
    assert panel.folded == bool(gateways), gateways


@every_dashboard
def test_a_folded_row_says_why(name: str, document: dict[str, Any]) -> None:
    """Its heading says whose it is, and what it opens with says that nothing is there otherwise, and what would be."""
    for row in document["panels"]:
        if row["type"] != "row":
            continue
        assert row["collapsed"] == bool(row["panels"])
        if row["collapsed"]:
            assert row["title"].endswith(": with the gateway")
            assert row["panels"][0]["type"] == "text"
            assert row["panels"][0]["options"]["content"].startswith("**Nothing here unless the gateway ")
            assert row["panels"][0]["gridPos"] == {"h": 3, "w": 24, "x": 0, "y": row["gridPos"]["y"] + 1}


@every_dashboard
def test_rows_follow_each_other(name: str, document: dict[str, Any]) -> None:
    """What stands below a folded row stands right below its heading."""
    rows = [panel for panel in document["panels"] if panel["type"] == "row"]
    for above, below in pairwise(rows):
        if above["collapsed"]:
            assert below["gridPos"]["y"] == above["gridPos"]["y"] + 1


@every_panel
def test_rates_have_units_that_a_person_reads(panel: Panel) -> None:
    """Dollars per hour, tokens per second, dollars per 1,000 calls; no `ops`, no bare number for a rate."""
    for query in panel.queries:
        text = query.expression
        quotient = "/ (" in text or text.startswith("histogram_quantile(") or panel.unit in ("percentunit", "s")
        if "rate(" not in text or quotient:
            continue
        assert panel.unit not in UNREADABLE, panel.unit
        assert (panel.unit == "suffix:$/h") == text.startswith("3600 * ")
    units = {panel.unit for panel in panels()}
    assert {"suffix:$/h", "suffix:$/1k calls", "suffix:$/1k tokens", "count:tokens/s", "count:calls/s"} <= units
    assert not units & {"ops", "cps"}


@every_panel
def test_small_bills_have_digits(panel: Panel) -> None:
    """No panel of money cuts its digits: 0.00273 dollars are shown as that, and not as 0.00."""
    if "USD" in panel.unit or "$" in panel.unit:
        assert "decimals" not in panel.document["fieldConfig"]["defaults"]


@every_dashboard
def test_no_two_pies_are_of_the_same(name: str, document: dict[str, Any]) -> None:
    """A dashboard has one pie for a family at most: model and tier, say, would be one pie twice."""
    pies = [Panel(name, panel) for panel, _ in opened(document["panels"]) if panel["type"] == "piechart"]
    asked_for = [family for pie in pies for family in families(pie)]
    assert len(asked_for) == len(set(asked_for))


def test_tiles_of_money_have_one_basis() -> None:
    """They ask one family with one choice, and the month's end is made of the month's and the hour's very figures."""
    hour, today, month, end = (of(title).queries[0].expression for title in TILES)
    assert {selector for each in (hour, today, month, end) for selector in re.findall(r"\w+\{[^}]*\}", each)} == {
        'openai_total_cost_usd_total{job="$job", model=~"$model"}'
    }
    assert today == month
    assert end.startswith(f"{month} + {hour} * (")
    assert {of(title).unit for title in TILES} == {"currencyUSD"}


def test_the_months_tiles_say_since_when_there_are_data() -> None:
    """Beside them stands when their data begin, over the same time; each says which retention it needs."""
    since = of("Data since when?")
    for title in ("Cost of this month?", "Cost at month's end?"):
        assert of(title).time_from == since.time_from == "now/M"
        assert "since when there are data" in of(title).document["description"]
    assert since.unit == "dateTimeAsIso"


@every_dashboard
def test_each_leads_to_the_others_and_to_the_runbook(name: str, document: dict[str, Any]) -> None:
    """One link goes to whatever has the tag, with the time and the variables; the runbook has the tag, too."""
    (link,) = document["links"]
    assert (link["type"], link["tags"]) == ("dashboards", ["fleetmeter"])
    assert set(link["tags"]) <= set(documents()["runbook"]["tags"])


def test_the_runbook_has_every_alert() -> None:
    """For each alert there is a panel of its name, with the runbook's words, and no link that leads nowhere."""
    alerts = yaml.safe_load((ROOT / "prometheus" / "rules" / "alerts.yml").read_text())
    names = {rule["alert"] for group in alerts["groups"] for rule in group["rules"]}
    entries = {panel["title"]: panel["options"]["content"] for panel in documents()["runbook"]["panels"]}
    assert names <= set(entries)
    assert all("**First action**" in entries[name] for name in names)
    assert not any("](" in words for words in entries.values())


@every_dashboard
def test_deploys_and_holds_are_drawn_over_the_charts(name: str, document: dict[str, Any]) -> None:
    """Two annotations, of the dashboard's job and data source: new versions, and times of numbers that stand still."""
    found = {each["name"]: each for each in document["annotations"]["list"]}
    assert set(found) == {"Deploys", "Holds"}
    for annotation in found.values():
        assert annotation["enable"]
        assert annotation["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all("job" in selector.labels for selector in asked(annotation["expr"]).selectors)
    assert {selector.name for selector in asked(found["Deploys"]["expr"]).selectors} == {
        "service_info",
        "fleetmeter_up",
    }
    assert {selector.name for selector in asked(found["Holds"]["expr"]).selectors} == {"fleetmeter_snapshot_held"}


def test_the_intent_variable_asks_for_calls() -> None:
    """Whoever calls models has intents; the router's families are no condition for them."""
    for name in ("cost", "performance", "calls", "routing"):
        (intent,) = (each for each in documents()[name]["templating"]["list"] if each["name"] == "intent")
        assert intent["query"] == 'label_values(openai_api_calls_total{job="$job"}, intent)'
