"""Usages as servers state them: what each costs, and why; or why nobody can say."""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from fleetmeter.llm import Usage
from fleetmeter.pricing import Answer, Cost, Doubt, PriceList, Unpriced, read_answer, read_usage

WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOL = "gpt-6-sol"
"""2 USD a million prompt tokens (2,000 nano-dollars each), 0.20 cached, 2.50 written, 10 completion."""


class Odd(NamedTuple):
    """A usage, the model that it is of, and what it costs in nano-dollars."""

    why: str
    usage: dict[str, Any]
    nanodollars: int
    model: str = SOL
    provider: str | None = None
    endpoint: str | None = None


ODD = [
    Odd(
        "xAI: reasoning beside the completion, as the total tells",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 170,
         "completion_tokens_details": {"reasoning_tokens": 50}},
        100 * 2_000 + 70 * 10_000,
    ),
    Odd(
        "OpenAI: reasoning inside the completion",
        {"prompt_tokens": 100, "completion_tokens": 70, "total_tokens": 170,
         "completion_tokens_details": {"reasoning_tokens": 50}},
        100 * 2_000 + 70 * 10_000,
    ),
    Odd(
        "Gemini's endpoint: thoughts in the total only",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 170},
        100 * 2_000 + 70 * 10_000,
    ),
    Odd(
        "a total of 0 is a total that nobody counted",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 0},
        100 * 2_000 + 20 * 10_000,
    ),
    Odd("no total", {"prompt_tokens": 100, "completion_tokens": 20}, 100 * 2_000 + 20 * 10_000),
    Odd(
        "whole floats",
        {"prompt_tokens": 100.0, "completion_tokens": 20.0, "total_tokens": 120.0},
        100 * 2_000 + 20 * 10_000,
    ),
    Odd(
        "DeepSeek: cached tokens as hits",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
         "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36},
        36 * 2_000 + 64 * 200 + 20 * 10_000,
    ),
    Odd(
        "DeepSeek: the same under OpenAI's name as well counts once",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
         "prompt_cache_hit_tokens": 64, "prompt_tokens_details": {"cached_tokens": 64}},
        36 * 2_000 + 64 * 200 + 20 * 10_000,
    ),
    Odd(
        "Moonshot: cached tokens beside the sides",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "cached_tokens": 64},
        36 * 2_000 + 64 * 200 + 20 * 10_000,
    ),
    Odd(
        "Anthropic: what was read and written comes on top of the input",
        {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 1_000, "cache_creation_input_tokens": 40},
        100 * 2_000 + 1_000 * 200 + 40 * 2_500 + 20 * 10_000,
    ),
    Odd(
        "LiteLLM: Anthropic's names, and both inside the prompt",
        {"prompt_tokens": 1_140, "completion_tokens": 20, "total_tokens": 1_160, "cache_read_input_tokens": 1_000,
         "cache_creation_input_tokens": 40,
         "prompt_tokens_details": {"cached_tokens": 1_000, "cache_creation_tokens": 40, "audio_tokens": None}},
        100 * 2_000 + 1_000 * 200 + 40 * 2_500 + 20 * 10_000,
    ),
    Odd(
        "LiteLLM: Anthropic's names beside the prompt, as the total tells",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 1_160, "cache_read_input_tokens": 1_000,
         "cache_creation_input_tokens": 40},
        100 * 2_000 + 1_000 * 200 + 40 * 2_500 + 20 * 10_000,
    ),
    Odd(
        "Anthropic: written for an hour at its own rate",
        {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 1_000,
         "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 400}},
        100 * 3_000 + 600 * 3_750 + 400 * 6_000 + 20 * 15_000, "claude-sonnet-4-5", "anthropic",
    ),
    Odd(
        "responses: written for 12 hours",
        {"input_tokens": 150_000, "output_tokens": 0, "total_tokens": 150_000, "input_tokens_details": {
            "cached_tokens": 0, "cache_write_tokens": 40_000,
            "cache_write_tokens_details": {"ttl_30m_tokens": 0, "ttl_12h_tokens": 40_000}}},
        210_000_000, "gpt-6.1-terra",
    ),
    Odd(
        "null details, as many servers have them",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_tokens_details": None,
         "completion_tokens_details": None},
        100 * 2_000 + 20 * 10_000,
    ),
    Odd(
        "llama.cpp through the Responses API: no details of the output",
        {"input_tokens": 30, "output_tokens": 3, "total_tokens": 33, "input_tokens_details": {"cached_tokens": 29}},
        1 * 2_000 + 29 * 200 + 3 * 10_000,
    ),
    Odd(
        "rejected predictions are completion tokens like others",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
         "completion_tokens_details": {"accepted_prediction_tokens": 5, "rejected_prediction_tokens": 15}},
        100 * 2_000 + 20 * 10_000,
    ),
    Odd(
        "audio in a chat, at its own rates: 0.0202 USD, not 0.0028",
        {"prompt_tokens": 120, "completion_tokens": 250, "total_tokens": 370,
         "prompt_tokens_details": {"audio_tokens": 90, "cached_tokens": 0},
         "completion_tokens_details": {"audio_tokens": 200, "reasoning_tokens": 0}},
        30 * 2_500 + 90 * 40_000 + 50 * 10_000 + 200 * 80_000, "gpt-4o-audio-preview",
    ),
    Odd(
        "realtime: text, audio, and both of them cached",
        {"input_tokens": 132, "output_tokens": 121, "total_tokens": 253,
         "input_token_details": {"text_tokens": 32, "audio_tokens": 100, "image_tokens": 0, "cached_tokens": 64,
                                 "cached_tokens_details": {"text_tokens": 14, "audio_tokens": 50}},
         "output_token_details": {"text_tokens": 30, "audio_tokens": 91}},
        18 * 4_000 + 14 * 400 + 50 * 32_000 + 50 * 400 + 30 * 16_000 + 91 * 64_000, "gpt-realtime",
    ),
    Odd(
        "transcription by tokens",
        {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
         "input_token_details": {"text_tokens": 2, "audio_tokens": 12}},
        2 * 2_500 + 12 * 6_000 + 45 * 10_000, "gpt-4o-transcribe",
    ),
    Odd(
        "images: text and images go in",
        {"input_tokens": 50, "output_tokens": 1_000, "total_tokens": 1_050,
         "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
         "output_tokens_details": {"text_tokens": 0, "image_tokens": 1_000}},
        10 * 5_000 + 40 * 8_000 + 1_000 * 32_000, "gpt-image-1.5",
    ),
    Odd(
        "images: without details of the output, it is an image",
        {"input_tokens": 50, "output_tokens": 1_000, "total_tokens": 1_050,
         "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}},
        10 * 5_000 + 40 * 10_000 + 1_000 * 40_000, "gpt-image-1", None, "images",
    ),
    Odd("embeddings: no completion", {"prompt_tokens": 7, "total_tokens": 7}, 7 * 20, "text-embedding-3-small"),
    Odd("zero is a number of tokens", {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, 0),
    Odd(
        "a fine-tune's cached tokens cost half of its input, not all of it",
        {"prompt_tokens": 1_000, "completion_tokens": 10, "total_tokens": 1_010,
         "prompt_tokens_details": {"cached_tokens": 600}},
        400 * 300 + 600 * 150 + 10 * 1_200, "ft:gpt-4o-mini-2024-07-18:acme::abc",
    ),
    Odd(
        "Perplexity: a fee for the request on top of its tokens",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        100 * 1_000 + 20 * 1_000 + 12_000_000, "sonar", "perplexity",
    ),
]  # fmt: skip

DOUBTFUL: list[tuple[str, object, str, str, dict[str, int]]] = [
    ("nothing", None, "no_usage", "neither prompt_tokens nor input_tokens", {}),
    ("a list", [1, 2], "no_usage", "neither", {}),
    ("a text", "x" * 10_000, "no_usage", "neither", {}),
    ("duration", {"type": "duration", "seconds": 12.5}, "duration", "by its duration", {}),
    ("negative", {"prompt_tokens": -5, "completion_tokens": 20}, "bad_count", "prompt_tokens is -5",
     {"completion": 20, "reasoning": 0}),
    ("half a token", {"prompt_tokens": 1.5, "completion_tokens": 20}, "bad_count", "prompt_tokens is 1.5",
     {"completion": 20, "reasoning": 0}),
    ("a text for a count", {"prompt_tokens": 9, "completion_tokens": "20"}, "bad_count", "completion_tokens is '20'",
     {"prompt": 9, "cached": 0, "cache_write": 0}),
    ("true", {"prompt_tokens": True}, "bad_count", "prompt_tokens is True", {"completion": 0, "reasoning": 0}),
    ("401 digits", {"prompt_tokens": 10**401, "completion_tokens": 1}, "bad_count", "about 401 digits",
     {"completion": 1, "reasoning": 0}),
    ("9,000 digits", {"prompt_tokens": 10**9_000}, "bad_count", "digits", {"completion": 0, "reasoning": 0}),
    ("no number", {"prompt_tokens": float("nan")}, "bad_count", "is nan", {"completion": 0, "reasoning": 0}),
    ("infinity", {"prompt_tokens": float("inf")}, "bad_count", "is inf", {"completion": 0, "reasoning": 0}),
    ("1e300", {"prompt_tokens": 1e300}, "bad_count", "1e+300", {"completion": 0, "reasoning": 0}),
    ("a table for a count", {"prompt_tokens": {"a": [1]}}, "bad_count", "a dict", {"completion": 0, "reasoning": 0}),
    ("a list for details", {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": [[1]]}, "bad_count",
     "prompt_tokens_details is a list", {"completion": 2, "reasoning": 0}),
    ("a total that is too small", {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 11}, "contradiction",
     "add up to 12", {}),
    ("neither xAI's nor OpenAI's", {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 20,
                                    "completion_tokens_details": {"reasoning_tokens": 2}}, "contradiction", "12", {}),
    ("cached tokens or thoughts?", {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 16, "cached_tokens": 4},
     "contradiction", "12", {}),
    ("more reasoning than completion and no total", {"prompt_tokens": 9, "completion_tokens": 3,
     "completion_tokens_details": {"reasoning_tokens": 5}}, "bad_count", "5 reasoning tokens exceed",
     {"prompt": 9, "cached": 0, "cache_write": 0}),
    ("Anthropic's names, inside or outside", {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
     "cache_read_input_tokens": 100}, "contradiction", "neither clearly parts", {"completion": 3, "reasoning": 0}),
    ("two names that differ", {"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 4,
     "prompt_tokens_details": {"cached_tokens": 5}}, "contradiction", "another name",
     {"completion": 3, "reasoning": 0}),
    ("both APIs at once", {"prompt_tokens": 9, "completion_tokens": 3, "input_tokens": 8, "output_tokens": 3},
     "contradiction", "different counts", {}),
    ("video", {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
     "prompt_tokens_details": {"video_tokens": 4}}, "unknown_tokens", "'video_tokens' is 4",
     {"completion": 3, "reasoning": 0}),
    ("tokens of searches", {"prompt_tokens": 9, "completion_tokens": 3, "citation_tokens": 4}, "unknown_tokens",
     "'citation_tokens' is 4", {}),
    ("cached audio that is not told apart", {"prompt_tokens": 9, "completion_tokens": 3,
     "prompt_tokens_details": {"audio_tokens": 4, "cached_tokens": 2}}, "overlap", "which of these were cached",
     {"completion": 3, "reasoning": 0}),
    ("durations that do not add up", {"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {
        "cache_write_tokens": 5, "cache_write_tokens_details": {"ttl_30m_tokens": 1, "ttl_12h_tokens": 1}}},
     "contradiction", "adds up to 2", {"completion": 3, "reasoning": 0}),
    ("a duration that nobody knows", {"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {
        "cache_write_tokens": 5, "cache_write_tokens_details": {"ttl_7d_tokens": 5}}},
     "unknown_tokens", "ttl_7d_tokens", {"completion": 3, "reasoning": 0}),
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=[odd.why for odd in ODD])
def test_what_an_odd_usage_costs(odd: Odd) -> None:
    """Each shape leads to the tokens that were billed, and to their price."""
    usage = read_usage(odd.usage, endpoint=odd.endpoint)
    assert isinstance(usage, Usage), usage
    assert PriceList().price(odd.model, usage, provider=odd.provider, at=WHEN) == Cost(odd.nanodollars)
    assert sum(usage.disjoint().values()) == usage.total


