"""Reads the usage that almost every answer states, without the questions that only odd servers give rise to.

That is the usage of OpenAI's chat completions, responses and embeddings, text only. `plain_counts` says of no other
that it can read it; the tests hold the two readers against each other.
"""

from typing import Any, TypeVar

from fleetmeter.pricing.counts import MOST_TOKENS

U = TypeVar("U")
Counts = tuple[int, int, int, int, int, bool, bool]
"""Tokens of the prompt and of the completion; of these cached, written to a cache, and spent on reasoning; then whether
the usage states how many of each side are audio. They are members of `Usage`; all others are 0."""


_CHAT = ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")
_RESPONSES = ("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")
"""How each API names prompt and completion, and the tables of their parts."""
_CHAT_MEMBERS = frozenset((*_CHAT, "total_tokens"))
_RESPONSES_MEMBERS = frozenset((*_RESPONSES, "total_tokens"))
_PROMPT_PARTS = frozenset({"cached_tokens", "cache_write_tokens", "audio_tokens"})
_COMPLETION_PARTS = frozenset(
    {"reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"}
)
_NOTHING: dict[str, Any] = {}
_NO_COUNT = (type(None), int)
"""What a count that is not stated, or 0, is of; `False` and `""` are in doubt."""


class Draft:
    """The members of a `Usage` before it is one: what is frozen takes ten times as long to fill."""

    __slots__ = (
        "audio_in",
        "audio_out",
        "cache_write",
        "cache_write_1h",
        "cache_write_12h",
        "cached",
        "cached_audio",
        "cached_image",
        "completion",
        "image_in",
        "image_out",
        "kinds_in_stated",
        "kinds_out_stated",
        "prompt",
        "reasoning",
    )  # fmt: skip

    def __init__(
        self,
        prompt: int,
        completion: int,
        cached: int,
        cache_write: int,
        reasoning: int,
        kinds_in_stated: bool,
        kinds_out_stated: bool,
    ) -> None:
        self.prompt = prompt
        self.completion = completion
        self.cached = cached
        self.cache_write = cache_write
        self.reasoning = reasoning
        self.kinds_in_stated = kinds_in_stated
        self.kinds_out_stated = kinds_out_stated
        self.audio_in = self.audio_out = self.image_in = self.image_out = 0
        self.cached_audio = self.cached_image = self.cache_write_1h = self.cache_write_12h = 0


def plain_counts(raw: object) -> Counts | None:
    """The counts of a usage as `read_usage` reads it; None if it is not plain, or in any doubt."""
    if type(raw) is not dict:
        return None
    if raw.keys() <= _CHAT_MEMBERS:
        names = _CHAT
    elif raw.keys() <= _RESPONSES_MEMBERS:
        names = _RESPONSES
    else:
        return None
    prompt_name, completion_name, of_prompt_name, of_completion_name = names
    get = raw.get
    prompt, completion, total = get(prompt_name), get(completion_name, 0), get("total_tokens", 0)
    of_prompt, of_completion = get(of_prompt_name), get(of_completion_name)
    if of_prompt is None:
        of_prompt = _NOTHING
    if of_completion is None:
        of_completion = _NOTHING
    if not (
        type(of_prompt) is type(of_completion) is dict
        and of_prompt.keys() <= _PROMPT_PARTS
        and of_completion.keys() <= _COMPLETION_PARTS
    ):
        return None
    get = of_prompt.get
    cached, written, audio_in = get("cached_tokens", 0), get("cache_write_tokens", 0), get("audio_tokens")
    reasoning, audio_out = of_completion.get("reasoning_tokens", 0), of_completion.get("audio_tokens")
    if (
        not (type(prompt) is type(completion) is type(cached) is type(written) is type(reasoning) is type(total) is int)
        or audio_in
        or audio_out
        or type(audio_in) not in _NO_COUNT
        or type(audio_out) not in _NO_COUNT
        or not 0 <= reasoning <= completion
        or cached < 0
        or written < 0
        or cached + written > prompt
    ):
        return None
    both = prompt + completion
    if both > MOST_TOKENS or (total != both and total):
        return None
    return prompt, completion, cached, written, reasoning, audio_in is not None, audio_out is not None


def plain_usage(cls: type[U], raw: object) -> U | None:
    """The usage as `read_usage` reads it, made of the class `Usage`; None if it is not plain, or in any doubt."""
    counts = plain_counts(raw)
    if counts is None:
        return None
    draft: Any = Draft(*counts)
    draft.__class__ = cls
    return draft  # type: ignore[no-any-return]
