"""The dashboards as files: what Grafana needs, what reviewers look for, and nothing that is not declared."""

import json
import re
from collections import Counter
from functools import reduce
from itertools import combinations
from operator import getitem
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fleetmeter_dashboards.__main__ import FOLDER, texts
from fleetmeter_dashboards.families import by_series, declared
from observation.dashboards import Panel, documents, opened, panels
from observation.promql import asked

FAMILIES = declared()
SERIES = by_series(FAMILIES)
PROMETHEUS_OWN = {"up": frozenset({"job", "instance"})}
SCHEMA = json.loads((Path(__file__).parent / "schema" / "grafana-10.1.json").read_text())
KINDS = {"timeseries", "stat", "gauge", "bargauge", "piechart", "heatmap", "table"}
RATES = {"rate", "increase"}
VARIABLES = {
    "cost": ["datasource", "job", "model", "intent"],
    "performance": ["datasource", "job", "model", "intent"],
    "calls": ["datasource", "job", "model", "intent"],
    "routing": ["datasource", "job", "model", "intent"],
    "fleet": ["datasource", "job"],
    "runbook": ["datasource", "job"],
}
ASKING = [name for name in VARIABLES if name != "runbook"]

every_dashboard = pytest.mark.parametrize(("name", "document"), [*documents().items()], ids=[*documents()])
every_panel = pytest.mark.parametrize("panel", [*panels()], ids=lambda panel: f"{panel.dashboard}: {panel.title}")


def test_files_are_what_the_code_builds() -> None:
    """`make dashboards` would change nothing."""
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == dict(texts()), "run `make dashboards`"


@every_dashboard
def test_grafana_10_knows_every_field(name: str, document: dict[str, Any]) -> None:
    """Each field, and each value of a closed set, is in the schema of Grafana 10.1."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)] == []


def test_the_schema_refuses_what_is_newer() -> None:
    """A field that came after Grafana 10 is found, on the dashboard and deep inside of a panel."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for way, newer in (
        ((), "preload"),
        (("panels", 0, "options"), "wideLayout"),
        (("panels", 0, "fieldConfig", "defaults"), "actions"),
        (("panels", 0, "targets", 0), "scopes"),
    ):
        document: Any = documents()["cost"]
        reduce(getitem, way, document)[newer] = []
        assert not validator.is_valid(document)


def test_each_has_a_uid_and_a_title() -> None:
    """The dashboards that ask, and the runbook beside them; uids and titles begin alike."""
    found = documents()
    assert list(found) == [*ASKING, "runbook"]
    assert [document["uid"] for document in found.values()] == [f"fleetmeter-{name}" for name in found]
    assert [document["title"] for document in found.values()] == [f"Fleetmeter / {name.capitalize()}" for name in found]


@every_dashboard
def test_what_reviewers_look_for(name: str, document: dict[str, Any]) -> None:
    """Not editable, no numeric id, variables for data source and job first, links to the others, a description."""
    assert document["editable"] is False
    assert "id" not in document
    assert document["tags"] == ["fleetmeter"]
    assert document["description"]
    assert [variable["name"] for variable in document["templating"]["list"]] == VARIABLES[name]
    kinds = {variable["name"]: variable["type"] for variable in document["templating"]["list"]}
    assert kinds.pop("datasource") == "datasource"
    assert set(kinds.values()) == {"query"}
    (link,) = document["links"]
    assert (link["tags"], link["keepTime"], link["includeVars"]) == (["fleetmeter"], True, True)


@every_dashboard
def test_a_job_is_one(name: str, document: dict[str, Any]) -> None:
    """Only one job can be chosen: two that scrape the same fleet would be summed up to twice the truth."""
    (job,) = (variable for variable in document["templating"]["list"] if variable["name"] == "job")
    assert (job["multi"], job["includeAll"]) == (False, False)


