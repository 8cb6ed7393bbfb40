"""One usage in the shapes of many servers.

The shapes were seen at real servers or in public reports, and are named after the servers that use them.
"""

from collections.abc import Callable
from typing import Any

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.upstream.ledger import BilledUsage


def chat_usage(usage: BilledUsage) -> dict[str, Any]:
    """The `usage` object of a chat completion, as openai.types.CompletionUsage reads it."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def response_usage(usage: BilledUsage) -> dict[str, Any]:
    """The `usage` object of a response, as openai.types.responses.ResponseUsage reads it."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def _xai(usage: BilledUsage) -> dict[str, Any]:
    """Reasoning comes on top of the completion, and the total includes it."""
    return {**chat_usage(usage), "completion_tokens": usage.completion}


def _gemini(usage: BilledUsage) -> dict[str, Any]:
    """Only the total includes reasoning."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
    }


def _deepseek(usage: BilledUsage) -> dict[str, Any]:
    """Cached tokens have names of their own."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total,
        "prompt_cache_hit_tokens": usage.cached,
        "prompt_cache_miss_tokens": usage.prompt_tokens - usage.cached,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _floats(usage: BilledUsage) -> dict[str, Any]:
    """Whole numbers, written as 12.0."""
    plain = chat_usage(usage)
    return {name: float(value) if isinstance(value, int) else value for name, value in plain.items()}


def _without_total(usage: BilledUsage) -> dict[str, Any]:
    plain = chat_usage(usage)
    del plain["total_tokens"]
    return plain


def _null_details(usage: BilledUsage) -> dict[str, Any]:
    return {**chat_usage(usage), "prompt_tokens_details": None, "completion_tokens_details": None}


def _negative(usage: BilledUsage) -> dict[str, Any]:
    return {**chat_usage(usage), "completion_tokens": -usage.completion_tokens}


SHAPES: dict[str, Callable[[BilledUsage], Any]] = {
    "openai": chat_usage,
    "xai": _xai,
    "gemini": _gemini,
    "deepseek": _deepseek,
    "floats": _floats,
    "no_total": _without_total,
    "zero_total": lambda usage: {**chat_usage(usage), "total_tokens": 0},
    "null_details": _null_details,
    "zero": lambda _usage: chat_usage(BilledUsage()),
    "negative": _negative,
    "text": lambda _usage: "many tokens",
    "none": lambda _usage: None,
}
"""The member `usage` of a chat completion, by the shape's name; None is null."""


def shaped(shape: str, usage: BilledUsage) -> Any:
    """A chat completion's usage in one of the shapes. Raises `InvalidRequestError` for an unknown shape."""
    if shape not in SHAPES:
        message = f"{shape!r} is no shape of a usage; the shapes are: {', '.join(SHAPES)}."
        raise InvalidRequestError(message, param="messages", code="invalid_answer")
    return SHAPES[shape](usage)
