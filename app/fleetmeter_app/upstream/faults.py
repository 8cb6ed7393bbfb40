"""Faults on demand: errors and delays that a request or the configuration asks for.

A caller writes a fault into a header (`x-upstream-fault: 429`). As a gateway forwards no headers, it may also stand in
the text of a message: `[[fault:429]]`. The words after the colon are separated by commas:

    429                   one of KINDS: the error to answer with
    latency=0.3           seconds to wait before any answer
    retry_after=0.05      seconds to send with a 429 or 503
    times=1               how many attempts of a call fail (the SDK counts them in x-stainless-retry-count)
    ...@gpt-6-luna        at the end: only for this model

If a text has several faults, the first that concerns the model is used.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from fleetmeter_app.errors import ApiError, InvalidRequestError, ModelNotFoundError

HEADER = "x-upstream-fault"
_IN_TEXT = re.compile(r"\[\[fault:([^\]]*)\]\]")


def _rate_limited(model: str) -> ApiError:
    message = f"Rate limit reached for {model} on requests per min. Please try again later."
    return ApiError(429, "requests", message, code="rate_limit_exceeded")


def _out_of_quota(model: str) -> ApiError:
    message = f"You exceeded your current quota for {model}, please check your plan and billing details."
    return ApiError(429, "insufficient_quota", message, code="insufficient_quota")


def _server_error(model: str) -> ApiError:
    message = f"The server had an error while {model} was processing your request."
    return ApiError(500, "server_error", message)


def _overloaded(model: str) -> ApiError:
    return ApiError(503, "server_error", f"{model} is currently overloaded, please try again later.")


def _bad_key(_model: str) -> ApiError:
    message = "Incorrect API key provided."
    return ApiError(401, "invalid_request_error", message, code="invalid_api_key")


def _invalid(model: str) -> ApiError:
    return InvalidRequestError(f"Invalid value for {model}.", param="messages", code="invalid_value")


def context_length_exceeded(model: str) -> ApiError:
    """The error for a prompt that is too long for the model."""
    message = f"Your input exceeds the context window of {model}. Please adjust your input and try again."
    return InvalidRequestError(message, param="messages", code="context_length_exceeded")


# The errors that can be asked for, by name. Types and codes are OpenAI's.
KINDS: dict[str, Callable[[str], ApiError]] = {
    "400": _invalid,
    "401": _bad_key,
    "404": ModelNotFoundError,
    "429": _rate_limited,
    "500": _server_error,
    "503": _overloaded,
    "context_length": context_length_exceeded,
    "quota": _out_of_quota,
}


@dataclass(frozen=True)
class Fault:
    """One wish for trouble; `kind` is None if only the time of the answer changes."""

    kind: str | None = None
    model: str | None = None
    latency: float | None = None
    retry_after: float | None = None
    times: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one fault. Raises `InvalidRequestError` if the text is none, so that a mistyped one is noticed."""
        words, _, model = text.partition("@")
        kind: str | None = None
        numbers: dict[str, float] = {}
        for word in (word.strip() for word in words.split(",")):
            name, equals, value = word.partition("=")
            if word in KINDS and kind is None:
                kind = word
            elif equals and name in {"latency", "retry_after", "times"} and name not in numbers:
                numbers[name] = _number(text, value)
            else:
                raise _unreadable(text, f"{word!r} is not one of {', '.join(KINDS)}, nor a setting")
        times = numbers.get("times")
        return cls(
            kind=kind,
            model=model.strip() or None,
            latency=numbers.get("latency"),
            retry_after=numbers.get("retry_after"),
            times=None if times is None else int(times),
        )

    def concerns(self, model: str, attempt: int) -> bool:
        """Whether the fault is meant for this model and attempt (the first attempt is 0)."""
        return self.model in {None, model} and (self.times is None or attempt < self.times)


def find_fault(header: str | None, text: str, model: str, attempt: int) -> Fault | None:
    """The fault that a request asks for, or None. Raises `InvalidRequestError` if one cannot be read."""
    wishes = ([header] if header else []) + _IN_TEXT.findall(text)
    faults = [Fault.parse(wish) for wish in wishes]
    return next((fault for fault in faults if fault.concerns(model, attempt)), None)


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise _unreadable(text, f"{value!r} is not a number") from None
    if not (math.isfinite(number) and number >= 0):
        raise _unreadable(text, f"{value!r} is not a number from 0 upwards")
    return number


def _unreadable(text: str, reason: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The fault {text!r} cannot be read: {reason}; an example: 429,retry_after=0.1@gpt-6-luna.",
        param="messages",
        code="invalid_fault",
    )
