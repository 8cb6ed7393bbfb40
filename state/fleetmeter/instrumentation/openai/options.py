"""How the calls of a client are counted."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fleetmeter.instrumentation.openai.estimates import Tokenizer
from fleetmeter.instrumentation.openai.plans import Plans
from fleetmeter.pricing import PriceList


@dataclass(frozen=True, eq=False)
class Options:
    """How calls are counted; see `instrument_openai`."""

    prices: PriceList
    ask_for_usage: bool
    tokenizer: Tokenizer | None
    asked_for: tuple[Any, ...]
    """The arguments that it was made from, to compare two of them."""
    plans: Plans | None
    """What records plain calls; None if each is shown in other ways, too."""
    genai: bool = False
    """Whether calls are shown under OpenTelemetry's names, too."""

    @cached_property
    def asks_more(self) -> bool:
        """Whether a call has to keep more than most do."""
        return self.genai or self.tokenizer is not None
