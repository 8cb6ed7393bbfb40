"""Rates that genai-prices 0.2.3 lacks, each with its source and the day on which it was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase

_LITELLM = "LiteLLM's price file, read 2026-11-30"
_OUTPUT = "genai-prices 0.2.3, as its rate of output"


@dataclass(frozen=True)
class Supplement:
    """Rates for models of OpenAI whose name fits `pattern`, in US dollars per million tokens.

    They add rates that the list lacks, and never replace its own. `per_input` are rates as multiples of the input rate
    at the same tier and context length. `model` is the name to count under if the list has no such model.
    """

    pattern: str
    source: str
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    per_input: Mapping[str, Decimal] = field(default_factory=dict)
    tiers: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    model: str | None = None


def _rates(**texts: str) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in texts.items()}


SUPPLEMENTS = (
    Supplement(
        "gpt-6.1-terra*",
        "developers.openai.com/api/docs/pricing, read 2026-10-26: 12 hours cost 2.5 times the input",
        per_input=_rates(cache_write_12h="2.5"),
    ),
    Supplement(
        "text-embedding-3-small",
        "developers.openai.com/api/docs/pricing, as LiteLLM 1.109.1 recorded it, read 2026-11-23",
        tiers={"batch": _rates(input="0.01")},
    ),
    Supplement(
        "text-embedding-3-large",
        "developers.openai.com/api/docs/pricing, as LiteLLM 1.109.1 recorded it, read 2026-11-23",
        tiers={"batch": _rates(input="0.065")},
    ),
    Supplement("gpt-4o-audio-preview-2024-10-01", _LITELLM, _rates(audio_in="100", audio_out="200")),
    Supplement("gpt-4o-audio-preview*", _LITELLM, _rates(audio_in="40", audio_out="80")),
    Supplement("gpt-4o-mini-audio-preview*", _LITELLM, _rates(audio_in="10", audio_out="20")),
    # these models make nothing but images, and the list names their rate `output`
    Supplement("gpt-image-1", _OUTPUT, _rates(image_out="40"), tiers={"batch": _rates(image_out="20")}),
    Supplement("gpt-image-1-mini", _OUTPUT, _rates(image_out="8"), tiers={"batch": _rates(image_out="4")}),
    Supplement("gpt-image-2*", _OUTPUT, _rates(image_out="30"), tiers={"batch": _rates(image_out="15")}),
    Supplement("ft:gpt-4o-mini-2024-*", _LITELLM, _rates(cached_input="0.15")),
    Supplement(
        "ft:gpt-4o-2024-*",
        _LITELLM,
        _rates(cached_input="1.875"),
        tiers={"batch": _rates(input="1.875", output="7.5")},
    ),
    Supplement("ft:gpt-4.1-2025-*", _LITELLM, _rates(input="3", cached_input="0.75", output="12"), model="ft:gpt-4.1"),
    Supplement(
        "ft:gpt-4.1-mini-2025-*",
        _LITELLM,
        _rates(input="0.8", cached_input="0.2", output="3.2"),
        model="ft:gpt-4.1-mini",
    ),
    Supplement(
        "ft:gpt-4.1-nano-2025-*",
        _LITELLM,
        _rates(input="0.2", cached_input="0.05", output="0.8"),
        model="ft:gpt-4.1-nano",
    ),
)

REGIONAL_UPLIFT = Decimal("1.1")
"""Regional processing multiplies OpenAI's prices by this, for models released from 2026-03-05 on.

Source: developers.openai.com/api/docs/guides/data-residency (read 2026-11-30).
"""
_UPLIFTED = ("gpt-5.4", "gpt-5.5", "gpt-5.6", "gpt-6")
"""Beginnings of the names of those models."""


def supplement_for(name: str) -> Supplement | None:
    """The first supplement whose pattern fits a model's name in lower case."""
    return next((supplement for supplement in SUPPLEMENTS if fnmatchcase(name, supplement.pattern)), None)


def is_uplifted(model: str) -> bool:
    """Whether regional processing of a model costs more; `model` is its id in the price list."""
    return model.startswith(_UPLIFTED)
