"""How deep a JSON document is nested: what was read has to be written again, from deeper in the stack of calls."""

from typing import Any

MOST_LEVELS = 200
"""Lists and objects within each other. Python reads up to a thousand, less the calls that are under way, and writes
fewer; a JSON schema as deep as OpenAI takes it has about thirty."""


def is_too_deep(text: str | bytes, document: Any) -> bool:
    """Whether a document, which was read from this text, has more than `MOST_LEVELS` levels.

    Most texts have fewer brackets than that, and are not looked at any further.
    """
    brackets = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if brackets <= MOST_LEVELS:
        return False
    level = [document]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
