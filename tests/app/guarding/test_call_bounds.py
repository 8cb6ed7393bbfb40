"""What is held for a call: never less than it costs, for whatever a request of text may ask."""

from typing import Any

import pytest

from fleetmeter.pricing import Cost, PriceList, Usage
from fleetmeter_app.accounting.bounds import LINKED_TOKENS, most_nanodollars, most_tokens
from fleetmeter_app.accounting.calls import Origin

PRICES = PriceList()
MODELS = ("gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol", "gpt-6-sol", "gpt-4o", "gpt-4o-mini")
ANY: dict[str, Any] = {"max_completion_tokens": 100}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("tier", [None, "default", "auto", "flex", "priority"])
def test_a_bound_covers_every_way_of_billing(model: str, tier: str | None) -> None:
    """Plain, cached and written prompts at every tier that the answer may name cost at most what is held."""
    most = most_tokens({**ANY, "service_tier": tier}, 300_000, "chat.completions", 4096)
    bound = most_nanodollars(PRICES, model, Origin(), most)
    billed = ("default", "priority" if tier in ("auto", "priority") else "flex")
    for answered in billed:
        for prompt in (1, 100_000, 272_001, 300_000):
            for usage in (Usage(prompt, 100), Usage(prompt, 100, cached=prompt), Usage(prompt, 50, cache_write=prompt)):
                cost = PRICES.price(model, usage, tier=answered)
                assert not isinstance(cost, Cost) or cost.nanodollars <= bound


def test_choices_and_limits_multiply() -> None:
    """Each choice may be as long as the limit; without one, as long as the configuration says."""
    assert most_tokens(ANY, 10, "chat.completions", 4096).completion == 100
    assert most_tokens({**ANY, "n": 3}, 10, "chat.completions", 4096).completion == 300
    assert most_tokens({"n": 3}, 10, "responses", 4096).completion == 3 * 4096
    assert most_tokens({"max_output_tokens": 7}, 10, "responses", 4096).completion == 7
    assert most_tokens({}, 10, "embeddings", 4096).completion == 0


@pytest.mark.parametrize("n", [True, "3", -1, 0, 2.5, None, [3]])
def test_what_is_no_number_of_choices_counts_one(n: object) -> None:
    """The upstream refuses it, or takes it for one."""
    assert most_tokens({**ANY, "n": n}, 10, "chat.completions", 4096).completion == 100


def test_what_a_message_links_to_is_held_for() -> None:
    """An image or a file behind a link costs more than its address; text parts are in the bytes already."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    text = {"type": "text", "text": "What is this?"}
    asked = {**ANY, "messages": [{"role": "user", "content": [text, image, image]}, {"role": "user", "content": "x"}]}
    assert most_tokens(asked, 10, "chat.completions", 4096).prompt == 10 + 2 * LINKED_TOKENS
    odd: list[Any] = [None, "text", [1], [{"content": [1, None, {}]}], [{"content": {"type": "image_url"}}]]
    for messages in odd:
        assert most_tokens({"messages": messages}, 10, "chat.completions", 1).prompt >= 10


def test_absurd_requests_have_a_bound() -> None:
    """No number that a request may name makes the sum unbounded, and a model without a price is held at nothing."""
    most = most_tokens({"max_tokens": 10**400, "n": 10**9}, 10**12, "chat.completions", 4096)
    assert 0 < most_nanodollars(PRICES, "gpt-4o", Origin(), most) < 10**15
    assert most_nanodollars(PRICES, "nobody's-model", Origin(), most) == 0
    assert most_nanodollars(PRICES, "gpt-4o", Origin(provider="unknown"), most) == 0
