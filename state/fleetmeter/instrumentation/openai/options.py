"""How the calls of a client are counted."""

from dataclasses import dataclass
from typing import Any

from fleetmeter.instrumentation.openai.estimates import Tokenizer
from fleetmeter.pricing import PriceList


@dataclass(frozen=True, eq=False)
class Options:
    """How calls are counted; see `instrument_openai`."""

    prices: PriceList
    ask_for_usage: bool = False
    tokenizer: Tokenizer | None = None
    asked_for: tuple[Any, ...] = ()
    """The arguments that it was made from, to compare two of them."""
    genai: bool = False
    """Whether calls are shown under OpenTelemetry's names, too."""
