"""The wire format of responses, as far as the upstream knows it: reads requests, makes objects and events.

Source: https://platform.openai.com/docs/api-reference/responses, and openai.types.responses in the SDK.
"""

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, Self

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.upstream.chat import split_text
from fleetmeter_app.upstream.completion import Completion
from fleetmeter_app.upstream.samples import sample
from fleetmeter_app.upstream.streaming import Event
from fleetmeter_app.upstream.usages import response_usage
from fleetmeter_app.upstream.wishes import AnswerWish


@dataclass(frozen=True)
class ResponseRequest:
    """The parts of a request that matter here. The fields mean the same as in `ChatRequest`."""

    model: str
    prompt: str
    max_tokens: int | None
    stream: bool
    background: bool
    store: bool
    previous_response_id: str | None
    tool: tuple[str, Any] | None
    forced: bool
    answered: bool
    schema: Any

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """From a body that `parse_body` returned. Raises `InvalidRequestError`, which names the wrong field."""
        limit = body.get("max_output_tokens")
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            message = "'max_output_tokens' must be a whole number of at least 1."
            raise InvalidRequestError(message, param="max_output_tokens", code="invalid_type")
        items = _items(body.get("input"))
        instructions = body.get("instructions")
        texts = [*([instructions] if isinstance(instructions, str) else []), *map(_text, items)]
        choice, text = body.get("tool_choice"), body.get("text")
        wanted = text.get("format") if isinstance(text, dict) else None
        return cls(
            model=body["model"],
            prompt="\n".join(texts),
            max_tokens=limit,
            stream=bool(body.get("stream")),
            background=bool(body.get("background")),
            store=body.get("store") is not False,
            previous_response_id=body.get("previous_response_id"),
            tool=_first_tool(body.get("tools"), choice),
            forced=choice == "required" or isinstance(choice, dict),
            answered=bool(items) and items[-1].get("type") == "function_call_output",
            schema=wanted.get("schema") if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else None,
        )


def response_json(request: ResponseRequest, completion: Completion, wish: AnswerWish) -> dict[str, Any]:
    """The finished response, as openai.types.responses.Response reads it."""
    status = wish.texts.get("status", "incomplete" if completion.finish_reason == "length" else "completed")
    return _response(request) | {
        "model": wish.texts.get("model", request.model),
        "status": status,
        "service_tier": wish.texts.get("tier", "default"),
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "error": {"code": "server_error", "message": "The model failed."} if status == "failed" else None,
        "output": [] if status == "failed" else [_output(request, completion, wish)],
        "usage": None if wish.shape == "none" else response_usage(completion.usage),
    }


def queued_json(request: ResponseRequest) -> dict[str, Any]:
    """A response in the background that has not begun yet."""
    return _response(request) | {"status": "queued", "background": True}


def response_events(finished: dict[str, Any], completion: Completion, wish: AnswerWish) -> list[Event]:
    """The numbered events of a streamed response. Only the last one has the usage and the real tier."""
    begun = finished | {
        "status": "in_progress", "usage": None, "service_tier": "auto", "output": [],
        "incomplete_details": None, "error": None,
    }  # fmt: skip
    last = {"completed": "response.completed", "incomplete": "response.incomplete"}
    named: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
    ]
    for item in finished["output"]:
        named += _item_events(item, wish)
    named.append((last.get(finished["status"], "response.failed"), {"response": finished}))
    told = completion.usage if finished["usage"] is not None else None
    return [
        Event({"type": name, "sequence_number": at} | data, name, told if at == len(named) - 1 else None)
        for at, (name, data) in enumerate(named)
    ]


def _item_events(item: dict[str, Any], wish: AnswerWish) -> list[tuple[str, dict[str, Any]]]:
    place = {"item_id": item["id"], "output_index": 0}
    if item["type"] == "function_call":
        return [
            ("response.output_item.added", {"output_index": 0, "item": item | {"arguments": ""}}),
            ("response.function_call_arguments.delta", place | {"delta": item["arguments"]}),
            ("response.function_call_arguments.done", place | {"arguments": item["arguments"], "name": item["name"]}),
            ("response.output_item.done", {"output_index": 0, "item": item}),
        ]
    part, inside = item["content"][0], place | {"content_index": 0}
    pieces = split_text(part["text"], wish.numbers.get("chunks"))
    return [
        ("response.output_item.added", {"output_index": 0, "item": item | {"content": [], "status": "in_progress"}}),
        ("response.content_part.added", inside | {"part": part | {"text": ""}}),
        *(("response.output_text.delta", inside | {"delta": piece, "logprobs": []}) for piece in pieces),
        ("response.output_text.done", inside | {"text": part["text"], "logprobs": []}),
        ("response.content_part.done", inside | {"part": part}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
    ]


def _output(request: ResponseRequest, completion: Completion, wish: AnswerWish) -> dict[str, Any]:
    if request.tool is not None and not request.answered and (request.forced or "tool" in wish.words):
        name, schema = request.tool
        return {
            "type": "function_call",
            "id": f"fc_{uuid.uuid4().hex}",
            "call_id": f"call_{uuid.uuid4().hex}",
            "name": name,
            "arguments": json.dumps(sample(schema) or {}),
            "status": "completed",
        }
    structured = request.schema is not None and completion.finish_reason != "length"
    text = json.dumps(sample(request.schema)) if structured else completion.text
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {
        "type": "message",
        "id": f"msg_{uuid.uuid4().hex}",
        "role": "assistant",
        "status": "completed",
        "content": content,
    }


def _response(request: ResponseRequest) -> dict[str, Any]:
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "model": request.model,
        "status": "in_progress",
        "background": request.background,
        "service_tier": "auto",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": request.previous_response_id,
        "store": request.store,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _items(value: object) -> list[dict[str, Any]]:
    """The items of `input`; a plain text becomes one item."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return value
    raise InvalidRequestError("'input' must be a text or a list of at least one item.", param="input")


def _text(item: dict[str, Any]) -> str:
    content = item.get("content", item.get("output", ""))
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _first_tool(tools: object, choice: object) -> tuple[str, Any] | None:
    wanted = choice.get("name") if isinstance(choice, dict) else None
    for tool in tools if isinstance(tools, list) else ():
        named = isinstance(tool, dict) and tool.get("type") == "function" and isinstance(tool.get("name"), str)
        if named and wanted in {None, tool["name"]}:
            return tool["name"], tool.get("parameters")
    return None
