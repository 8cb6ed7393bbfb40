"""What a request for a chat completion asks for, as far as the upstream knows it.

Source: https://platform.openai.com/docs/api-reference/chat, and openai.types.chat in the SDK.
"""

import json
from dataclasses import dataclass
from typing import Any, Self

from fleetmeter_app.errors import InvalidRequestError
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
