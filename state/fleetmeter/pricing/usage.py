"""The tokens of one call: as the API counts them, and as disjoint types whose sum is the total."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the API counts them.

    `cached` and `cache_write` are parts of `prompt`, `reasoning` is a part of `completion`.

    Raises `ValueError` for what is no whole number from 0 up, and where parts exceed their whole.
    """

    prompt: int
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_count(field.name, getattr(self, field.name))
        if self.cached + self.cache_write > self.prompt:
            raise ValueError(
                f"usage: {self.cached} cached and {self.cache_write} cache-write tokens exceed the "
                f"{self.prompt} prompt tokens that they are parts of; "
                "pass the API's own counts, not differences"
            )
        if self.reasoning > self.completion:
            raise ValueError(
                f"usage: {self.reasoning} reasoning tokens exceed the {self.completion} completion tokens "
                "that they are part of; pass the API's own counts, not differences"
            )

    @property
    def total(self) -> int:
        """Prompt and completion tokens together: the API's `total_tokens`."""
        return self.prompt + self.completion

    def disjoint(self) -> dict[str, int]:
        """The five types that share no token, by the value of the label `type`; their sum is `total`."""
        return {
            "prompt": self.prompt - self.cached - self.cache_write,
            "cached": self.cached,
            "cache_write": self.cache_write,
            "completion": self.completion - self.reasoning,
            "reasoning": self.reasoning,
        }

    @classmethod
    def from_openai(cls, usage: object) -> Self:
        """The usage of an answer of the API, as the SDK's object or as a mapping.

        Knows the shapes of chat completions and embeddings (`prompt_tokens`, …) and of responses
        (`input_tokens`, …), as openai 3.54 declares them in `CompletionUsage` and `ResponseUsage`. Details
        that are missing are 0. Raises `ValueError` for anything else, and where `total_tokens` is not the
        sum of both sides.
        """
        if _read(usage, "prompt_tokens") is not None:
            prompt, completion = "prompt_tokens", "completion_tokens"
        elif _read(usage, "input_tokens") is not None:
            prompt, completion = "input_tokens", "output_tokens"
        else:
            raise ValueError(
                f"usage: a {type(usage).__name__} has neither prompt_tokens nor input_tokens; "
                "expected the `usage` of a chat completion, a response or an embedding"
            )
        inputs = _read(usage, f"{prompt}_details")
        outputs = _read(usage, f"{completion}_details")
        result = cls(
            prompt=_count(usage, prompt),
            completion=_count(usage, completion),
            cached=_count(inputs, "cached_tokens"),
            cache_write=_count(inputs, "cache_write_tokens"),
            reasoning=_count(outputs, "reasoning_tokens"),
        )
        total = _read(usage, "total_tokens")
        if total is not None and total != result.total:
            raise ValueError(
                f"usage: total_tokens is {total!r}, but {prompt} and {completion} add up to {result.total}; "
                "the counts contradict each other, so none of them can be trusted"
            )
        return result


def _read(source: object, name: str) -> Any:
    """A member of a mapping or an attribute of an object; None where it is missing."""
    if isinstance(source, Mapping):
        return source.get(name)
    return getattr(source, name, None)


def _count(source: object, name: str) -> int:
    """A count from the answer; 0 where it is missing or null."""
    value = _read(source, name)
    return 0 if value is None else _check_count(name, value)


def _check_count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"usage: {name} is {value!r}; expected a whole number of tokens, 0 or more")
    return value
