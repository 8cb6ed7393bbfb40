"""What a log may say of an upstream's failure: enough to find and compare it, and no word of its message.

Providers quote the input in their messages ("your prompt '…' was flagged"), and some quote a part of the key.
"""

import secrets
from hashlib import blake2b

from fleetmeter_app.transport.failures import UpstreamFailure

_KEY = secrets.token_bytes(32)
"""Drawn at the start and kept nowhere, so that nobody can find out by a mark whether a guessed prompt was meant."""

_IN_OUR_WORDS = frozenset({"APIConnectionError", "APITimeoutError", "APIResponseValidationError"})
"""Failures that no upstream tells: their messages are the gateway's own and quote nothing."""


def remark(failure: UpstreamFailure) -> str:
    """Class, code and status of a failure, length and mark of its message; equal messages have equal marks.

    A `failure` has the first 500 characters of a message, so longer ones that begin alike have equal marks, too.

    Example: `APIError server_error (status 200, message of 57 characters, mark 1f3a9c0e)`.
    """
    details = []
    if failure.status is not None:
        details.append(f"status {failure.status}")
    if failure.error_type in _IN_OUR_WORDS and failure.message:
        details.append(failure.message)
    elif failure.message:
        details.append(f"message of {len(failure.message)} characters, mark {_mark(failure.message)}")
    head = " ".join(filter(None, (failure.error_type, failure.code)))
    return f"{head} ({', '.join(details)})" if details else head


def _mark(message: str) -> str:
    return blake2b(message.encode("utf-8", "replace"), digest_size=4, key=_KEY).hexdigest()
