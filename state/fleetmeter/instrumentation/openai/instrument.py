"""`instrument_openai` and `uninstrument_openai`: what a service calls; nothing of the SDK is imported before that."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleetmeter.errors import InstallError
from fleetmeter.keywords import names_its_arguments

if TYPE_CHECKING:
    from pathlib import Path

    from fleetmeter.pricing import PriceList

Tokenizer = Callable[[str, str], int]
"""The number of tokens that a model (first argument) sees in a text (second argument)."""


@names_its_arguments
def instrument_openai(
    client: Any = None,
    *,
    prices: "PriceList | str | Path | None" = None,
    ask_for_usage: bool = False,
    estimate: bool | Tokenizer = False,
) -> None:
    """Count and price every call of the openai SDK in this process: sync and async, streams, raw responses, `.parse()`.

    Clients made before and after are counted alike. Results keep their types, and nothing of ours is raised into the
    caller. What a stream cost that told no usage is unknown: the call counts in `openai_unpriced_calls_total`.
    A second call with the same arguments changes nothing. See `uninstrument_openai` for the way back.

    Args:
        client: count this client only, and its copies (`with_options()`), which share its connections; None counts
            all clients of the process. May be called again for further clients.
        prices: a `PriceList`, or the path of a TOML file with own prices. None takes the file that `FLEETMETER_PRICES`
            names, or the listed prices if the variable names none.
        ask_for_usage: ask for usage on streams of chat completions whose caller left it open; the chunk that
            it adds is not shown to the caller.
        estimate: estimate the tokens of streams that told no usage from what was delivered. True takes the library
            tiktoken, whose tables are downloaded here if they are not on this machine; a function of a model and a text
            returns the number of tokens.

    Raises:
        InstallError: the openai SDK is missing or too old, all clients are counted already with other arguments, or
            tiktoken is wanted and cannot be used.
        TypeError: `client` is no client of the openai SDK.
        SettingError: the file of prices cannot be used.
    """
    try:
        from fleetmeter.instrumentation.openai import counted, patches
    except ImportError as error:
        raise InstallError(
            f"instrument_openai() needs {error.name}; install it with: pip install 'fleetmeter[openai]'"
        ) from error
    patches.add(client, counted.checked_options(prices, ask_for_usage=ask_for_usage, estimate=estimate))


def uninstrument_openai(client: Any = None) -> None:
    """Stop counting: this client, or everything, with the SDK's classes as they were.

    Calls that have begun are counted to their end.
    """
    import sys

    patches = sys.modules.get("fleetmeter.instrumentation.openai.patches")
    if patches is not None:
        patches.remove(client)
