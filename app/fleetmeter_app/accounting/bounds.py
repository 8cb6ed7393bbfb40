"""What a call may cost at most, for a reservation before it is made."""

from collections.abc import Mapping
from typing import Any

from fleetmeter.pricing import Cost, PriceList, Usage
from fleetmeter_app.accounting.estimates import most_prompt_tokens
from fleetmeter_app.wire.questions import completion_limit

MOST_COMPLETION_TOKENS = 128_000
"""Of a request that names no limit: what the models of today write at most."""


def most_nanodollars(prices: PriceList, model: str, fields: Mapping[str, Any], body_bytes: int, endpoint: str) -> int:
    """A bound of a call's cost: every byte a token of the prompt, every choice as long as it may be, the dearest tier.

    0 if the model has no price.
    """
    limit = 0 if endpoint == "embeddings" else completion_limit(fields) or MOST_COMPLETION_TOKENS
    choices = fields.get("n")
    n = choices if isinstance(choices, int) and not isinstance(choices, bool) and 0 < choices <= 128 else 1
    usage = Usage(prompt=most_prompt_tokens(body_bytes), completion=limit * n)
    tiers = (None, "priority") if fields.get("service_tier") in ("auto", "priority", "fast") else (None,)
    costs = (prices.price(model, usage, tier=tier) for tier in tiers)
    return max((cost.nanodollars for cost in costs if isinstance(cost, Cost)), default=0)
