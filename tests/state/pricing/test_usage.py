"""Tokens of a call: how they are read, and that none counts twice."""

from typing import Any

import pytest
from openai.types import CompletionUsage
from openai.types.create_embedding_response import Usage as EmbeddingUsage
from openai.types.responses import ResponseUsage

from fleetmeter.llm import Usage

CHAT: dict[str, Any] = {
    "prompt_tokens": 10_000,
    "completion_tokens": 1_000,
    "total_tokens": 11_000,
    "prompt_tokens_details": {"cached_tokens": 6_000, "cache_write_tokens": 2_000, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 400, "rejected_prediction_tokens": 0},
}
RESPONSE: dict[str, Any] = {
    "input_tokens": 10_000,
    "output_tokens": 1_000,
    "total_tokens": 11_000,
    "input_tokens_details": {"cached_tokens": 6_000, "cache_write_tokens": 2_000},
    "output_tokens_details": {"reasoning_tokens": 400},
}
USAGE = Usage(prompt=10_000, cached=6_000, cache_write=2_000, completion=1_000, reasoning=400)


@pytest.mark.parametrize(
    "answer",
    [CHAT, RESPONSE, CompletionUsage.model_validate(CHAT), ResponseUsage.model_validate(RESPONSE)],
    ids=["chat mapping", "response mapping", "chat object", "response object"],
)
def test_both_apis_are_read_as_objects_and_as_mappings(answer: object) -> None:
    """The same call gives the same usage, whichever API and whichever form it came in."""
    assert Usage.from_openai(answer) == USAGE


def test_missing_details_are_0() -> None:
    """An answer without details, or with null ones, has no cached, written or reasoning tokens."""
    plain = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    assert Usage.from_openai(plain) == Usage(prompt=5, completion=3)
    assert Usage.from_openai(CompletionUsage.model_validate(plain)) == Usage(prompt=5, completion=3)
    nulls = {**plain, "prompt_tokens_details": {"cached_tokens": None}, "completion_tokens_details": None}
    assert Usage.from_openai(nulls) == Usage(prompt=5, completion=3)


def test_embeddings_have_prompt_tokens_only() -> None:
    """The usage of an embedding has no completion."""
    assert Usage.from_openai(EmbeddingUsage(prompt_tokens=7, total_tokens=7)) == Usage(prompt=7)


def test_details_that_a_type_does_not_declare_are_read() -> None:
    """A field that an older SDK does not know, but keeps, counts."""
    extra = CompletionUsage.model_validate(CHAT)
    assert extra.prompt_tokens_details is not None
    assert Usage.from_openai(extra).cache_write == 2_000


def test_disjoint_types_share_no_token() -> None:
    """The five types are the parts of the API's counts, subtracted from their wholes."""
    assert USAGE.disjoint() == {
        "prompt": 2_000,
        "cached": 6_000,
        "cache_write": 2_000,
        "completion": 600,
        "reasoning": 400,
    }


@pytest.mark.parametrize(
    "usage",
    [
        USAGE,
        Usage(prompt=0),
        Usage(prompt=9, cached=4, cache_write=5),
        Usage(prompt=1, completion=7, reasoning=7),
    ],
)
def test_the_sum_over_types_is_the_total(usage: Usage) -> None:
    """The sum of the types is the API's total_tokens, at the edges too."""
    assert sum(usage.disjoint().values()) == usage.total == usage.prompt + usage.completion


def test_parts_never_exceed_their_whole() -> None:
    """Cached plus written above prompt, or reasoning above completion, is refused with the figures."""
    with pytest.raises(ValueError, match="6 cached and 5 cache-write tokens exceed the 10 prompt tokens"):
        Usage(prompt=10, cached=6, cache_write=5)
    with pytest.raises(ValueError, match="4 reasoning tokens exceed the 3 completion tokens"):
        Usage(prompt=10, completion=3, reasoning=4)


@pytest.mark.parametrize("value", [-1, 1.5, "7", True])
def test_counts_are_whole_numbers_from_0(value: Any) -> None:
    """What is no count is refused by name, made by hand or read from an answer."""
    with pytest.raises(ValueError, match=r"completion is .*expected a whole number"):
        Usage(prompt=1, completion=value)
    with pytest.raises(ValueError, match=r"cached_tokens is .*expected a whole number"):
        Usage.from_openai({"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": value}})


@pytest.mark.parametrize("answer", [None, {}, "usage", {"tokens": 3}])
def test_what_is_no_usage_is_refused(answer: object) -> None:
    """Neither API's shape: the message says what was expected."""
    with pytest.raises(ValueError, match="neither prompt_tokens nor input_tokens"):
        Usage.from_openai(answer)


def test_a_total_that_contradicts_its_parts_is_refused() -> None:
    """Counts that do not add up cannot be split without inventing or losing tokens."""
    with pytest.raises(ValueError, match=r"total_tokens is 12000.*add up to 11000"):
        Usage.from_openai({**CHAT, "total_tokens": 12_000})
