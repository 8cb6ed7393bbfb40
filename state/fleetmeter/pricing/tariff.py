"""What one model costs at one provider and tier, on one day: its sheets, and where each figure comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetmeter.pricing.cost import Cost
from fleetmeter.pricing.doubt import Unpriced
from fleetmeter.pricing.sheet import Missing, Sheet
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
    """Prices calls. `steps` are thresholds of prompt tokens, rising from 0, with the sheet for calls above each.

    `model` is the name to count under, `sources` says for each rate where it is from. A model that hears or sees has
    other rates for audio and images: `must_state_in` and `must_state_out` say that a usage has to tell how many
    of a side's tokens those are.
    """

    model: str
    steps: tuple[tuple[int, Sheet], ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    must_state_in: bool = False
    must_state_out: bool = False
    changes_within_days: bool = False

    def cost(self, usage: Usage) -> Cost | Unpriced:
        """The cost of one call, rounded once to the nearest nano-dollar, or what it needs and is not known."""
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

    def _sheet(self, prompt: int) -> Sheet:
        for threshold, sheet in reversed(self.steps):
            if prompt > threshold:
                return sheet
        return self.steps[0][1]
