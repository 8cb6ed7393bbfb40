"""What a call may cost at most, before it is made: the money to hold for it."""

from collections.abc import Iterable

from fleetmeter.pricing import Cost, PriceList, Usage

DEAREST_TIER = "priority"
_CHEAP_TIERS = frozenset(("default", "standard", "flex", "batch"))
"""Service tiers that cost no more than the standard rates: what a request that names one of them is billed by."""

MOST_TOKENS = 10_000_000
"""No model reads or writes more; keeps the arithmetic of absurd requests small."""

IMAGE_TOKENS = 10_000
"""Tokens of one picture that a message refers to, at most: its address is short, what stands there is not."""


def most_nanodollars(
    prices: PriceList,
    models: Iterable[str],
    *,
    body_bytes: int,
    completion_tokens: int,
    choices: int = 1,
    pictures: int = 0,
    tier: str | None = None,
    base_url: object = None,
) -> int:
    """The nano-dollars that one call may cost at most, whichever of these models answers; 0 if none has a price.

    A prompt has at most as many tokens as the request has bytes, because each token of a text stands for a byte or
    more, and the JSON around a message for more bytes than the tokens that frame it. English has about four bytes to a
    token, so the bound is some four times what is charged in the end; rare scripts and random text come near to it.
    `completion_tokens` is the limit of one choice. Prompts are priced as plain and as written to a cache, whichever is
    dearer. What tools of the provider cost is not in it, as it is in no cost.
    """
    prompt = min(MOST_TOKENS, body_bytes + pictures * IMAGE_TOKENS)
    completion = min(MOST_TOKENS, completion_tokens * max(1, choices))
    usages = (
        Usage(prompt, completion),
        Usage(prompt, completion, cache_write=prompt, cache_write_12h=prompt),
        Usage(prompt, completion, cache_write=prompt),
    )
    tiers = (tier,) if tier in _CHEAP_TIERS else (None, DEAREST_TIER) if tier else (None,)
    costs = (
        prices.price(model, usage, tier=one, base_url=base_url) for model in models for usage in usages for one in tiers
    )
    return max((cost.nanodollars for cost in costs if isinstance(cost, Cost)), default=0)
