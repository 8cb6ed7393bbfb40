"""What a request asks, as text: what the rules for intents are tried on, and which limits it names."""

from collections.abc import Mapping
from typing import Any

_TEXTS = ("text", "input_text", "output_text", "refusal")
"""Types of parts that hold all there is to them."""

_AT_THE_PROVIDER = ("background", "previous_response_id", "conversation", "web_search_options")
"""Fields that let the provider keep something, or do more than answer."""
_TOOLS_OF_THE_CLIENT = ("function", "custom")
"""Types of tools that the client runs; the provider runs all others."""


def question_of(fields: Mapping[str, Any], most: int) -> str:
    """The first `most` characters of the user's last message, or of the input; empty if none can be read."""
    asked = fields.get("messages", fields.get("input"))
    if isinstance(asked, str):
        return asked[:most]
    if not isinstance(asked, list):
        return ""
    for message in reversed(asked):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"), most)
        if isinstance(message, str):  # of an embedding
            return message[:most]
    return ""


def _text(content: Any, most: int) -> str:
    if isinstance(content, str):
        return content[:most]
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n".join(part for part in parts if isinstance(part, str))[:most]


def may_be_asked_twice(endpoint: str, fields: Mapping[str, Any]) -> bool:
    """Whether a second request like this one does nothing at the provider but cost money.

    Not if the provider keeps something: OpenAI keeps each response whose request does not say `store: false`. Nor if it
    runs tools of its own.
    """
    store = fields.get("store")
    kept = store is not False if endpoint == "responses" else bool(store)
    if kept or any(fields.get(name) for name in _AT_THE_PROVIDER):
        return False
    tools = fields.get("tools") or []
    return isinstance(tools, list) and all(
        isinstance(tool, dict) and tool.get("type") in _TOOLS_OF_THE_CLIENT for tool in tools
    )


def completion_limit(fields: Mapping[str, Any]) -> int | None:
    """The most tokens that one completion may have, if the request says so."""
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        limit = fields.get(name)
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
            return limit
    return None


def linked_parts(fields: Mapping[str, Any]) -> int:
    """How many parts of messages may stand for more than their text: images, files and sounds."""
    asked = fields.get("messages", fields.get("input"))
    if not isinstance(asked, list):
        return 0
    contents = (message.get("content") for message in asked if isinstance(message, dict))
    return sum(
        isinstance(part, dict) and part.get("type") not in _TEXTS
        for content in contents
        if isinstance(content, list)
        for part in content
    )
