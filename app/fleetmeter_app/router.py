"""Which model answers a question, and which one is next when it does not.

Nothing here does I/O or keeps count: the caller makes the call and records what was chosen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import openai

from fleetmeter.llm.vocabulary import FALLBACK_REASONS
from fleetmeter_app.config import GatewayConfig, Tier

# One of FALLBACK_REASONS, the closed set of the metric's label.
FallbackReason: TypeAlias = str

# OpenAI's error codes say more than the HTTP status: "no access to this model" is a 403, for one.
# An exhausted quota is the account's and not the model's: no other model of that account would answer.
_REASON_OF_CODE: dict[str, FallbackReason | None] = {
    "model_not_found": "model_not_found",
    "rate_limit_exceeded": "rate_limited",
    "context_length_exceeded": "context_length",
    "server_error": "upstream_error",
    "insufficient_quota": None,
}
_REASON_OF_STATUS: dict[int, FallbackReason] = {
    404: "model_not_found",
    408: "timeout",
    409: "upstream_error",
    429: "rate_limited",
    504: "timeout",
}


@dataclass(frozen=True)
class Step:
    """One place in a chain."""

    tier: str
    model: str


@dataclass(frozen=True)
class Selection:
    """The model for a question, and `chain`: the steps that are left if it does not answer."""

    intent: str
    tier: str
    model: str
    chain: tuple[Step, ...]


class ModelRouter:
    """The chains of a configuration: the tier of each intent and what follows it."""

    def __init__(self, config: GatewayConfig) -> None:
        chains = {name: _chain(config.tiers, name) for name in config.tiers}
        self._selections = {
            intent.name: _selection(intent.name, chains[intent.tier]) for intent in config.intents.values()
        }

    def select_model(self, intent: str) -> Selection:
        """The first choice for an intent; KeyError for one that is not configured."""
        return self._selections[intent]

    def fallback(self, selection: Selection, reason: FallbackReason) -> Selection | None:
        """The next choice after one that failed for `reason`, or None at the end of the chain.

        ValueError for a reason that is not one of FALLBACK_REASONS.
        """
        if reason not in FALLBACK_REASONS:
            msg = f"{reason!r} is no reason to fall back; the reasons are: {', '.join(FALLBACK_REASONS)}"
            raise ValueError(msg)
        return _selection(selection.intent, selection.chain) if selection.chain else None


def reason_of(error: Exception) -> FallbackReason | None:
    """Why another model should be tried after this error of the SDK; None when another would not help.

    Any 404 counts as a missing model: nothing else in a request names a resource, and OpenAI-compatible
    servers send codes of their own. A wrong key or a wrong request would fare no better elsewhere.
    """
    if not isinstance(error, openai.APIError):
        return None
    if error.code in _REASON_OF_CODE:
        return _REASON_OF_CODE[error.code]
    match error:
        case openai.APITimeoutError():
            return "timeout"
        case openai.APIStatusError(status_code=status):
            return _REASON_OF_STATUS.get(status, "upstream_error" if status >= 500 else None)
        case _:
            # no connection, an answer that cannot be read, or a stream that reported an error
            return "upstream_error"


def _chain(tiers: Mapping[str, Tier], name: str) -> tuple[Step, ...]:
    """The tier and, depth first, what it falls back to; a model that was tried once is not tried again."""
    steps: dict[str, Step] = {}

    def visit(tier: Tier) -> None:
        steps.setdefault(tier.model, Step(tier.name, tier.model))
        for other in tier.fallback:
            visit(tiers[other])

    visit(tiers[name])
    return tuple(steps.values())


def _selection(intent: str, steps: tuple[Step, ...]) -> Selection:
    first, *rest = steps
    return Selection(intent, first.tier, first.model, tuple(rest))
