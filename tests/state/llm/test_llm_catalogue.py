"""The catalogue's families, as dashboards in the field query them."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import Gauge, Histogram, MetricWrapperBase

from fleetmeter.llm import catalogue, configuration
from fleetmeter.llm.vocabulary import Vocabulary

POWERS_OF_4 = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576]
STEPS_1_3 = [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

FAMILIES = """
budget_limit_usd                         gauge      budget,window                 usd      mostrecent
budget_rejections                        counter    budget,action                 -        -
budget_spent_usd                         gauge      budget,window                 usd      mostrecent
client_retries                           counter    endpoint                      -        -
cost_savings_usd                         counter    intent,source                 usd      -
errors                                   counter    type,endpoint                 -        -
gateway_key_rejections                   counter    reason                        -        -
label_overflows                          counter    label                         -        -
model_circuit_changes                    counter    model,state                   -        -
model_circuit_state                      gauge      model                         -        mostrecent
model_fallbacks                          counter    intent,reason                 -        -
model_hedges                             counter    model,answered                -        -
model_routing_duration_seconds           histogram  intent                        seconds  -
model_selections                         counter    intent,model,tier             -        -
openai_api_calls                         counter    model,endpoint,intent,stream  -        -
openai_api_duration_seconds              histogram  model,endpoint                seconds  -
openai_cost_usd                          histogram  model,intent                  usd      -
openai_errors                            counter    model,type                    -        -
openai_model_shutdown_timestamp_seconds  gauge      model                         seconds  max
openai_retries                           counter    model                         -        -
openai_stream_aborts                     counter    model,usage                   -        -
openai_time_to_first_token_seconds       histogram  model                         seconds  -
openai_tokens_per_call                   histogram  model,intent                  -        -
openai_tokens_used                       histogram  model,intent,type             -        -
openai_total_cost_usd                    counter    model                         usd      -
openai_unpriced_calls                    counter    model                         -        -
prompt_cache_evictions                   counter    reason                        -        -
prompt_cache_hit_rate                    gauge      -                             -        mostrecent
prompt_cache_operations                  counter    operation,result              -        -
prompt_cache_size                        gauge      -                             -        max
routing_extra_cost_usd                   counter    intent                        usd      -
service                                  info       -                             -        -
tool_execution_duration_seconds          histogram  tool_name                     seconds  -
tool_executions                          counter    tool_name,status              -        -
"""


def metrics() -> list[MetricWrapperBase]:
    """The metric objects of the catalogue's module."""
    return [value for value in vars(catalogue).values() if isinstance(value, MetricWrapperBase)]


def row(metric: MetricWrapperBase) -> list[str]:
    """A metric as a line of the table: name, type, labels, unit, gauge mode."""
    mode = metric._multiprocess_mode if isinstance(metric, Gauge) else ""
    return [metric._name, metric._type, ",".join(metric._labelnames) or "-", metric._unit or "-", mode or "-"]


def histogram(name: str) -> list[float]:
    """The finite bounds of a family."""
    (found,) = (metric for metric in metrics() if metric._name == name)
    assert isinstance(found, Histogram)
    return [float(bound) for bound in found._kwargs["buckets"]]


@pytest.fixture
def vocabulary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vocabulary]:
    """A vocabulary of this test's own, and no series of intents or tools in the end."""
    own = Vocabulary()
    monkeypatch.setattr(configuration, "VOCABULARY", own)
    yield own
    for metric in metrics():
        if {"intent", "tool_name"} & set(metric._labelnames):
            metric.clear()


def test_families_are_those_of_the_table() -> None:
    """Name, type, labels, unit and gauge mode of every family stay as they are, because others query them."""
    assert sorted(row(metric) for metric in metrics()) == [line.split() for line in FAMILIES.strip().splitlines()]


def test_every_family_is_in_the_registry_with_a_description() -> None:
    """The registry holds what the module declares, each with a help text that is a sentence."""
    collected = {family.name: family.documentation for family in catalogue.REGISTRY.collect()}
    assert set(collected) == {metric._name for metric in metrics()}
    assert [name for name, text in collected.items() if len(text) < 30 or not text.endswith(".")] == []


def test_money_counters_get_the_usual_suffix_once() -> None:
    """A counter that ends in its unit shows with _total behind the unit."""
    catalogue.OPENAI_TOTAL_COST_USD.labels("suffix-model")
    assert catalogue.REGISTRY.get_sample_value("openai_total_cost_usd_total", {"model": "suffix-model"}) == 0
    catalogue.OPENAI_TOTAL_COST_USD.remove("suffix-model")


def test_bounds_of_tokens_and_money() -> None:
    """Tokens are counted in powers of 4, money from 1e-6 to 10 USD in steps of 1-3."""
    assert histogram("openai_tokens_used") == POWERS_OF_4
    assert histogram("openai_tokens_per_call") == POWERS_OF_4
    assert histogram("openai_cost_usd") == STEPS_1_3


def test_bounds_of_durations() -> None:
    """Routing starts at a microsecond, calls end at the SDK's timeout of 600 s, and all bounds ascend."""
    assert histogram("model_routing_duration_seconds")[0] == 1e-6
    assert histogram("openai_api_duration_seconds")[-1] == 600
    for metric in metrics():
        if isinstance(metric, Histogram):
            bounds = histogram(metric._name)
            assert bounds == sorted(set(bounds))


def test_the_catalogue_does_not_clash_with_the_default_registry() -> None:
    """Somebody else may own one of the names in another registry."""
    assert isinstance(catalogue.REGISTRY, CollectorRegistry)
    other = CollectorRegistry()
    Gauge("errors_total", "Somebody else's.", registry=other)


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ("get", "hit"),
        ("get", "miss"),
        ("get", "expired"),
        ("get", "error"),
        ("put", "stored"),
        ("put", "refused"),
        ("put", "error"),
    ],
)
def test_cache_results_exist_from_the_start(operation: str, result: str) -> None:
    """Each operation's results exist before the first one happens, so that the first is an increase."""
    labels = {"operation": operation, "result": result}
    assert catalogue.REGISTRY.get_sample_value("prompt_cache_operations_total", labels) is not None


@pytest.mark.parametrize("reason", ["capacity", "expired", "invalidated"])
def test_eviction_reasons_exist_from_the_start(reason: str) -> None:
    """Each reason exists before the first entry leaves."""
    assert catalogue.REGISTRY.get_sample_value("prompt_cache_evictions_total", {"reason": reason}) is not None


@pytest.mark.usefixtures("vocabulary")
def test_configured_intents_and_tools_exist_at_0() -> None:
    """What multiplies with a configured set exists at 0 once that set is known."""
    configuration.configure(intents=["chat"], tools=["search"])
    value = catalogue.REGISTRY.get_sample_value
    for intent in ("chat", "other"):
        assert value("model_fallbacks_total", {"intent": intent, "reason": "over_budget"}) == 0
        assert value("cost_savings_usd_total", {"intent": intent, "source": "prompt_cache"}) == 0
        assert value("routing_extra_cost_usd_total", {"intent": intent}) == 0
    assert value("tool_executions_total", {"tool_name": "search", "status": "timeout"}) == 0


def test_configuring_takes_any_iterable_once(vocabulary: Vocabulary) -> None:
    """An iterator closes the set and makes its series: neither use starves the other."""
    configuration.configure(intents=iter(["drafting"]))
    assert vocabulary.intents.admit("drafting") == "drafting"
    assert catalogue.REGISTRY.get_sample_value("routing_extra_cost_usd_total", {"intent": "drafting"}) == 0
