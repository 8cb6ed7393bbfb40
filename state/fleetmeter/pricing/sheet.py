"""The rates of one model at one tier, scaled to whole numbers so that a usage is priced exactly."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from fleetmeter.pricing.cost import Cost, rounded
from fleetmeter.pricing.usage import Usage

RATE_NAMES = (
    *("input", "cached_input", "cache_write", "cache_write_1h", "cache_write_12h", "output", "reasoning"),
    *("audio_in", "cached_audio", "audio_out", "image_in", "cached_image", "image_out"),
)
"""Rates in US dollars per million tokens. `reasoning` is listed only if it differs from `output`."""

_STEADY = {
    "cached_input": ("input",),
    "cache_write": ("input",),
    "reasoning": ("output",),
    "cached_audio": ("audio_in",),
    "cached_image": ("image_in",),
}
"""The rate that is used if the one before is not listed: a cache without discount or surcharge costs what input costs.
Audio and images are never charged as text: without a rate of their own they have no price."""


class Missing(NamedTuple):
    """A rate that a usage needs and the sheet lacks, and the number of tokens that need it."""

    rate: str
    tokens: int


class PlainRates:
    """The rates that almost every call costs: those of text, and of tokens that were read from a cache."""

    __slots__ = ("_cached", "_input", "_output", "_per_call", "_reasoning", "_scale")

    def __init__(self, rates: tuple[int, int, int, int], per_call: int, scale: int) -> None:
        """`rates` are those of input, cached input, output and reasoning; `scale` of their units are a nano-dollar."""
        self._input, self._cached, self._output, self._reasoning = rates
        self._per_call = per_call
        self._scale = scale

    def cost(self, prompt: int, completion: int, cached: int, reasoning: int) -> int:
        """Nano-dollars of one call, rounded once. `cached` is a part of `prompt`, `reasoning` one of `completion`."""
        total = self._per_call + (prompt - cached) * self._input + cached * self._cached
        total += (completion - reasoning) * self._output + reasoning * self._reasoning
        return rounded(total, self._scale)


class Sheet:
    """The listed rates for calls within one range of prompt tokens, and the fee per call."""

    def __init__(self, rates: Mapping[str, Decimal], per_call_usd: Decimal = Decimal(0)) -> None:
        self.rates = dict(rates)
        self.per_call_usd = per_call_usd
        every = (*rates.values(), per_call_usd)
        digits = max([0, *(-int(rate.as_tuple().exponent) for rate in every)])
        self._scale = 10**digits
        # US dollars per million tokens are 1,000 nano-dollars a token
        whole = {name: int(rate.scaleb(digits)) * 1_000 for name, rate in rates.items()}
        self._input, self._output, self._audio_in, self._audio_out, self._image_in, self._image_out = (
            whole.get(name) for name in ("input", "output", "audio_in", "audio_out", "image_in", "image_out")
        )
        steady = {name: whole.get(name, whole.get(other)) for name, (other,) in _STEADY.items()}
        self._cached, self._written = steady["cached_input"], steady["cache_write"]
        self._reasoning = steady["reasoning"]
        self._cached_audio, self._cached_image = steady["cached_audio"], steady["cached_image"]
        # if no surcharge for cache writes is listed, long ones cost the same as short ones
        plain_write = None if "cache_write" in rates else self._written
        self._written_1h, self._written_12h = (
            whole.get(name, plain_write) for name in ("cache_write_1h", "cache_write_12h")
        )
        self._per_call = int(per_call_usd.scaleb(digits)) * 1_000_000_000
        self.plain: PlainRates | None = None
        """For calls of text that wrote nothing to a cache; None if such a rate is not listed."""
        if (
            self._input is not None and self._cached is not None
            and self._output is not None and self._reasoning is not None
        ):  # fmt: skip
            plain = (self._input, self._cached, self._output, self._reasoning)
            self.plain = PlainRates(plain, self._per_call, self._scale)

    def cost(self, usage: Usage) -> Cost | Missing:
        """The cost of a usage, rounded once; or the first rate that is missing."""
        plain = self.plain
        if (
            plain is None
            or usage.audio_in or usage.image_in or usage.audio_out or usage.image_out or usage.cache_write
        ):  # fmt: skip
            return self._careful_cost(usage)
        return Cost(plain.cost(usage.prompt, usage.completion, usage.cached, usage.reasoning))

    def _careful_cost(self, usage: Usage) -> Cost | Missing:
        total = self._per_call
        for tokens, rate, name in self._parts(usage):
            if tokens:
                if rate is None:
                    return Missing(name, tokens)
                total += tokens * rate
        return Cost.of_fraction(total, self._scale)

    def _parts(self, usage: Usage) -> tuple[tuple[int, int | None, str], ...]:
        long_writes = usage.cache_write_1h + usage.cache_write_12h
        audio, image = usage.audio_in - usage.cached_audio, usage.image_in - usage.cached_image
        text_cached = usage.cached - usage.cached_audio - usage.cached_image
        return (
            (usage.prompt - usage.cached - usage.cache_write - audio - image, self._input, "input"),
            (text_cached, self._cached, "input"),
            (usage.cache_write - long_writes, self._written, "input"),
            (usage.cache_write_1h, self._written_1h, "cache_write_1h"),
            (usage.cache_write_12h, self._written_12h, "cache_write_12h"),
            (audio, self._audio_in, "audio_in"),
            (usage.cached_audio, self._cached_audio, "cached_audio"),
            (image, self._image_in, "image_in"),
            (usage.cached_image, self._cached_image, "cached_image"),
            (
                usage.completion - usage.reasoning - usage.audio_out - usage.image_out,
                self._output,
                "output",
            ),
            (usage.reasoning, self._reasoning, "output"),
            (usage.audio_out, self._audio_out, "audio_out"),
            (usage.image_out, self._image_out, "image_out"),
        )