@every_dashboard
def test_panels_have_places(name: str, document: dict[str, Any]) -> None:
    """Within a grid of 24, none overlaps another, and every line is full; in a row that is opened, too."""
    for found in (document["panels"], *(panel["panels"] for panel in document["panels"] if panel.get("panels"))):
        covered: Counter[tuple[int, int]] = Counter()
        for panel in found:
            place = panel["gridPos"]
            cells = [
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            ]
            covered.update(cells)
        assert set(covered.values()) == {1}
        top, bottom = min(y for _, y in covered), 1 + max(y for _, y in covered)
        assert set(covered) == {(x, y) for x in range(24) for y in range(top, bottom)}


@every_dashboard
def test_ids_are_unique(name: str, document: dict[str, Any]) -> None:
    """No id and no title occurs twice."""
    for key in ("id", "title"):
        values = [panel[key] for panel, _ in opened(document["panels"]) if panel.get(key) and panel["type"] != "text"]
        assert len(values) == len(set(values))
    ids = [panel["id"] for panel, _ in opened(document["panels"])]
    assert len(ids) == len(set(ids))


def test_an_id_belongs_to_its_question() -> None:
    """A question has the same id on every dashboard and in every build, and no two have the same one."""
    ids: dict[str, set[int]] = {}
    for panel in panels():
        ids.setdefault(panel.title, set()).add(panel.document["id"])
    assert {len(found) for found in ids.values()} == {1}
    assert not [pair for pair in combinations(ids, 2) if ids[pair[0]] == ids[pair[1]]]
    assert ids["Can these numbers be trusted?"] == {645942}


@every_panel
def test_a_panel_answers_one_question(panel: Panel) -> None:
    """Its title is one question; it has a unit, a word for no data, and a description that names its families."""
    assert panel.title.endswith("?")
    assert panel.title.count("?") == 1
    assert panel.kind in KINDS
    assert panel.unit
    assert panel.document["fieldConfig"]["defaults"]["noValue"]
    names = {selector.name for query in panel.queries for selector in asked(query.expression).selectors}
    for name in names - {"up", "fleetmeter_up"}:  # these only say whether there is anything to show
        assert f"`{SERIES[name].shown}`: {SERIES[name].help}" in panel.document["description"]


