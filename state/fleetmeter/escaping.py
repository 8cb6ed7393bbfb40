"""Text that is safe to show: characters that control a terminal, or reorder the text, are written as escapes."""

import json
from typing import Any


def printable(text: str) -> str:
    """The text, with Python's escape for each control, format or unassigned character and each lone surrogate."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_json(value: Any, indent: int | None = None) -> str:
    """JSON with letters of any script as they are. It escapes what `printable` escapes; its strings mean the same."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    if text.isprintable():
        return text
    kept = "" if indent is None else "\n"  # between values; inside a string JSON has escaped it already
    return "".join(char if char.isprintable() or char == kept else json.dumps(char)[1:-1] for char in text)