@pytest.mark.parametrize(
    ("raw", "kind", "words", "certain"), [row[1:] for row in DOUBTFUL], ids=[r[0] for r in DOUBTFUL]
)
def test_what_is_in_doubt_has_no_price(raw: object, kind: str, words: str, certain: dict[str, int]) -> None:
    """A doubt names what was found, keeps the tokens that are certain, and is unpriced: no exception, no guess."""
    found = read_usage(raw)
    assert isinstance(found, Doubt)
    assert (found.kind, found.disjoint()) == (kind, certain)
    assert words in found.reason
    assert len(str(found)) < 600
    price = PriceList().price(SOL, found, at=WHEN)
    assert isinstance(price, Unpriced)
    assert price.kind == "usage"


def test_a_total_without_its_parts_is_certain() -> None:
    """If only the split of the prompt is in doubt, all tokens together are known."""
    found = read_usage(
        {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "prompt_tokens_details": {"video_tokens": 4}}
    )
    assert found.total == 12


def test_a_shape_is_the_same_for_all_numbers() -> None:
    """What is told once in the log is the shape, whatever the counts are."""
    first, second = (read_usage({"prompt_tokens": count, "completion_tokens": 1}) for count in (-1, -2))
    assert isinstance(first, Doubt)
    assert isinstance(second, Doubt)
    assert first.shape == second.shape == "completion_tokens, prompt_tokens"


