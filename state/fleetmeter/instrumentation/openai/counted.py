"""Whose calls are counted, and how: everybody's, or those of single clients."""

import os
import weakref
from typing import TYPE_CHECKING, Any

from openai import _base_client as base

from fleetmeter.errors import InstallError
from fleetmeter.instrumentation.openai.estimates import Tokenizer, tokenizer_of
from fleetmeter.instrumentation.openai.options import Options
from fleetmeter.instrumentation.openai.plans import Plans
from fleetmeter.llm import genai
from fleetmeter.pricing import PriceList

if TYPE_CHECKING:
    from pathlib import Path

_everybody: Options | None = None
_single: "weakref.WeakKeyDictionary[Any, Options]" = weakref.WeakKeyDictionary()
"""By a client's connections, which its copies share."""


def checked_options(
    prices: "PriceList | str | Path | None", *, ask_for_usage: bool, estimate: "bool | Tokenizer"
) -> Options:
    """The options of `instrument_openai`, checked."""
    known = PriceList.from_env(os.environ) if prices is None else prices
    price_list = known if isinstance(known, PriceList) else PriceList.from_file(known)
    asked_for = (prices if isinstance(prices, PriceList) else str(prices), ask_for_usage, estimate)
    shown_twice = genai.wanted()
    plans = None if shown_twice else Plans(price_list)
    return Options(price_list, ask_for_usage, tokenizer_of(estimate), asked_for, plans, shown_twice)


def add(client: Any, options: Options) -> None:
    """Count a client, or everybody. Raises `InstallError` if everybody is counted already, with other arguments."""
    global _everybody
    if client is not None:
        _single[_connections(client)] = options
    elif _everybody is not None and _everybody.asked_for != options.asked_for:
        raise InstallError(
            "all clients of openai are counted already, with other arguments; call uninstrument_openai() first"
        )
    elif _everybody is None:
        _everybody = options


def remove(client: Any) -> None:
    """Count a client no longer, or nobody."""
    global _everybody
    if client is not None:
        _single.pop(_connections(client), None)
    else:
        _everybody = None
        _single.clear()


def is_anybody() -> bool:
    """Whether there is anybody whose calls are counted."""
    return _everybody is not None or bool(_single)


def options_for(client: Any) -> Options | None:
    """How a client's calls are counted; None if they are not."""
    if _single:
        own = _single.get(client._client)  # noqa: SLF001
        if own is not None:
            return own
    return _everybody


def _connections(client: Any) -> Any:
    """What a client and its copies share."""
    found = client
    if not isinstance(client, base.BaseClient):
        load = getattr(client, "_load_client", None)  # the module `openai` has a client behind it
        found = load() if callable(load) else getattr(client, "_client", None)  # or a resource, such as `client.chat`
    if not isinstance(found, base.BaseClient):
        raise TypeError(
            f"instrument_openai() got a {type(client).__name__}, expected a client of the openai SDK, or None for all"
        )
    return found._client  # noqa: SLF001  the SDK has no public name for it
