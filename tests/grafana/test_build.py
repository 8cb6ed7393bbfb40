"""The dashboards' code: what does not fit the declarations does not build, and is named."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fleetmeter_dashboards.errors import DashboardError, UndeclaredFamily, UndeclaredLabel
from fleetmeter_dashboards.families import declared
from fleetmeter_dashboards.page import Page, Section
from fleetmeter_dashboards.panel import Target, Value
from fleetmeter_dashboards.panels import series, stat_of
from fleetmeter_dashboards.queries import Queries, quotient, ratio

ROOT = Path(__file__).parents[2]
QUERIES = Queries("model", "intent")
RENAME = """
import sys
from pathlib import Path
from fleetmeter.llm import catalogue
text = Path(catalogue.__file__).read_text()
assert text.count({old!r}) == 1
exec(compile(text.replace({old!r}, {new!r}), catalogue.__file__, "exec"), vars(catalogue))
import fleetmeter.llm
fleetmeter.llm.REGISTRY = catalogue.REGISTRY
from fleetmeter_dashboards.__main__ import main
sys.exit(main([]))
"""


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"openai_unpriced_calls_total"', '"openai_unknown_price_calls_total"', "'openai_unpriced_calls'"),
        ('["intent", "source"]', '["intent", "origin"]', "'cost_savings_usd' has no label 'source'"),
    ],
)
def test_a_renamed_metric_or_label_breaks_the_build(old: str, new: str, named: str) -> None:
    """Rename a family or a label in the catalogue: the build ends with status 1 and one line that names it."""
    done = subprocess.run(
        [sys.executable, "-c", RENAME.format(old=old, new=new)],
        env={"PYTHONPATH": str(ROOT / "grafana")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_undeclared_family_is_named_with_what_is_near() -> None:
    """The message says which family is meant, and which declared ones look like it."""
    with pytest.raises(UndeclaredFamily, match=r"no family 'openai_cost' is declared.*openai_cost_usd"):
        QUERIES.rate("openai_cost")


def test_an_undeclared_label_is_named_with_those_that_there_are() -> None:
    """In a grouping and in a filter, the message names the label and lists the family's own."""
    message = "'http_requests' has no label 'code'; it has: method, endpoint, status"
    with pytest.raises(UndeclaredLabel, match=message):
        QUERIES.rate("http_requests", "code")
    with pytest.raises(UndeclaredLabel, match=message):
        QUERIES.rate("http_requests", code="200")


def test_only_buckets_have_bounds() -> None:
    """`le` is a label of histograms alone."""
    with pytest.raises(UndeclaredLabel):
        QUERIES.increase("http_requests", "le")


def test_selectors_follow_the_variables_that_a_family_has() -> None:
    """A family is filtered by the dashboard's variables as far as it has labels of those names."""
    assert QUERIES.increase("openai_total_cost_usd").text == (
        'sum(increase(openai_total_cost_usd_total{job="$job", model=~"$model"}[$__range]))'
    )
    assert Queries().value("replica_errors", "replica").text == 'max by (replica) (replica_errors{job="$job"})'


def test_a_ratio_is_of_the_same_choice() -> None:
    """Numbers that follow different variables are not divided by each other: their ratio would mean nothing."""
    errors, calls = QUERIES.rate("openai_errors"), QUERIES.rate("openai_api_calls")
    for divide in (ratio, quotient):
        with pytest.raises(DashboardError, match=r"openai_errors follows the variables \['model'\].*only\(\)"):
            divide(errors, calls)
        divide(errors, QUERIES.only("model").rate("openai_api_calls"))


def test_units_come_from_the_declarations() -> None:
    """Dollars, seconds and bytes are shown as such; the count of a family in dollars is no amount of money."""
    assert QUERIES.increase("openai_total_cost_usd").unit == "currencyUSD"
    assert QUERIES.increase("openai_cost_usd", part="count").unit == "locale"
    assert QUERIES.quantile(0.5, "http_request_size_bytes").unit == "bytes"
    assert QUERIES.value("fleetmeter_scrape_duration_seconds").unit == "s"
    assert QUERIES.rate("openai_tokens_used", part="sum").unit == "short"


def test_a_changed_unit_changes_the_panel() -> None:
    """The unit is read from the declaration, not from a list of names."""
    families = declared()
    families["fleetmeter_replicas"] = replace(families["fleetmeter_replicas"], unit="bytes")
    assert Queries(families=families).value("fleetmeter_replicas").unit == "bytes"


def test_a_panel_has_one_unit() -> None:
    """A panel whose queries have different units has to name the one that it shows."""
    targets = [
        Target(QUERIES.increase("openai_total_cost_usd"), "a"),
        Target(QUERIES.value("fleetmeter_replicas"), "b"),
    ]
    with pytest.raises(DashboardError, match=r"'What\?' shows several units: currencyUSD, short"):
        series("What?", "", targets)


def test_a_line_of_the_grid_is_full() -> None:
    """A page whose last line has a hole does not build."""
    panel = stat_of("What?", "", QUERIES.value("fleetmeter_replicas"), Value())
    with pytest.raises(DashboardError, match="is 4 of 24 wide"):
        Page("uid", "title", "text", (), (Section("", [panel]),)).to_json()
