"""What the upstream bills and what the library prices agree, whatever shape the usage has on the wire."""

from datetime import UTC, datetime

import pytest

from fleetmeter.llm import Usage
from fleetmeter.pricing import Cost, Doubt, PriceList, read_usage
from fleetmeter_app.upstream.ledger import PRICES, TIERS, BilledUsage
from fleetmeter_app.upstream.usages import SHAPES, response_usage, shaped

WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
BILLED = {
    "openai": BilledUsage(prompt=1_000, cached=600, cache_write=200, completion=70, reasoning=30),
    "xai": BilledUsage(prompt=1_000, completion=70, reasoning=30),
    "gemini": BilledUsage(prompt=1_000, completion=70, reasoning=30),
    "deepseek": BilledUsage(prompt=1_000, cached=600, completion=70, reasoning=30),
    "null_details": BilledUsage(prompt=1_000, completion=100),
    "zero": BilledUsage(),
}
"""What each shape can tell; those that are not here tell what OpenAI's does."""


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("model", PRICES)
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape not in {"negative", "text", "none", "duration"}])
def test_the_price_is_the_bill(shape: str, model: str, tier: str) -> None:
    """Two price tables and two readings of each shape lead to the same nano-dollars, at each tier."""
    billed = BILLED.get(shape, BILLED["openai"])
    usage = read_usage(shaped(shape, billed))
    assert isinstance(usage, Usage), usage
    assert (usage.prompt, usage.completion) == (billed.prompt_tokens, billed.completion_tokens)
    price = PriceList().price(model, usage, tier=tier, at=WHEN)
    assert price == Cost(PRICES[model].bill(billed, tier))


@pytest.mark.parametrize("shape", ["negative", "text"])
def test_what_cannot_be_billed_is_in_doubt(shape: str) -> None:
    """A shape from which nobody can tell the tokens gives no usage."""
    assert isinstance(read_usage(shaped(shape, BILLED["openai"])), Doubt)


def test_a_response_says_what_a_chat_says() -> None:
    """The same bill in both of OpenAI's shapes is the same usage."""
    assert read_usage(response_usage(BILLED["openai"])) == read_usage(shaped("openai", BILLED["openai"]))
