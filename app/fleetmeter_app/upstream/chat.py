"""The wire format of chat completions, as far as the upstream speaks it: requests in, answers out.

Source: https://platform.openai.com/docs/api-reference/chat, and openai.types.chat in the SDK.
"""

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, Self

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.upstream.completion import Completion, usage_json


@dataclass(frozen=True)
class ChatRequest:
    """What matters of a request: the model, the texts of all messages (one per line), the limit in tokens."""

    model: str
    prompt: str
    max_tokens: int | None

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """Check a body that `parse_body` returned; `InvalidRequestError` names the field at fault."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise InvalidRequestError("'messages' must be a list of at least one message.", param="messages")
        for field, supported in (("stream", False), ("n", 1)):
            if body.get(field) not in {None, supported}:
                message = f"Unsupported value: '{field}' must be {json.dumps(supported)} here."
                raise InvalidRequestError(message, param=field, code="unsupported_value")
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            message = "'max_completion_tokens' must be a whole number of at least 1."
            raise InvalidRequestError(message, param="max_completion_tokens", code="invalid_type")
        prompt = "\n".join(_text(message, f"messages[{at}]") for at, message in enumerate(messages))
        return cls(body["model"], prompt, limit)


def parse_body(raw: bytes) -> dict[str, Any]:
    """The request as an object whose `model` is a text; `InvalidRequestError` when it is none."""
    try:
        body = json.loads(raw)
    except ValueError:
        raise InvalidRequestError("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise InvalidRequestError("The body of your request must be a JSON object.")
    model = body.get("model")
    # a lone surrogate could not be written back, in an answer or in the ledger
    if not isinstance(model, str) or not model or not model.isprintable():
        raise InvalidRequestError("you must provide a model parameter", param="model")
    return body


def chat_json(model: str, completion: Completion) -> dict[str, Any]:
    """The answer, as openai.types.chat.ChatCompletion reads it."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": completion.text,
        "refusal": None,
        "annotations": [],
    }
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": completion.finish_reason}],
        "usage": usage_json(completion.usage),
        "service_tier": "default",
        "system_fingerprint": None,
    }


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