@every_panel
def test_a_panel_has_the_variables(panel: Panel) -> None:
    """Panel and queries take the data source variable, and every selector the job."""
    for place in (panel.document, *panel.document["targets"]):
        assert place["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for query in panel.queries:
        for selector in asked(query.expression).selectors:
            assert "job" in selector.labels, query.expression


@every_panel
def test_what_is_asked_for_is_declared(panel: Panel) -> None:
    """PromQL parses; every series is a sample of a declared family, and every label one of its own."""
    for query in panel.queries:
        question = asked(query.expression)
        assert question.selectors
        for name, labels in [*((each.name, each.labels) for each in question.selectors), *question.groups]:
            known = PROMETHEUS_OWN.get(name) or {*SERIES[name].labels, "job", "namespace"}
            if name.endswith("_bucket"):
                known = {*known, "le"}
            assert labels <= known, f"{query.expression}: {name} has no label {sorted(labels - known)}"


@every_panel
def test_no_raw_counter(panel: Panel) -> None:
    """Every counter, and every part of a histogram, stands in a rate or an increase; no gauge does.

    Only births are looked for otherwise: the first value of a series that was not there at the window's start.
    """
    for query in panel.queries:
        expression = re.sub(r"\((\w+\{[^}]*\}) unless \1 offset \$__range", "(up", query.expression)
        for selector in asked(expression).selectors:
            counts = selector.name in SERIES and SERIES[selector.name].type in ("counter", "histogram")
            assert bool(RATES & set(selector.functions)) == counts, query.expression


@every_panel
def test_windows_are_the_variables(panel: Panel) -> None:
    """Rates over `$__rate_interval`, totals over `$__range`; only what speaks of the last hour looks at an hour."""
    for query in panel.queries:
        text = query.expression
        hours = text.count("[1h]")
        assert text.count("rate(") == text.count("[$__rate_interval]")
        assert text.count("increase(") == text.count("[$__range]") + hours
        assert text.count("[") == text.count("[$__") + hours
        assert "the last hour" in panel.title + panel.document["description"] or not hours
        assert "irate(" not in text


@every_panel
def test_totals_are_asked_for_once(panel: Panel) -> None:
    """What shows one value asks for one moment; only lines and heat maps ask for a range."""
    over_time = panel.kind in ("timeseries", "heatmap")
    assert {query.instant for query in panel.queries} == {not over_time}


@every_panel
def test_gauges_are_not_added_up(panel: Panel) -> None:
    """`sum` is for counters: of a gauge, several targets show the same again. Only namespaces add up."""
    for query in panel.queries:
        for inside in re.findall(r"\bsum(?: by \([^)]*\) )?\((\w+)", query.expression):
            assert inside in (*RATES, "max"), query.expression
        assert query.expression.count("sum(max ") == query.expression.count("sum(max by (namespace) ("), (
            query.expression
        )


@every_panel
def test_legends_stay_short(panel: Panel) -> None:
    """A label that may have dozens of values is limited to the ten that matter most."""
    wide = {"model", "intent", "type", "family", "tool_name"}
    for query in panel.queries:
        if panel.kind in ("timeseries", "piechart", "bargauge") and any(
            f"{{{{{label}}}}}" in query.legend for label in wide
        ):
            tokens = "openai_tokens_used" in query.expression  # nine kinds, no more
            assert "topk(10, " in query.expression or tokens, query.expression
    legend = panel.document["options"].get("legend", {})
    if "placement" in legend and any("{{" in query.legend for query in panel.queries):
        assert (legend["displayMode"], legend["placement"]) == ("table", "right")


def test_long_ranges_say_what_they_need() -> None:
    """A panel that looks back a month says which retention it needs."""
    long = [panel for panel in panels() if panel.time_from == "now/M"]
    assert [panel.title for panel in long] == [
        "Cost of this month?",
        "Cost at month's end?",
        "Data since when?",
    ]
    assert all("retention of 31 days" in panel.document["description"] for panel in long)


def test_every_family_is_shown() -> None:
    """No family is declared and on no dashboard."""
    shown = {
        SERIES[selector.name].name
        for panel in panels()
        for query in panel.queries
        for selector in asked(query.expression).selectors
        if selector.name in SERIES
    }
    assert sorted(set(FAMILIES) - shown) == []


@pytest.mark.parametrize("name", ASKING)
def test_the_first_row_says_whether_anything_is_wrong_and_what_it_costs(name: str) -> None:
    """Each dashboard begins with whether its numbers can be trusted, and what the last hour cost."""
    first = [panel["title"] for panel in documents()[name]["panels"] if panel["gridPos"]["y"] == 0]
    assert len(first) == 6
    assert first[:2] == ["Can these numbers be trusted?", "What did the last hour cost?"]


def test_a_model_has_one_colour() -> None:
    """Whatever panel shows a model by name gives it the same fixed colour; others go by Grafana's palette by name."""
    colours: dict[str, set[str]] = {}
    for panel in panels():
        config = panel.document["fieldConfig"]
        for query in panel.queries:
            if panel.kind in ("timeseries", "piechart") and query.legend == "{{model}}":
                assert config["defaults"]["color"]["mode"] == "palette-classic-by-name"
                for override in config["overrides"]:
                    colour = override["properties"][0]["value"]["fixedColor"]
                    colours.setdefault(override["matcher"]["options"], set()).add(colour)
    assert {"gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol", "gpt-6-sol", "gpt-6-astra"} <= set(colours)
    assert {len(found) for found in colours.values()} == {1}
    assert len({colour for found in colours.values() for colour in found}) == len(colours)
