"""Under which name an exception counts, so that both majors of the SDK and all its transports agree."""

import json

from fleetmeter.llm.vocabulary import OPENAI_ERROR_TYPES

_TIMEOUTS = frozenset({"TimeoutException", "TimeoutError"})
_TRANSPORT = frozenset({"TransportError", "HTTPError", "StreamError", "ClientError"})
_UNREADABLE = "APIResponseValidationError"


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
