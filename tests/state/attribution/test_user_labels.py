"""Labels of the user's own, by what the stock client and the fleet's exposition show afterwards."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from enum import StrEnum
from typing import Any

import pytest
from prometheus_client import generate_latest

import fleetmeter
from fleetmeter import llm
from fleetmeter.attribution import families
from fleetmeter.attribution.context import current_attributes
from fleetmeter.attribution.settings import from_text
from fleetmeter.errors import SettingError
from fleetmeter.llm import Usage, attributes, catalogue, configure
from fleetmeter.pricing import Cost
from fleetmeter_exporter.scraper import Scraper
from support.exposition import parse
from support.labels import no_labels
from support.store import StoreAddress
from support.vocabulary import fresh_vocabulary


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test decides about labels for itself."""
    fresh_vocabulary(monkeypatch)
    monkeypatch.delenv("FLEETMETER_LABELS", raising=False)
    with no_labels():
        yield


def value(sample: str, **labels: str) -> float | None:
    """What the stock client shows; None if there is no such series."""
    return catalogue.REGISTRY.get_sample_value(sample, labels)


def overflowed(label: str) -> float:
    """How often a value of a label became `other`."""
    return value("label_overflows_total", label=label) or 0.0


def record_call(nanodollars: int = 18_125) -> None:
    """One priced call."""
    llm.record_openai_call(
        model="gpt-6-luna", endpoint="chat.completions", intent="chat", duration=0.5,
        usage=Usage(prompt=10, completion=5), cost=Cost(nanodollars),
    )  # fmt: skip


def teams() -> dict[str, int]:
    """Nano-dollars by team."""
    found: dict[str, int] = {}
    for family in catalogue.REGISTRY.collect():
        for sample in family.samples:
            if sample.name == "openai_total_cost_usd_total":
                found[sample.labels.get("team", "")] = round(sample.value * 10**9)
    return found


def test_a_call_counts_under_the_values_in_force() -> None:
    """Every family that a call fills has the team's value, and a call without one counts as unspecified."""
    configure(labels={"team": 5})
    with attributes(team="search"):
        record_call()
    record_call(7)
    assert teams() == {"search": 18_125, "unspecified": 7}
    filled = {
        sample.name: sample.labels
        for family in catalogue.REGISTRY.collect()
        for sample in family.samples
        if family.name.startswith("openai_") and family.type != "gauge"
    }
    assert len(filled) > 8
    assert all("team" in labels for labels in filled.values())


def test_routing_savings_and_tools_have_them_too() -> None:
    """Selections, fallbacks, routing times, savings, extra cost, errors and tools carry the user's labels."""
    configure(labels={"team": 5})
    with attributes(team="ads"):
        llm.record_model_selection("chat", "gpt-6-luna", "cheap")
        llm.record_model_fallback("chat", "timeout")
        llm.record_model_routing_duration("chat", 0.001)
        llm.record_cost_savings("chat", 0.5)
        llm.record_cost_savings("chat", -0.25)
        llm.record_openai_error("gpt-6-luna", "RateLimitError")
        llm.record_tool_execution("search", "success", 0.1)
    of_the_team = {"intent": "chat", "team": "ads"}
    assert value("model_selections_total", model="gpt-6-luna", tier="cheap", **of_the_team) == 1
    assert value("model_fallbacks_total", reason="timeout", **of_the_team) == 1
    assert value("model_routing_duration_seconds_count", **of_the_team) == 1
    assert value("cost_savings_usd_total", source="routing", **of_the_team) == 0.5
    assert value("routing_extra_cost_usd_total", **of_the_team) == 0.25
    assert value("openai_errors_total", model="gpt-6-luna", type="RateLimitError", team="ads") == 1
    assert value("tool_executions_total", tool_name="search", status="success", team="ads") == 1
    assert value("tool_execution_duration_seconds_count", tool_name="search", team="ads") == 1


def test_gauges_and_other_families_stay_as_they_are() -> None:
    """A circuit, a budget, an error of the service belong to nobody."""
    configure(labels={"team": 5})
    with attributes(team="ads"):
        llm.record_error("LabelsError", "/labels")
        catalogue.MODEL_CIRCUIT_STATE.labels("gpt-6-luna").set(1)
    assert value("errors_total", type="LabelsError", endpoint="/labels") == 1
    assert value("model_circuit_state", model="gpt-6-luna") == 1
    catalogue.ERRORS.clear()
    catalogue.MODEL_CIRCUIT_STATE.clear()


def test_values_above_the_number_are_other_and_counted_once(caplog: pytest.LogCaptureFixture) -> None:
    """The third of two teams counts as other, once for each block, and is told once."""
    configure(labels={"team": 2})
    before = overflowed("team")
    for team in ("a", "b", "c", "d", "a"):
        with attributes(team=team):
            record_call(1)
    assert teams() == {"a": 2, "b": 1, "other": 2}
    assert overflowed("team") == before + 2
    assert len([record for record in caplog.records if "label team" in record.message]) == 1