class Hostile:
    """An object that fails when anybody looks at it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Treacherous(dict[str, Any]):
    """A mapping that fails as a number does, and again when its names are asked for."""

    def get(self, key: str, default: Any = None) -> Any:
        """Fails as a bad number does."""
        raise ValueError(key, default)

    def __iter__(self) -> Any:
        raise RuntimeError("iter")


class Endless(dict[str, Any]):
    """A usage that holds itself."""

    def __init__(self) -> None:
        super().__init__(prompt_tokens=1, completion_tokens=1)
        self["prompt_tokens_details"] = self
        self["completion_tokens_details"] = self


@pytest.mark.parametrize(
    "raw",
    [
        Endless(),
        {str(number): number for number in range(100_000)},
        {b"prompt_tokens": 1, 7: 2, None: 3},
        {"prompt_tokens": Decimal("1e9999999")},
        {"prompt_tokens": Decimal("NaN")},
        {"\x1b[2J": 1},
        sys,
        object(),
        7,
    ],
    ids=lambda raw: type(raw).__name__,
)
def test_nothing_makes_the_reader_fail(raw: object) -> None:
    """Objects of others, endless ones and a hundred thousand names end in a short doubt, or in a usage."""
    found = read_usage(raw)
    assert isinstance(found, Usage | Doubt)
    assert len(str(found)) < 2_500
    assert str(found).isprintable()


def test_objects_that_fail_when_they_are_looked_at() -> None:
    """At the top or inside, such an object is a doubt that says which error it raised."""
    treacherous = Treacherous(prompt_tokens=1)
    assert isinstance(read_usage(treacherous), Doubt)
    assert read_answer(treacherous) == Answer()
    for raw in (Hostile(), {"prompt_tokens": 1, "prompt_tokens_details": Hostile()}, {"prompt_tokens": Hostile()}):
        found = read_usage(raw)
        assert isinstance(found, Doubt)
        assert (found.kind, found.reason) == ("unreadable", "usage: cannot be read: RuntimeError")
        assert read_answer(raw) == Answer() or isinstance(read_answer(raw).usage, Doubt)


def test_objects_of_the_sdk_and_of_others() -> None:
    """Types of the SDK, with fields that they do not declare, and plain objects with slots or without."""
    from openai.types import CompletionUsage
    from openai.types.realtime import RealtimeResponseUsage

    chat = CompletionUsage.model_validate(
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_cache_hit_tokens": 64}
    )
    assert read_usage(chat) == Usage(prompt=100, completion=20, cached=64)
    realtime = RealtimeResponseUsage.model_validate(
        {"input_tokens": 10, "output_tokens": 2, "input_token_details": {"audio_tokens": 4, "text_tokens": 6}}
    )
    assert read_usage(realtime) == Usage(prompt=10, completion=2, audio_in=4)

    class Slotted:
        __slots__ = ("completion_tokens", "prompt_tokens")

        def __init__(self) -> None:
            self.prompt_tokens, self.completion_tokens = 3, 4

    assert read_usage(Slotted()) == Usage(prompt=3, completion=4)


def test_audio_and_images_have_types_of_their_own() -> None:
    """They are disjoint from text, and from what was cached; a call without them has the five plain types."""
    usage = Usage(prompt=100, cached=30, audio_in=50, cached_audio=20, image_in=7, completion=40, audio_out=10)
    assert usage.disjoint() == {
        "prompt": 33,
        "cached": 30,
        "cache_write": 0,
        "audio_in": 30,
        "image_in": 7,
        "completion": 30,
        "reasoning": 0,
        "audio_out": 10,
    }
    assert "audio_in" not in Usage(prompt=1).disjoint()


def test_a_model_that_hears_needs_a_usage_that_says_so() -> None:
    """gpt-audio charges audio at thirteen times the rate of text: a usage that does not state it is not priced."""
    prices = PriceList()
    plain = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    found = prices.price("gpt-audio", read_usage(plain), at=WHEN)
    assert isinstance(found, Unpriced)
    assert found.kind == "kinds"
    none = {**plain, "prompt_tokens_details": {"audio_tokens": 0}, "completion_tokens_details": {"audio_tokens": 0}}
    assert prices.price("gpt-audio", read_usage(none), at=WHEN) == Cost(100 * 2_500 + 20 * 10_000)


def test_who_only_hears_needs_it_only_where_it_is_always_stated() -> None:
    """A transcription of OpenAI's always states its audio, a text call of Gemini states nothing: it has no audio."""
    prices, plain = PriceList(), read_usage({"input_tokens": 100, "output_tokens": 20, "total_tokens": 120})
    assert isinstance(prices.price("gpt-4o-transcribe", plain, at=WHEN), Unpriced)
    assert prices.price("gemini-2.5-flash", plain, provider="google", at=WHEN) == Cost(100 * 300 + 20 * 2_500)


@pytest.mark.parametrize("kind", ["audio_in", "image_in", "audio_out", "image_out"])
def test_audio_and_images_are_never_charged_as_text(kind: str) -> None:
    """A model without such a rate has no price for them, and neither has an own price without one."""
    counts: dict[str, Any] = {"prompt": 10, "completion": 10, kind: 1}
    found = PriceList().price(SOL, Usage(**counts), at=WHEN)
    assert isinstance(found, Unpriced)
    assert found.kind == "rate"
    assert SOL in found.reason
