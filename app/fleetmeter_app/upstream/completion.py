"""Answers and token counts that follow from the request alone, so that a test which knows the question knows the bill.

One word is one token. How many are cached, written to the cache, or reasoning is drawn from a digest of the prompt. A
prompt can also state what to bill, in the API's counts: `[[usage:prompt=100,cached=60,completion=20]]`. `cache_write`
and `reasoning` may be stated, too. A count that is left out is 0.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.upstream.ledger import BilledUsage

_BILL = re.compile(r"\[\[usage:([^\]]*)\]\]")
_COUNTS = ("prompt", "cached", "cache_write", "completion", "reasoning")
# More than any model writes: a mistyped count must not fill the memory with words.
_MOST_COMPLETION_TOKENS = 128_000
_WORDS = (
    "price",
    "volume",
    "margin",
    "growth",
    "trend",
    "support",
    "resistance",
    "earnings",
    "revenue",
    "guidance",
    "momentum",
    "risk",
    "yield",
    "average",
    "outlook",
    "market",
)


@dataclass(frozen=True)
class Completion:
    """One answer: its text, why it ended, and the tokens of the call by disjoint type."""

    text: str
    finish_reason: Literal["stop", "length"]
    usage: BilledUsage


def complete(prompt: str, max_tokens: int | None = None) -> Completion:
    """The answer to a prompt (the texts of all messages, one per line), at most `max_tokens` long.

    Raises `InvalidRequestError` if the prompt states an impossible bill.
    """
    digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()
    usage = _stated_usage(prompt) or _drawn_usage(prompt, digest)
    reason: Literal["stop", "length"] = "stop"
    if max_tokens is not None and usage.completion_tokens > max_tokens:
        reasoning = min(usage.reasoning, max_tokens)
        usage = BilledUsage(usage.prompt, usage.cached, usage.cache_write, max_tokens - reasoning, reasoning)
        reason = "length"
    words = (_WORDS[digest[index % len(digest)] % len(_WORDS)] for index in range(usage.completion))
    return Completion(" ".join(words), reason, usage)


def _drawn_usage(prompt: str, digest: bytes) -> BilledUsage:
    words = max(1, len(prompt.split()))
    cached = words * (digest[0] % 4) // 4
    cache_write = (words - cached) * (digest[1] % 3) // 3
    completion = 5 + digest[2] % 40
    reasoning = completion * (digest[3] % 3) // 4
    return BilledUsage(words - cached - cache_write, cached, cache_write, completion - reasoning, reasoning)


def _stated_usage(prompt: str) -> BilledUsage | None:
    found = _BILL.search(prompt)
    if found is None:
        return None
    counts = dict.fromkeys(_COUNTS, 0)
    for part in found[1].split(","):
        name, _, value = part.strip().partition("=")
        if name not in counts or re.fullmatch(r"[0-9]{1,9}", value) is None:
            raise _unreadable(found[0], f"{part!r} is none of {', '.join(_COUNTS)} with a whole number")
        counts[name] = int(value)
    usage = BilledUsage(
        prompt=counts["prompt"] - counts["cached"] - counts["cache_write"],
        cached=counts["cached"],
        cache_write=counts["cache_write"],
        completion=counts["completion"] - counts["reasoning"],
        reasoning=counts["reasoning"],
    )
    if usage.prompt < 0 or usage.completion < 0 or usage.completion_tokens > _MOST_COMPLETION_TOKENS:
        raise _unreadable(found[0], "the parts are more than the whole, or the completion is too long")
    return usage


def _unreadable(text: str, reason: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{text} cannot be read: {reason}; an example: [[usage:prompt=100,cached=60,completion=20]].",
        param="messages",
        code="invalid_usage",
    )
