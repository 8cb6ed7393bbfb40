"""The wire format of chat completions, as far as the upstream knows it: reads requests, makes answers and chunks.

Source: https://platform.openai.com/docs/api-reference/chat, and openai.types.chat in the SDK.
"""

import json
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any, Self

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.upstream.completion import Completion
from fleetmeter_app.upstream.ledger import BilledUsage
from fleetmeter_app.upstream.samples import sample
from fleetmeter_app.upstream.streaming import Event
from fleetmeter_app.upstream.usages import shaped
from fleetmeter_app.upstream.wishes import AnswerWish, find_calls

_MOST_CHOICES = 16


@dataclass(frozen=True)
class ChatRequest:
    """The parts of a request that matter here.

    `prompt` has the texts of all messages, one per line. `max_tokens` is the limit of the completion. `tool` is the
    function that a tool call would name, with the schema of its arguments; if `forced`, it must be called. `answered`
    says that the last message is a tool's result, `results` are the texts of all of them. If the request offers tools,
    `calls` are those that its text wishes for, as names and arguments. `schema` is the schema of a structured output.
    """

    model: str
    prompt: str
    max_tokens: int | None
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    tool: tuple[str, Any] | None = None
    forced: bool = False
    answered: bool = False
    results: tuple[str, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    schema: Any = None

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """From a body that `parse_body` returned. Raises `InvalidRequestError`, which names the wrong field."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise InvalidRequestError("'messages' must be a list of at least one message.", param="messages")
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            message = "'max_completion_tokens' must be a whole number of at least 1."
            raise InvalidRequestError(message, param="max_completion_tokens", code="invalid_type")
        stream = body.get("stream") or False
        options = body.get("stream_options")
        if options is not None and not stream:
            message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
            raise InvalidRequestError(message, param="stream_options")
        n = 1 if body.get("n") is None else body["n"]
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= _MOST_CHOICES:
            raise InvalidRequestError(f"'n' must be a whole number from 1 to {_MOST_CHOICES}.", param="n")
        choice = body.get("tool_choice")
        texts = [_text(message, f"messages[{at}]") for at, message in enumerate(messages)]
        tool = None if choice == "none" else _first_tool(body.get("tools"), choice)
        asked = "\n".join(text for text, message in zip(texts, messages, strict=True) if message["role"] == "user")
        return cls(
            model=body["model"],
            prompt="\n".join(texts),
            max_tokens=limit,
            stream=bool(stream),
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
            n=n,
            tool=tool,
            forced=choice == "required" or isinstance(choice, dict),
            answered=messages[-1]["role"] == "tool",
            results=tuple(text for text, message in zip(texts, messages, strict=True) if message["role"] == "tool"),
            calls=() if tool is None else find_calls(asked),
            schema=_schema(body.get("response_format")),
        )

    def calls_tool(self, wish: AnswerWish) -> bool:
        """Whether the answer is a call of the tool, because the request forces it or wishes for it."""
        wished = self.forced or bool(self.calls) or "tool" in wish.words
        return self.tool is not None and wished and (not self.answered or "again" in wish.words)


def parse_body(raw: bytes) -> dict[str, Any]:
    """The request as an object whose `model` is a text. Raises `InvalidRequestError` if it is anything else."""
    try:
        body = json.loads(raw)
    except ValueError:
        raise InvalidRequestError("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise InvalidRequestError("The body of your request must be a JSON object.")
    model = body.get("model")
    # a lone surrogate could be written neither into an answer nor into the ledger
    if not isinstance(model, str) or not model or not model.isprintable():
        raise InvalidRequestError("you must provide a model parameter", param="model")
    return body


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


def _first_tool(tools: object, choice: object) -> tuple[str, Any] | None:
    """Name and schema of the function to call: the one that `tool_choice` names, or else the first."""
    wanted = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    for tool in tools if isinstance(tools, list) else ():
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str) and wanted in {None, function["name"]}:
            return function["name"], function.get("parameters")
    return None


def _schema(response_format: object) -> Any:
    """The schema of a structured output; one of any object for plain JSON; None for text."""
    if not isinstance(response_format, dict):
        return None
    match response_format.get("type"):
        case "json_schema":
            return response_format.get("json_schema", {}).get("schema", {})
        case "json_object":
            return {"type": "object"}
        case _:
            return None


def _text(message: object, param: str) -> str:
    """The text of one message: a string, or the text parts of a list of content parts."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise InvalidRequestError(f"'{param}' must be an object with a role.", param=param)
    match message.get("content"):
        case str(text):
            return text
        case None if message["role"] == "assistant":
            return ""
        case [*parts] if all(isinstance(part, dict) for part in parts):
            return " ".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
        case _:
            problem = f"'{param}.content' must be a text or a list of content parts."
            raise InvalidRequestError(problem, param=f"{param}.content", code="invalid_type")
