"""What answers and streams state about themselves: model, tier, tokens."""

from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse, ImagesResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import ResponseCompletedEvent

from fleetmeter.llm import Usage
from fleetmeter.pricing import Answer, Doubt, StreamedAnswer, read_answer

COUNTS = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
USAGE = Usage(prompt=100, completion=20)
CHUNK: dict[str, Any] = {"id": "c", "created": 1, "model": "m", "object": "chat.completion.chunk", "choices": []}
RESPONSE: dict[str, Any] = {
    "id": "r", "created_at": 1, "model": "gpt-6-sol", "object": "response", "output": [], "parallel_tool_calls": False,
    "tool_choice": "auto", "tools": [], "service_tier": "flex",
    "usage": {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
              "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
              "output_tokens_details": {"reasoning_tokens": 0}},
}  # fmt: skip


def streamed(*parts: object) -> Answer:
    """What a stream of these parts states."""
    stream = StreamedAnswer()
    for part in parts:
        stream.see(part)
    return stream.answer()


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (
            ChatCompletion.model_validate(
                {"id": "c", "created": 1, "model": "m", "object": "chat.completion", "choices": [],
                 "service_tier": "default", "usage": COUNTS}
            ),
            Answer("m", "default", USAGE, "c"),
        ),
        (RESPONSE, Answer("gpt-6-sol", "flex", USAGE, "r")),
        (
            ResponseCompletedEvent.model_validate(
                {"type": "response.completed", "sequence_number": 1, "response": RESPONSE}
            ),
            Answer("gpt-6-sol", "flex", USAGE, "r"),
        ),
        (
            CreateEmbeddingResponse.model_validate(
                {"data": [], "model": "e", "object": "list", "usage": {"prompt_tokens": 7, "total_tokens": 7}}
            ),
            Answer("e", None, Usage(prompt=7)),
        ),
        (
            ImagesResponse.model_validate(
                {"created": 1, "usage": {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14,
                                         "input_tokens_details": {"image_tokens": 2, "text_tokens": 3}}}
            ),
            Answer("", None, Usage(prompt=5, image_in=2, completion=9)),
        ),
        ({"object": "batch", "model": "b", "usage": COUNTS}, Answer("b", "batch", USAGE)),
        (
            {"id": "line", "custom_id": "x", "response": {"status_code": 200, "body": {**CHUNK, "usage": COUNTS}}},
            Answer("m", "batch", USAGE, "c"),
        ),
        ({"model": "m", "service_tier": "priority", **COUNTS}, Answer("m", "priority", USAGE)),
        ({"text": "…", "usage": {"type": "duration", "seconds": 1.5}}, None),
        ({"model": "m", "x_groq": {"id": "q", "usage": {**COUNTS, "queue_time": 0.1}}}, Answer("m", None, USAGE)),
        ({"model": "m", "usage": None}, Answer("m")),
        ({"model": 7, "service_tier": ["flex"]}, Answer()),
        (None, Answer()),
        ([], Answer()),
        ("usage", Answer()),
    ],
)  # fmt: skip
def test_every_kind_of_answer(raw: object, answer: Answer | None) -> None:
    """Bodies, events, batches, their lines and bare usages; an answer that states no usage has none, not 0 tokens."""
    found = read_answer(raw)
    if answer is None:
        assert isinstance(found.usage, Doubt)
    else:
        assert found == answer


def test_images_without_details_by_their_endpoint() -> None:
    """Of what the images endpoint made, every token is one of an image."""
    raw = {"created": 1, "usage": {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14}}
    assert read_answer(raw, endpoint="images").usage == Usage(prompt=5, completion=9, image_out=9)


GROWING = [
    {**CHUNK, "usage": {"prompt_tokens": 100, "completion_tokens": n, "total_tokens": 100 + n}} for n in (0, 4, 20)
]


@pytest.mark.parametrize(
    "parts",
    [
        [CHUNK, {**CHUNK, "usage": COUNTS}],
        GROWING,
        [{**CHUNK, "usage": COUNTS}, {**CHUNK, "usage": COUNTS}],
        [{**CHUNK, "usage": COUNTS}, {**CHUNK, "usage": None}, CHUNK],
        [CHUNK, {**CHUNK, "x_groq": {"usage": COUNTS}}],
        [{**CHUNK, "choices": [{"index": 0, "delta": {}}], "usage": COUNTS}],
    ],
    ids=["at the end", "growing", "twice", "not last", "groq", "with a choice"],
)
@pytest.mark.parametrize("objects", [False, True], ids=["mappings", "objects"])
def test_the_usage_of_a_stream_is_the_last_that_is_stated(parts: list[dict[str, Any]], objects: bool) -> None:
    """Wherever it stands and however often it is repeated: 120 tokens, and never a sum."""
    seen = [ChatCompletionChunk.model_validate(part) for part in parts] if objects else parts
    found = streamed(*seen).usage
    assert isinstance(found, Usage)
    assert found.total == 120


def test_azures_first_chunk_names_no_model() -> None:
    """The model is the first name that is not empty."""
    assert streamed({**CHUNK, "model": ""}, {**CHUNK, "model": "gpt-4o"}, {**CHUNK, "model": "other"}).model == "gpt-4o"


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed"])
def test_the_end_of_a_response_states_tier_and_usage(end: str) -> None:
    """`response.created` says `auto` and no usage; the last event tells what was served, whatever the end."""
    created = {"type": "response.created", "response": {**RESPONSE, "usage": None, "service_tier": "auto"}}
    last = {"type": f"response.{end}", "response": RESPONSE}
    assert streamed(created, {"type": "response.output_text.delta", "delta": "x"}, last) == Answer(
        "gpt-6-sol", "flex", USAGE, "r"
    )
    cut = streamed(created)
    assert (cut.usage, cut.tier) == (None, "auto")
    failed = {"type": "response.failed", "response": {**RESPONSE, "usage": None}}
    assert streamed(created, failed).usage is None


def test_zero_that_is_stated_is_zero() -> None:
    """A usage of 0 tokens is a usage; none is none."""
    assert streamed({**CHUNK, "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}).usage == Usage(
        0
    )
    assert streamed(CHUNK).usage is None


def test_names_are_bounded() -> None:
    """A model name of 10 KiB is cut: it is nobody's, and nothing keeps it."""
    assert len(read_answer({"model": "x" * 10_240}).model) == 256
