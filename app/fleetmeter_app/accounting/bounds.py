"""What a call may cost at most, for a reservation before it is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetmeter.pricing import Cost, PriceList, Usage
from fleetmeter_app.accounting.calls import Origin
from fleetmeter_app.accounting.estimates import most_prompt_tokens
from fleetmeter_app.wire.questions import completion_limit, linked_parts

LINKED_TOKENS = 10_000
"""Tokens of what one part of a message refers to, an image or a file, at most: the link is short, what it is not."""

_MOST_TOKENS = 10_000_000
"""No model reads or writes more: keeps the arithmetic of absurd requests small."""

_MOST_CHOICES = 128
_CHEAP_TIERS = frozenset(("default", "standard", "flex", "batch"))
"""Service tiers that cost no more than the standard rates, which hold if the answer is of another one."""

_DEAREST_TIER = "priority"


@dataclass(frozen=True)
class MostTokens:
    """The tokens of a call at most, and the service tiers that it may be billed by."""

    prompt: int
    completion: int
    tiers: tuple[str | None, ...]


def most_tokens(fields: Mapping[str, Any], body_bytes: int, endpoint: str, completion_tokens: int) -> MostTokens:
    """The tokens of a request: every byte one of the prompt, every choice as long as it may be.

    English has about four bytes to a token, so the prompt's bound is some four times what is charged in the end; text
    in rare scripts comes near to it. `completion_tokens` stands for the limit of a request that names none. What the
    provider keeps of a conversation, and what its tools add, is not in the request and not in the bound.
    """
    choices = fields.get("n")
    n = min(choices, _MOST_CHOICES) if isinstance(choices, int) and not isinstance(choices, bool) and choices > 0 else 1
    limit = 0 if endpoint == "embeddings" else completion_limit(fields) or completion_tokens
    tier = fields.get("service_tier")
    return MostTokens(
        prompt=min(_MOST_TOKENS, most_prompt_tokens(body_bytes) + LINKED_TOKENS * linked_parts(fields)),
        completion=min(_MOST_TOKENS, limit * n),
        tiers=(None,) if tier is None or tier in _CHEAP_TIERS else (None, _DEAREST_TIER),
    )


def most_nanodollars(prices: PriceList, model: str, origin: Origin, most: MostTokens) -> int:
    """A bound of a call's cost at a model, with a prompt that is written to its cache if that is dearer.

    0 if the model has no price: what nobody can price, no budget holds back.
    """
    usages = (Usage(most.prompt, most.completion), Usage(most.prompt, most.completion, cache_write=most.prompt))
    costs = (
        prices.price(model, usage, tier=tier, provider=origin.provider, base_url=origin.base_url)
        for usage in usages
        for tier in most.tiers
    )
    return max((cost.nanodollars for cost in costs if isinstance(cost, Cost)), default=0)
