"""The short ways for plain calls, beside the careful ways: they lead to the same."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetmeter.pricing import Book, ModelPrice, PriceList, StreamedAnswer, Usage, answer, usage
from fleetmeter.pricing.plain import plain_usage
from fleetmeter.pricing.sheet import Sheet

COUNTS = st.integers(0, 60)
LIKELY: st.SearchStrategy[Any] = st.one_of(
    COUNTS, COUNTS, COUNTS, st.sampled_from([None, -1, 10**12, 10**12 + 1, True, False, 2.0, 0.0, "", "3", []])
)
PROMPT_PARTS = ("cached_tokens", "cache_write_tokens", "audio_tokens", "text_tokens", "image_tokens")
COMPLETION_PARTS = ("reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens")


def details(names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """A table of parts, or what stands in its place."""
    small = st.integers(0, 3) | st.none()
    tables = st.dictionaries(st.sampled_from(names), small | LIKELY, max_size=4)
    return st.one_of(tables, tables, st.sampled_from([None, 0, "", [], "x"]))


def shape(prompt: str, completion: str) -> st.SearchStrategy[dict[str, Any]]:
    """A usage of one API, nearly right."""
    optional = {
        f"{prompt}_tokens_details": details(PROMPT_PARTS),
        f"{completion}_tokens_details": details(COMPLETION_PARTS),
        f"{completion}_tokens": LIKELY,
        "total_tokens": LIKELY,
        "type": st.sampled_from(["tokens", "duration"]),
        "reasoning_tokens": LIKELY,
    }
    return st.fixed_dictionaries({f"{prompt}_tokens": LIKELY}, optional=optional)


NEARLY = st.one_of(shape("prompt", "completion"), shape("input", "output"), shape("prompt", "output"))


def adds_up(raw: dict[str, Any]) -> dict[str, Any]:
    """The usage with the total that fits, where there is one."""
    sides = [raw.get(name) for name in ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens")]
    return {**raw, "total_tokens": sum(side for side in sides if type(side) is int)}


def members(found: Usage) -> dict[str, Any]:
    """All members of a usage, those included that do not take part in a comparison."""
    return asdict(found)


@settings(max_examples=500, deadline=None)
@given(NEARLY, st.booleans())
def test_both_readers_read_the_same(raw: dict[str, Any], fits: bool) -> None:
    """What the short way reads, the careful one reads the same; what that one doubts, the short way leaves to it."""
    raw = adds_up(raw) if fits else raw
    plain = plain_usage(Usage, raw)
    if plain is not None:
        careful = usage._read(Usage, raw, "chat.completions")
        assert isinstance(careful, Usage)
        assert type(plain) is Usage
        assert members(plain) == members(careful)


CHAT = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 8,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
RESPONSE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 0},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 8},
    "total_tokens": 120,
}


@pytest.mark.parametrize(
    "raw", [CHAT, RESPONSE, {"prompt_tokens": 8, "total_tokens": 8}, {**CHAT, "prompt_tokens_details": None}]
)
def test_what_openai_states_is_plain(raw: dict[str, Any]) -> None:
    """Chats, responses and embeddings of OpenAI's own go the short way."""
    found, careful = plain_usage(Usage, raw), usage._read(Usage, raw, None)
    assert isinstance(found, Usage)
    assert isinstance(careful, Usage)
    assert members(found) == members(careful)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 5}},
        {"completion_tokens_details": {"audio_tokens": 5}},
        {"prompt_tokens_details": {"image_tokens": 5}},
        {"prompt_tokens_details": {"audio_tokens": False}},
        {"completion_tokens_details": {"reasoning_tokens": 21}},
        {"prompt_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 11}},
        {"prompt_tokens_details": [1]},
        {"prompt_tokens_details": ""},
        {"prompt_tokens": -1},
        {"prompt_tokens": True, "total_tokens": 21},
        {"total_tokens": 150},
        {"video_tokens": 5},
        {"input_tokens": 100},
        {"prompt_cache_hit_tokens": 64},
    ],
)
def test_everything_else_is_left_to_the_careful_reader(changes: dict[str, Any]) -> None:
    """Other kinds of tokens, other names, and whatever is in doubt."""
    assert plain_usage(Usage, CHAT | changes) is None


def test_a_plain_usage_is_as_frozen_as_any() -> None:
    """It is equal to one made by hand, hashes alike, and cannot be changed."""
    found: Any = plain_usage(Usage, CHAT)
    made = Usage(prompt=100, completion=20, cached=64, reasoning=8)
    assert (found, hash(found), repr(found)) == (made, hash(made), repr(made))
    with pytest.raises(AttributeError):
        found.prompt = 1


def test_a_picture_is_no_text() -> None:
    """The images endpoint's completions are image tokens, which no short way knows."""
    found = usage.read_usage({"input_tokens": 8, "output_tokens": 9, "total_tokens": 17}, endpoint="images")
    assert isinstance(found, Usage)
    assert found.image_out == 9


