"""The same calls under OpenTelemetry's names."""

from collections.abc import Callable
from typing import Any

import pytest

import fleetmeter
from fleetmeter.errors import SettingError
from fleetmeter.llm import genai
from fleetmeter.pricing import PriceList
from fleetmeter.testing import Recorder


def test_a_call_is_shown_under_the_conventions_names(
    ask: Callable[..., Any], prices: PriceList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting, one call is one operation, and the catalogue counts it once."""
    monkeypatch.setenv("FLEETMETER_GENAI_METRICS", "true")
    fleetmeter.instrument_openai(prices=prices)
    recorder = Recorder()
    try:
        ask()
    finally:
        fleetmeter.uninstrument_openai()
    labels = {
        "gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "gen_ai_system": "openai",
        "gen_ai_request_model": "gpt-6-luna", "gen_ai_response_model": "gpt-6-luna", "server_address": "127.0.0.1",
    }  # fmt: skip
    assert recorder.total("gen_ai_client_operation_duration_seconds_count", error_type="", **labels) == 1
    for kind, tokens in (("input", 100), ("output", 20)):
        assert recorder.total("gen_ai_client_token_usage_sum", gen_ai_token_type=kind, **labels) == tokens
        assert recorder.total("gen_ai_client_token_usage_count", gen_ai_token_type=kind, **labels) == 1
    assert recorder.total("openai_api_calls_total") == 1


@pytest.mark.usefixtures("counts")
def test_without_the_setting_there_is_nothing(ask: Callable[..., Any]) -> None:
    """Nobody who did not ask for them has further series."""
    before = [sample for family in genai.REGISTRY.collect() for sample in family.samples]
    ask()
    assert [sample for family in genai.REGISTRY.collect() for sample in family.samples] == before


def test_a_setting_that_is_neither_is_named() -> None:
    """`FLEETMETER_GENAI_METRICS` is true or false."""
    assert genai.wanted({"FLEETMETER_GENAI_METRICS": " True "})
    assert not genai.wanted({})
    with pytest.raises(SettingError, match=r"FLEETMETER_GENAI_METRICS.*expected true or false"):
        genai.wanted({"FLEETMETER_GENAI_METRICS": "yes"})
