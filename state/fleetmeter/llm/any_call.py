"""A call of any model, made by whatever means: its usage as it came is read, priced and counted."""

import logging
import os
from functools import cache
from typing import Any

from fleetmeter.attribution.context import current_attributes
from fleetmeter.errors import SettingError
from fleetmeter.keywords import names_its_arguments
from fleetmeter.llm.calls import NO_ANSWER, record_outcome
from fleetmeter.pricing.answer import read_answer
from fleetmeter.pricing.cost import Cost
from fleetmeter.pricing.doubt import Unpriced
from fleetmeter.pricing.price_list import PriceList
from fleetmeter.pricing.usage import Usage, read_usage

_log = logging.getLogger("fleetmeter")


@cache
def usual_prices() -> PriceList:
    """The prices of the file that `FLEETMETER_PRICES` names, for callers who pass no price list; or the listed ones."""
    try:
        return PriceList.from_env(os.environ)
    except SettingError as error:
        _log.error("calls have listed prices only: %s", error)
        return PriceList()


@names_its_arguments
def record_call(
    *,
    usage: object = NO_ANSWER,
    model: str,
    provider: str | None = None,
    base_url: object = None,
    tier: str | None = None,
    endpoint: str = "chat.completions",
    intent: str | None = None,
    stream: bool = False,
    duration: float | None = None,
    retries: int | None = None,
    time_to_first_token: float | None = None,
    aborted: str | None = None,
    error: BaseException | str | None = None,
    prices: PriceList | None = None,
) -> Cost | Unpriced | None:
    """Count and price one call of any model, and return what it cost, or why that is not known; never raises.

        fleetmeter.llm.record_call(usage=answer["usage"], model="claude-sonnet-4-5", provider="anthropic")

    `usage` is the dictionary or object as the API gave it, in any of the shapes that `read_usage` knows, or a whole
    answer that holds one. Of a usage that is in doubt, the certain tokens count, and the call is unpriced. None says
    that the answer told no usage: the call is unpriced. Leave `usage` out for a call that was not answered; the result
    is None then.

    `model` is the model that answered. `provider` is who answered, as genai-prices names them (`openai`, `anthropic`,
    `groq`, …); `base_url`, the address that was called, tells it as well; with neither it is that of `prices`, OpenAI
    if nothing else was said. `tier` is the service tier that the answer named; a whole answer tells it itself.
    `duration` is in seconds; without one, nothing is said of the call's time. Without `prices` they are those of the
    file that `FLEETMETER_PRICES` names, or the listed ones. The other arguments are those of `record_openai_call`.
    """
    price_list = usual_prices() if prices is None else prices
    found: Any = usage
    cost: Cost | Unpriced | None = None
    saving: Cost | None = None
    if usage is NO_ANSWER:
        name = price_list.normalise(model, base_url=base_url, provider=provider)
    else:
        stated = read_answer(usage, endpoint=endpoint)
        found = read_usage(usage, endpoint=endpoint) if stated.usage is None and usage is not None else stated.usage
        tier = stated.tier if tier is None else tier
        name, cost = price_list.named_price(model, found, tier=tier, base_url=base_url, provider=provider)
        if isinstance(found, Usage) and isinstance(cost, Cost):
            saving = price_list.saving(cost, found, tier=tier)
    record_outcome(
        current_attributes(),
        model=name,
        endpoint=endpoint,
        intent=intent,
        stream=bool(stream),
        duration=duration,
        usage=found,
        cost=cost,
        retries=retries,
        time_to_first_token=time_to_first_token,
        aborted=aborted,
        error=error,
        saving=saving,
    )
    return cost
