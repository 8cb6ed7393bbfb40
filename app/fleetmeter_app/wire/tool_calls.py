"""The tools that a chat completion asks for, read with care: whatever an upstream wrote, nothing here raises."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """A function that a model wants to be called; `arguments` are as it wrote them, and need not be JSON."""

    id: str
    name: str
    arguments: str

    def json(self) -> dict[str, Any]:
        """The call as OpenAI writes it."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}

    def result(self, text: str) -> dict[str, Any]:
        """The message that answers it."""
        return {"role": "tool", "tool_call_id": self.id, "content": text}


def tool_calls_of(document: Any) -> tuple[ToolCall, ...]:
    """The calls of the first choice, in order; what is no call of a function is left out.

    `document` is one that `is_answer` has found to be a chat completion. Some servers leave out the id, or write the
    arguments as an object.
    """
    found = document["choices"][0]["message"].get("tool_calls")
    calls = []
    for number, item in enumerate(found if isinstance(found, list) else ()):
        function = item.get("function") if isinstance(item, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            continue
        call_id, arguments = item.get("id"), function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)
        calls.append(
            ToolCall(
                call_id if isinstance(call_id, str) and call_id else f"call_{number}",
                function["name"],
                arguments if isinstance(arguments, str) else "",
            )
        )
    return tuple(calls)


def asking(document: Any, calls: Sequence[ToolCall]) -> dict[str, Any]:
    """The model's message that asks for these calls, as the next request repeats it."""
    content = document["choices"][0]["message"].get("content")
    return {"role": "assistant", "content": content or None, "tool_calls": [call.json() for call in calls]}
