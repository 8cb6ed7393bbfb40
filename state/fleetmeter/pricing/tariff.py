"""The tariff of one model at one provider, tier and day: its sheets, and the source of each rate."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetmeter.pricing.cost import Cost
from fleetmeter.pricing.counts import MOST_TOKENS
from fleetmeter.pricing.doubt import Unpriced
from fleetmeter.pricing.sheet import Missing, PlainRates, Sheet
from fleetmeter.pricing.usage import Usage

_WORDS = {
    "audio_in": "audio tokens of the prompt",
    "cached_audio": "cached audio tokens",
    "audio_out": "audio tokens of the completion",
    "image_in": "image tokens of the prompt",
    "cached_image": "cached image tokens",
    "image_out": "image tokens of the completion",
    "cache_write_1h": "cache writes that are kept for an hour",
    "cache_write_12h": "cache writes that are kept for 12 hours",
    "input": "prompt tokens",
    "output": "completion tokens",
}


@dataclass(frozen=True)
class Tariff:
    """Prices calls. `steps` are thresholds of prompt tokens, rising from 0, each with the sheet for calls above it.

    With steps at 0 and 272,000, a call with 272,000 prompt tokens costs the first sheet's rates, and one with 272,001
    costs the second's for all its tokens. `model` is the name to count under; `sources` names the source of each rate.
    A model that takes or makes audio or images has other rates for them. If `must_state_in` or `must_state_out` is
    true, a usage has no price unless it states how many tokens of that side are audio or images.
    """

    model: str
    steps: tuple[tuple[int, Sheet], ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    must_state_in: bool = False
    must_state_out: bool = False
    changes_within_days: bool = False

    def cost(self, usage: Usage) -> Cost | Unpriced:
        """The cost of one call, rounded once to the nearest nano-dollar; or why it has none."""
        if (self.must_state_in and usage.prompt and not usage.kinds_in_stated) or (
            self.must_state_out and usage.completion and not usage.kinds_out_stated
        ):
            reason = f"{self.model} has other rates for audio or images, and the usage does not state such tokens"
            return Unpriced("kinds", self.model, reason)
        found = self._sheet(usage.prompt).cost(usage)
        if isinstance(found, Missing):
            what = _WORDS.get(found.rate, found.rate)
            return Unpriced("rate", f"{self.model} {found.rate}", f"{self.model} has no rate for {what}")
        return found

    @property
    def plain(self) -> tuple[PlainRates, int] | None:
        """The rates of plain calls, and the most prompt tokens for which they hold; None if `cost` has to look."""
        rates = self.steps[0][1].plain
        if rates is None or self.must_state_in or self.must_state_out:
            return None
        return rates, self.steps[1][0] if len(self.steps) > 1 else MOST_TOKENS

    def _sheet(self, prompt: int) -> Sheet:
        for threshold, sheet in reversed(self.steps):
            if prompt > threshold:
                return sheet
        return self.steps[0][1]