NAMES = st.sampled_from([None, "", "m", "gpt-6-sol", "x" * 256, "x" * 257, 5, ["m"]])
BODIES = st.fixed_dictionaries(
    {"model": NAMES, "usage": st.sampled_from([CHAT, RESPONSE, {}, None, 3, {"prompt_tokens": -1}])},
    optional={
        "id": NAMES,
        "service_tier": NAMES,
        "object": st.sampled_from(["chat.completion", "batch", None, 7]),
        "response": st.sampled_from([None, {"model": "inner", "usage": CHAT}, {"body": {"model": "inner"}}, "text"]),
    },
)


@settings(max_examples=300, deadline=None)
@given(BODIES)
def test_a_body_states_what_a_stream_of_it_states(body: dict[str, Any]) -> None:
    """The short way reads model, tier, id and usage of a body as the way for any part does, or leaves it to that."""
    plain = answer._plain_answer(body, "chat.completions")
    stream = StreamedAnswer(endpoint="chat.completions")
    stream.see(body)
    assert plain is None or plain == stream.answer()


def test_a_body_that_names_model_and_usage_goes_the_short_way() -> None:
    """As a chat or a response of OpenAI's, with a tier and an id or without."""
    for more in ({}, {"id": "c", "service_tier": "default", "object": "chat.completion"}):
        assert answer._plain_answer({"model": "gpt-6-sol", "usage": CHAT, **more}, None) is not None


PRICES = PriceList(
    Book(
        models={"house": ModelPrice.from_mapping("house", {"input": 1, "output": 2, "model": "gpt-4o-*"})},
        aliases={"mine": "gpt-6-sol"},
    )
)


@pytest.mark.parametrize(
    "model",
    [
        "gpt-6-sol",
        "gpt-6-luna-2026-01-01",
        "gpt-4o-mini",
        "mine",
        "claude-sonnet-4-5",
        "nobody's",
        "",
        "x" * 10_000,
        "ft:gpt-4o:a::b",
    ],
)
@pytest.mark.parametrize("tier", [None, "flex", "scale"])
@pytest.mark.parametrize(
    "place",
    [
        {"base_url": "https://api.openai.com/v1/"},
        {"base_url": "http://127.0.0.1:1/v1/"},
        {"base_url": "https://api.groq.com/"},
        {"base_url": None},
        {"base_url": None, "provider": "anthropic"},
        {"base_url": "http://127.0.0.1:1/v1/", "provider": "azure"},
        {"base_url": None, "provider": "nobody"},
    ],
    ids=repr,
)
@pytest.mark.parametrize("raw", [CHAT, {**CHAT, "total_tokens": 150}, None])
def test_a_price_and_its_name_are_those_that_are_found_apart(
    model: str, tier: str | None, place: dict[str, Any], raw: dict[str, Any] | None
) -> None:
    """`named_price` gives what `normalise` and `price` give, with a price or without one."""
    used = None if raw is None else usage.read_usage(raw)
    apart = PRICES.normalise(model, **place), PRICES.price(model, used, tier=tier, **place)
    assert PRICES.named_price(model, used, tier=tier, **place) == apart


USAGES = st.builds(
    lambda parts, written, kinds: Usage(
        prompt=parts[0] + parts[1] + written + kinds[0],
        cached=parts[1],
        cache_write=written,
        completion=parts[2] + parts[3] + kinds[1],
        reasoning=parts[3],
        audio_in=kinds[0],
        audio_out=kinds[1],
        kinds_in_stated=True,
        kinds_out_stated=True,
    ),
    st.lists(COUNTS, min_size=4, max_size=4),
    st.sampled_from([0, 0, 7]),
    st.sampled_from([(0, 0), (0, 0), (3, 0), (0, 4), (2, 2)]),
)
TABLES = (
    {"input": 2, "output": 8},
    {"input": 2, "cached_input": 0.5, "output": 8, "reasoning": 9},
    {"input": 2, "output": 8, "cache_write": 3, "audio_in": 5, "audio_out": 6},
    {"input": 2, "audio_out": 1},
    {"output": 2},
)


@settings(max_examples=300, deadline=None)
@given(USAGES, st.sampled_from(TABLES))
def test_both_ways_cost_the_same(used: Usage, table: dict[str, float]) -> None:
    """With all rates or with some that are missing, the short way costs what the careful one does, or asks it."""
    sheet = Sheet({name: Decimal(str(rate)) for name, rate in table.items()})
    assert sheet.cost(used) == sheet._careful_cost(used)


@settings(max_examples=300, deadline=None)
@given(USAGES)
def test_both_ways_split_the_same(used: Usage) -> None:
    """The disjoint types of a call are those of its sides, in their order."""
    both = {**used.disjoint_input(), **used.disjoint_output()}
    assert list(used.disjoint().items()) == list(both.items())
