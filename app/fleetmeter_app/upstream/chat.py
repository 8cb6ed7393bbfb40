"""Answers and chunks of chat completions, as far as the upstream knows them; `chat_request.py` reads the requests.

Source: https://platform.openai.com/docs/api-reference/chat, and openai.types.chat in the SDK.
"""

import json
import time
import uuid
from dataclasses import replace
from typing import Any

from fleetmeter_app.upstream.chat_request import ChatRequest
from fleetmeter_app.upstream.completion import Completion
from fleetmeter_app.upstream.ledger import BilledUsage
from fleetmeter_app.upstream.samples import sample
from fleetmeter_app.upstream.streaming import Event
from fleetmeter_app.upstream.usages import shaped
from fleetmeter_app.upstream.wishes import AnswerWish


def billed(request: ChatRequest, completion: Completion) -> BilledUsage:
    """The tokens of the whole answer: the prompt once, and the completion once for each choice."""
    one = completion.usage
    return replace(one, completion=one.completion * request.n, reasoning=one.reasoning * request.n)


def chat_json(request: ChatRequest, completion: Completion, wish: AnswerWish) -> dict[str, Any]:
    """The answer, as openai.types.chat.ChatCompletion reads it."""
    message: dict[str, Any] = {"role": "assistant", "content": completion.text, "refusal": None, "annotations": []}
    if request.calls_tool(wish):
        message |= {"content": None, "tool_calls": _tool_calls(request)}
    elif request.answered and "results" in wish.words:
        message["content"] = "\n".join(request.results)
    elif request.schema is not None and completion.finish_reason != "length":
        message["content"] = json.dumps(sample(request.schema))
    reason = _finish_reason(request, completion, wish)
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": reason} for index in range(request.n)
    ]
    return _head(request, wish, "chat.completion") | {
        "choices": choices,
        "usage": shaped(wish.shape, billed(request, completion)),
    }


def chat_events(request: ChatRequest, completion: Completion, wish: AnswerWish) -> list[Event]:
    """The chunks of a streamed answer, as openai.types.chat.ChatCompletionChunk reads them."""
    usage = billed(request, completion)
    head = _head(request, wish, "chat.completion.chunk")
    null = {"usage": None} if request.include_usage and wish.stream == "asked" else {}
    events: list[Event] = []

    def chunk(choices: list[dict[str, Any]], told: BilledUsage | None = None, **more: Any) -> None:
        told = _so_far(usage, len(events), len(pieces) + 2) if wish.stream == "cont" else told
        data = head | null | {"choices": choices} | more
        if told is not None:
            data |= (
                {"x_groq": {"usage": shaped(wish.shape, told)}}
                if wish.stream == "groq"
                else {"usage": shaped(wish.shape, told)}
            )
        events.append(Event(data, told=told if wish.shape not in {"none", "text", "negative"} else None))

    def each(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
        return [
            {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason} for index in range(request.n)
        ]

    pieces = _pieces(request, completion, wish)
    if "empty_first" in wish.words:
        events.append(Event(head | {"model": "", "choices": [], "prompt_filter_results": []}))
    chunk(each({"role": "assistant", "content": "", "refusal": None}))
    for piece in pieces:
        chunk(each(piece))
    at_finish = usage if wish.stream in {"finish", "twice", "groq"} else None
    chunk(each({}, _finish_reason(request, completion, wish)), told=at_finish)
    if wish.stream == "one_choice":
        chunk(each({"content": ""}), told=usage)
    if wish.stream in {"twice", "always"} or (wish.stream == "asked" and request.include_usage):
        chunk([], told=usage)
    return events


def _so_far(usage: BilledUsage, at: int, chunks: int) -> BilledUsage:
    """The usage after chunk `at` of `chunks`: the completion grows with each chunk, and is whole at the last one."""
    last = at >= chunks - 1
    return usage if last else replace(usage, completion=usage.completion * at // chunks, reasoning=0)


def _pieces(request: ChatRequest, completion: Completion, wish: AnswerWish) -> list[dict[str, Any]]:
    """The deltas that carry content, or tool calls, each in two halves."""
    if request.calls_tool(wish):
        return [half for index, call in enumerate(_tool_calls(request)) for half in _halves(index, call)]
    structured = request.schema is not None and completion.finish_reason != "length"
    text = json.dumps(sample(request.schema)) if structured else completion.text
    return [{"content": part} for part in split_text(text, wish.numbers.get("chunks"))]


def _halves(index: int, call: dict[str, Any]) -> list[dict[str, Any]]:
    """The deltas of one tool call, as the one at this index."""
    arguments = call["function"]["arguments"]
    half = len(arguments) // 2
    begun = call | {"index": index, "function": call["function"] | {"arguments": arguments[:half]}}
    rest = {"index": index, "function": {"arguments": arguments[half:]}}
    return [{"tool_calls": [begun]}, {"tool_calls": [rest]}]


def split_text(text: str, parts: int | None) -> list[str]:
    """A text in `parts` parts, or in one part per word; joined, they are the text."""
    if not text or parts == 0:
        return []
    if parts is None:
        words = text.split(" ")
        return [word if at == 0 else f" {word}" for at, word in enumerate(words)]
    size = max(1, -(-len(text) // parts))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _head(request: ChatRequest, wish: AnswerWish, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": wish.texts.get("model", request.model),
        "service_tier": wish.texts.get("tier", "default"),
        "system_fingerprint": None,
    }


def _finish_reason(request: ChatRequest, completion: Completion, wish: AnswerWish) -> str:
    plain = "tool_calls" if request.calls_tool(wish) else completion.finish_reason
    return wish.texts.get("reason", plain)


def _tool_calls(request: ChatRequest) -> list[dict[str, Any]]:
    """The calls that the request wishes for, or else the one of its first tool."""
    return [_call(name, arguments) for name, arguments in request.calls] or [_tool_call(request)]


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _tool_call(request: ChatRequest) -> dict[str, Any]:
    assert request.tool is not None  # noqa: S101  the caller asked `calls_tool`
    name, schema = request.tool
    return _call(name, json.dumps(sample(schema) or {}))
