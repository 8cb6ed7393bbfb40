"""`record_call`: usages of any API as they come, read, priced and counted."""

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fleetmeter import llm
from fleetmeter.llm import amounts, any_call, catalogue, vocabulary
from fleetmeter.pricing import Book, Cost, ModelPrice, PriceList, Unpriced, doubt
from support.vocabulary import fresh_vocabulary

ROOT = Path(__file__).parents[3]
OPENAI = {
    "prompt_tokens": 10_000,
    "completion_tokens": 1_000,
    "total_tokens": 11_000,
    "prompt_tokens_details": {"cached_tokens": 6_000, "cache_write_tokens": 2_000},
    "completion_tokens_details": {"reasoning_tokens": 400},
}
"""The worked example of the catalogue: 20,200,000 nano-dollars with gpt-6-sol."""
ANTHROPIC = {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 1_000}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has label sets and complaints of its own, and starts without series."""
    fresh_vocabulary(monkeypatch)
    for module, name in ((amounts, "_complained"), (doubt, "_told"), (vocabulary, "_complained")):
        monkeypatch.setattr(module, name, set())
    for name in dir(catalogue):
        metric = getattr(catalogue, name)
        if getattr(metric, "_labelnames", ()):
            metric.clear()
    catalogue.create_children()


def total(sample: str, **labels: str) -> float:
    """What the stock client shows, summed over the series that have these label values."""
    return sum(
        one.value
        for family in catalogue.REGISTRY.collect()
        for one in family.samples
        if one.name == sample and labels.items() <= one.labels.items()
    )


def nanodollars(**labels: str) -> int:
    """The cost of all calls."""
    return round(total("openai_total_cost_usd_total", **labels) * 10**9)


def test_a_usage_as_it_came_is_priced_and_counted_once() -> None:
    """The worked example: what is returned is what the metrics have."""
    assert llm.record_call(usage=OPENAI, model="gpt-6-sol", provider="openai") == Cost(20_200_000)
    assert nanodollars(model="gpt-6-sol") == 20_200_000
    assert total("openai_api_calls_total", model="gpt-6-sol", intent="unspecified", stream="false") == 1
    assert total("openai_tokens_used_sum", type="reasoning") == 400
    assert total("openai_tokens_per_call_sum") == 11_000
    assert total("openai_api_duration_seconds_count") == 0, "nobody said how long it took"


def test_another_provider_s_usage() -> None:
    """Anthropic's cached tokens stand beside the input; its models have names of their own."""
    cost = llm.record_call(usage=ANTHROPIC, model="claude-sonnet-4-5", provider="anthropic", duration=2.0)
    assert isinstance(cost, Cost)
    assert cost.nanodollars == nanodollars(model="anthropic/claude-sonnet-4-5") > 0
    assert total("openai_tokens_used_sum", type="cached") == 1_000
    assert total("openai_tokens_used_sum", type="prompt") == 100
    assert total("openai_api_duration_seconds_sum") == 2