def test_a_list_closes_the_values() -> None:
    """Of a label that has a list, only the listed values are admitted."""
    configure(labels={"team": ["search", "ads"]})
    for team in ("ads", "growth"):
        with attributes(team=team):
            record_call(1)
    assert teams() == {"ads": 1, "other": 1}


class Team(StrEnum):
    """Teams, as people write them down."""

    SEARCH = "search"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("forschung & entwicklung", "forschung & entwicklung"),
        ("日本", "日本"),
        ('a"b\n', 'a"b\n'),
        (Team.SEARCH, "search"),
        (42, "42"),
        (None, "unspecified"),
        ("other", "other"),
        ("x" * 128, "x" * 128),
        ("x" * 129, "other"),
        ("", "other"),
        ("\ud800", "other"),
        (True, "other"),
        (10**5000, "other"),
        (b"search", "other"),
        (["search"], "other"),
    ],
    ids=lambda value: ascii(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_values_are_texts_that_utf8_can_hold(given: Any, shown: str) -> None:
    """Any text of 1 to 128 characters is a value as it is; what is none is other, and nothing raises."""
    configure(labels={"team": 5})
    with attributes(team=given):
        record_call(1)
    assert teams() == {shown: 1}
    generate_latest(catalogue.REGISTRY)


def test_an_unknown_label_is_told_once_and_the_rest_is_done(caplog: pytest.LogCaptureFixture) -> None:
    """A name that is no label is logged with those that there are; the call counts."""
    configure(labels={"team": 5})
    for _ in range(2):
        with attributes(team="ads", tenat="acme"):
            record_call(3)
    assert teams() == {"ads": 6}
    (told,) = [record.message for record in caplog.records if "tenat" in record.message]
    assert "the labels are: intent, team" in told


def test_blocks_add_to_each_other() -> None:
    """An inner block adds to the outer one, and None takes a value away."""
    configure(labels={"team": 5, "tenant": 5})
    with attributes(team="ads"), attributes(tenant="acme"):
        llm.record_openai_error("m", "APIError")
        with attributes(team=None):
            llm.record_openai_error("m", "APIError")
    for team in ("ads", "unspecified"):
        assert value("openai_errors_total", model="m", type="APIError", team=team, tenant="acme") == 1


def test_tasks_and_threads_have_the_values_of_their_context() -> None:
    """A thousand tasks at once, and threads that copy the context, each count under their own team."""
    configure(labels={"team": 10})

    async def ask(team: str) -> None:
        with attributes(team=team):
            await asyncio.sleep(0)
            await asyncio.to_thread(record_call, 1)
            await asyncio.create_task(asyncio.sleep(0))
            record_call(1)

    async def main() -> None:
        await asyncio.gather(*(ask(f"t{number % 10}") for number in range(1_000)))

    asyncio.run(main())
    with ThreadPoolExecutor(4) as pool, attributes(team="t0"):
        for done in [pool.submit(copy_context().run, record_call, 1) for _ in range(100)]:
            done.result()
    assert teams() == {f"t{number}": 200 + (100 if number == 0 else 0) for number in range(10)}


def test_a_block_may_end_in_another_context() -> None:
    """A generator that a copied context began and another one ends raises nothing, and leaves nothing in force."""

    def opened() -> Iterator[None]:
        with attributes(team="ads"):
            yield

    generator = opened()
    copy_context().run(next, generator)
    assert list(generator) == []
    assert dict(current_attributes()) == {}


def test_labels_may_come_after_the_first_record() -> None:
    """What was counted before stays, without the label; held families and the registry have the new one."""
    held = catalogue.OPENAI_TOTAL_COST_USD
    child = held.labels("gpt-6-luna")
    record_call(5)
    configure(labels={"team": 5})
    with attributes(team="ads"):
        record_call(7)
    child.inc(1e-9)
    assert catalogue.OPENAI_TOTAL_COST_USD is held
    assert teams() == {"": 6, "ads": 7}
    configure(labels={})
    record_call(1)
    assert teams() == {"": 7, "ads": 7}


def test_the_fleet_shows_both_layouts(installed: StoreAddress) -> None:
    """Records before and after the labels came are both in the store, each under its labels, and add up."""
    record_call(5)
    assert fleetmeter.flush()
    configure(labels={"team": 5})
    with attributes(team="ads"):
        record_call(7)
    record_call(11)
    assert fleetmeter.flush()
    text = Scraper.of(installed.url, [installed.namespace]).scrape()
    found = {
        labels.get("team"): round(number * 10**9)
        for (name, labels), number in (
            ((sample.name, sample.labels), sample.value) for family in parsed(text) for sample in family.samples
        )
        if name == "openai_total_cost_usd_total" and labels.get("model") == "gpt-6-luna"
    }
    assert found == {None: 5, "ads": 7, "unspecified": 11}


def test_labels_that_come_after_install_are_no_conflict(installed: StoreAddress) -> None:
    """The store knows a family under the labels that it has in the end, if nobody recorded in it before."""
    configure(labels={"team": 5})
    with attributes(team="ads"):
        record_call(7)
    assert fleetmeter.flush()
    with installed.client() as client:
        fields = [field.decode() for field in client.hkeys(f"{{fm:{installed.namespace}:0}}:families")]
    assert len([field for field in fields if field.startswith("openai_cost_usd:")]) == 1


def parsed(text: bytes) -> Any:
    """The families of an exposition."""
    from prometheus_client.parser import text_string_to_metric_families

    assert parse(text)
    return text_string_to_metric_families(text.decode())


def test_removing_takes_a_family_s_own_values() -> None:
    """`remove(model)` removes the model's series of every team, those of earlier labels included."""
    record_call()
    configure(labels={"team": 5})
    with attributes(team="ads"):
        record_call()
    catalogue.OPENAI_TOTAL_COST_USD.remove("gpt-6-luna")
    assert teams() == {}


def test_the_environment_names_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """`FLEETMETER_LABELS` is read by configure(), or at the first record."""
    monkeypatch.setenv("FLEETMETER_LABELS", " team:5, tenant:500 ")
    with attributes(team="ads", tenant="acme"):
        record_call()
    assert families.user_labels().limits() == {"team": 5, "tenant": 500}
    assert value("openai_total_cost_usd_total", model="gpt-6-luna", team="ads", tenant="acme") is not None


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`configure(labels=…)` decides, whatever the environment says and whenever it is asked."""
    monkeypatch.setenv("FLEETMETER_LABELS", "team:5")
    configure(labels={"tenant": 3})
    configure()
    assert families.user_labels().limits() == {"tenant": 3}


def test_a_bad_environment_does_not_break_a_record(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """configure() raises for a variable that cannot be used; a record is done without labels and says so."""
    monkeypatch.setenv("FLEETMETER_LABELS", "team=5")
    with pytest.raises(SettingError, match="FLEETMETER_LABELS"):
        configure()
    record_call()
    assert teams() == {"": 18_125}
    assert [record.levelno for record in caplog.records if "team=5" in record.message] == [logging.ERROR]


@pytest.mark.parametrize("name", ["model", "intent", "endpoint", "type", "status", "method", "budget", "tier"])
def test_names_of_the_catalogue_are_refused(name: str) -> None:
    """A label of the catalogue's own cannot be the user's."""
    with pytest.raises(SettingError, match=f"labels.*'{name}' is a label that the catalogue has already"):
        configure(labels={name: 5})


@pytest.mark.parametrize("name", ["le", "quantile", "job", "instance", "replica", "namespace"])
def test_names_of_prometheus_are_refused(name: str) -> None:
    """A label that Prometheus or the exporter sets cannot be the user's."""
    with pytest.raises(SettingError, match=f"'{name}' is a label that Prometheus or the exporter sets"):
        configure(labels={name: 5})


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ({"__team": 5}, "'__team' is no label's name; expected"),
        ({"te-am": 5}, "'te-am' is no label's name"),
        ({"": 5}, "'' is no label's name"),
        ({5: 5}, "5 is no label's name"),
        ({"team": 0}, "team: 0 cannot be used; expected 1 to 10000"),
        ({"team": True}, "team: True cannot be used"),
        ({"team": "search"}, "team: 'search' cannot be used; expected a number of values, or a list"),
        ({"team": [""]}, "team: '' is no value"),
        (["team"], "expected a number of values by name"),
    ],
)
def test_what_is_no_label_is_named(labels: Any, named: str) -> None:
    """The error names the label, and what was expected; the labels stay as they were."""
    configure(labels={"tenant": 3})
    with pytest.raises(SettingError, match=named):
        configure(labels=labels)
    assert families.user_labels().limits() == {"tenant": 3}


@pytest.mark.parametrize(
    "text", ["team", "team:", "team:-1", "team:many", "team:5,team:6", "model:5", "team:5 tenant:6"]
)
def test_a_variable_that_cannot_be_used_is_named(text: str) -> None:
    """`FLEETMETER_LABELS` takes names with numbers between commas, each once."""
    with pytest.raises(SettingError, match="FLEETMETER_LABELS"):
        from_text(text)


def test_every_label_of_the_catalogue_is_refused() -> None:
    """The refused names are those that the families really have."""
    from fleetmeter.attribution.settings import _CATALOGUE
    from fleetmeter.instrumentation import HTTPMetrics, default_registry

    HTTPMetrics()
    registries: list[Any] = [catalogue.REGISTRY, default_registry()]
    names = {
        name
        for registry in registries
        for metric in registry._names_to_collectors.values()
        for name in metric._labelnames
    }
    assert names <= _CATALOGUE
