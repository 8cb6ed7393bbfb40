"""What an exception tells of the call that ended in it, whichever major of the SDK and transport it is from."""

import json
from typing import Any

from fleetmeter.llm.vocabulary import OPENAI_ERROR_TYPES

_TIMEOUTS = frozenset({"TimeoutException", "TimeoutError"})
_TRANSPORT = frozenset({"TransportError", "HTTPError", "StreamError", "ClientError"})
_UNREADABLE = "APIResponseValidationError"
_RETRY_COUNT = "x-stainless-retry-count"
"""The header in which the SDK tells the server how often it has sent a request again."""


def error_type_of(error: BaseException) -> str | None:
    """The name that an exception counts under; None if it is no error of the call: the caller gave up.

    Errors of the SDK count under their class, or the nearest class above it that `OPENAI_ERROR_TYPES` knows. In the
    middle of a stream openai 2.x raises its transport's errors as they are; they count as what 3.x raises for them.
    An answer that is no JSON counts as one that cannot be validated.
    """
    if not isinstance(error, Exception):
        return None  # CancelledError, GeneratorExit, KeyboardInterrupt
    names = [one.__name__ for one in type(error).__mro__]
    for name in names:
        if name in OPENAI_ERROR_TYPES:
            return name
    if _TIMEOUTS.intersection(names):
        return "APITimeoutError"
    if _TRANSPORT.intersection(names) or isinstance(error, ConnectionError):
        return "APIConnectionError"
    if isinstance(error, json.JSONDecodeError):
        return _UNREADABLE
    return "other"


def request_of(error: object) -> Any:
    """The request that an exception is about; None if it has none, which an error of httpx says by raising."""
    try:
        found = getattr(error, "request", None)
        return getattr(getattr(error, "response", None), "request", None) if found is None else found
    except RuntimeError:
        return None


def retries_of(error: object) -> int:
    """How often the SDK had sent a request again when it gave up, as the request's header says; 0 if nothing does."""
    ask = getattr(getattr(request_of(error), "headers", None), "get", None)
    said = ask(_RETRY_COUNT) if callable(ask) else None
    return int(said) if isinstance(said, str) and said.isdecimal() else 0