def test_the_example_of_the_documentation() -> None:
    """It runs as it stands, and is priced."""
    text = (ROOT / "docs" / "llm-calls.md").read_text()
    (program,) = re.findall(r"```python\n(from fleetmeter.llm import record_call.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    assert names["cost"].nanodollars == nanodollars(model="anthropic/claude-sonnet-4-5") > 0


def test_an_object_or_a_whole_answer_may_be_given() -> None:
    """An SDK's object is read by its members; a whole answer tells its tier, too."""
    usage = SimpleNamespace(prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100)
    plain = llm.record_call(usage=usage, model="gpt-6-luna")
    answer = {"model": "gpt-6-luna", "service_tier": "priority", "usage": vars(usage)}
    dear = llm.record_call(usage=answer, model="gpt-6-luna")
    asked = llm.record_call(usage=usage, model="gpt-6-luna", tier="priority")
    assert isinstance(plain, Cost)
    assert isinstance(dear, Cost)
    assert dear == asked
    assert dear.nanodollars == 2 * plain.nanodollars
    assert nanodollars() == 5 * plain.nanodollars


def test_own_prices_savings_and_the_base_url() -> None:
    """A price list of the user's own says who answers where, what it costs, and what is saved."""
    prices = PriceList(
        Book({"house": ModelPrice.from_mapping("house", {"input": 1, "output": 2})}, providers={"10.0.0.9": "openai"}),
        baseline="gpt-6-sol",
    )
    cost = llm.record_call(
        usage={"prompt_tokens": 1_000, "completion_tokens": 0},
        model="house",
        base_url="http://10.0.0.9/v1",
        prices=prices,
    )
    assert cost == Cost(1_000_000)
    assert nanodollars(model="house") == 1_000_000
    assert total("cost_savings_usd_total", source="routing") > 0


@pytest.mark.parametrize("usable", [True, False], ids=["a file", "a file that cannot be used"])
def test_prices_of_the_environment(
    usable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`FLEETMETER_PRICES` names the prices; if the file cannot be used, the log says why and listed prices hold."""
    file = tmp_path / "prices.toml"
    file.write_text("[models.house]\ninput = 3\noutput = 5\n" if usable else "[models.house]\ninput = 3\n")
    monkeypatch.setenv("FLEETMETER_PRICES", str(file))
    any_call.usual_prices.cache_clear()
    try:
        house, listed = (llm.record_call(usage=OPENAI, model=model) for model in ("house", "gpt-6-sol"))
    finally:
        any_call.usual_prices.cache_clear()
    assert isinstance(house, Cost) is usable
    assert isinstance(listed, Cost)
    assert ("models.house.output" in caplog.text) is not usable


def test_a_failed_call_and_one_that_told_nothing() -> None:
    """No usage and an error is a failure; None is an answer of unknown price."""
    assert llm.record_call(model="gpt-6-sol", error="RateLimitError", retries=2) is None
    found = llm.record_call(usage=None, model="gpt-6-sol", stream=True, aborted="unknown", time_to_first_token=0.1)
    assert isinstance(found, Unpriced)
    assert total("openai_unpriced_calls_total") == 1
    assert total("openai_errors_total", type="RateLimitError") == 1
    assert total("openai_retries_total") == 2
    assert total("openai_stream_aborts_total", usage="unknown") == 1
    assert total("openai_time_to_first_token_seconds_count") == 1
    assert total("openai_api_calls_total") == 2


def test_values_in_force_are_the_call_s() -> None:
    """The intent of the block counts unless one is given."""
    with llm.attributes(intent="search"):
        llm.record_call(usage=OPENAI, model="gpt-6-sol")
        llm.record_call(usage=OPENAI, model="gpt-6-sol", intent="chat")
    assert total("openai_cost_usd_count", intent="search") == total("openai_cost_usd_count", intent="chat") == 1


BAD = [
    ("no usage", {"usage": "120 tokens"}, "usage: it has neither prompt_tokens nor input_tokens"),
    ("nothing in it", {"usage": {}}, "usage: it has neither prompt_tokens nor input_tokens"),
    (
        "a negative count",
        {"usage": {**OPENAI, "prompt_tokens": -5}},
        "usage: prompt_tokens is -5; expected a whole number",
    ),
    (
        "half a token",
        {"usage": {**OPENAI, "completion_tokens": 0.5}},
        "usage: completion_tokens is 0.5; expected a whole",
    ),
    ("a long name", {"model": "m" * 10_240}, "… has no price: a name of 256 characters or more is no model's"),
    ("no name", {"model": None}, "no model is named"),
    ("an unknown model", {"model": "gpt-99"}, "'gpt-99' has no price at openai"),
    ("an unknown provider", {"provider": "opnai"}, "'gpt-6-sol' has no price at opnai"),
    ("no provider", {"provider": 5}, "'gpt-6-sol' has no price at 5"),
    (
        "an unknown address",
        {"base_url": "http://10.1.1.1/v1"},
        "nobody knows the provider that answered as 'gpt-6-sol'; name it by the address",
    ),
    ("an unknown tier", {"tier": "scale"}, "'scale'"),
]


@pytest.mark.parametrize(("arguments", "told"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_is_named_and_the_rest_is_done(
    arguments: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One short line names the thing; the call counts once, unpriced; nothing is raised."""
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        found = llm.record_call(**{"usage": OPENAI, "model": "gpt-6-sol", "duration": 0.5, **arguments})
    assert isinstance(found, Unpriced)
    (message,) = [one for one in caplog.messages if "without its price" in one]
    assert told in message
    assert len(message) < 500
    assert total("openai_api_calls_total") == total("openai_unpriced_calls_total") == 1
    assert total("openai_api_duration_seconds_count") == 1
    assert nanodollars() == 0


def test_what_a_bad_count_leaves_certain_is_counted() -> None:
    """The completion's tokens are certain though the prompt's are not."""
    llm.record_call(usage={**OPENAI, "prompt_tokens": -5}, model="gpt-6-sol")
    assert total("openai_tokens_used_sum", type="completion") == 600
    assert total("openai_tokens_used_sum", type="reasoning") == 400


def test_an_unknown_label_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A name that is no label is told with those that there are, and the call counts."""
    from fleetmeter.attribution import labels

    labels._told.discard("tenat")
    with llm.attributes(tenat="acme", intent="chat"):
        llm.record_call(usage=OPENAI, model="gpt-6-sol")
    assert total("openai_api_calls_total", intent="chat") == 1
    assert "there is no label 'tenat', so it is left out; the labels are: intent" in caplog.text


def test_without_the_price_list_the_call_counts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without genai-prices, what to install is told, and calls count under `other`, unpriced."""
    import sys

    for module in ("genai_prices", "genai_prices.data_snapshot"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(any_call, "usual_prices", PriceList)
    found = llm.record_call(usage=OPENAI, model="gpt-6-sol")
    assert isinstance(found, Unpriced)
    assert "pip install 'fleetmeter[openai]'" in caplog.text
    assert total("openai_unpriced_calls_total", model="other") == 1


def test_no_trouble_with_prices_costs_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts without a saving if the baseline has no price, and unpriced if its address is none."""
    import sys

    house = ModelPrice.from_mapping("house", {"input": 1, "output": 2})
    prices = PriceList({"house": house}, baseline="gpt-6-sol")
    with monkeypatch.context() as missing:
        for module in ("genai_prices", "genai_prices.data_snapshot"):
            missing.setitem(sys.modules, module, None)
        assert isinstance(llm.record_call(usage=OPENAI, model="house", prices=prices), Cost)
    assert isinstance(llm.record_call(usage=OPENAI, model="gpt-6-sol", base_url="http://[", prices=prices), Unpriced)
    assert llm.record_call(model="gpt-6-sol", base_url="http://[", prices=prices) is None
    assert total("openai_api_calls_total") == 3
    assert total("openai_unpriced_calls_total") == 1
    assert total("cost_savings_usd_total", source="routing") == 0
