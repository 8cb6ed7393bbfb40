"""An answer in one piece: whether it is one, and what it says of an error."""

import json
from collections.abc import Mapping
from typing import Any

from fleetmeter_app.wire.nesting import is_too_deep

_LISTS = {"chat.completions": "choices", "responses": "output", "embeddings": "data"}
"""The list that an answer of each endpoint has."""


def read_document(body: bytes) -> dict[str, Any] | None:
    """A body as a JSON object; None for anything else, and for one that is nested too deeply."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and not is_too_deep(body, document) else None


def is_answer(endpoint: str, document: Any) -> bool:
    """Whether a document is what the endpoint answers, as far as clients take that for granted."""
    if not isinstance(document, dict):
        return False
    items = document.get(_LISTS[endpoint])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return False
    if endpoint == "responses":
        return document.get("status") != "failed"
    if endpoint == "chat.completions":
        return bool(items) and all(_is_choice(item) for item in items)
    return True


def error_of(document: Any) -> Mapping[str, Any] | None:
    """The error inside a document, in OpenAI's shape or as a bare text; None if there is none."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str) and error:
        return {"message": error}
    if document.get("object") == "error":  # vLLM's
        return document
    return None


def text_of(document: Any) -> str:
    """The text of the first choice of a chat completion, empty for a refusal, without halves of surrogate pairs."""
    content = document["choices"][0]["message"].get("content")
    return "" if content is None else str(content).encode("utf-8", "replace").decode()


def _is_choice(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    if not isinstance(message, dict):
        return False
    content = message.get("content")
    return content is None or isinstance(content, str | list)
