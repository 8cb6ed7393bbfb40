"""Text that may be shown: what a terminal would act upon, or what would change how text reads, is an escape."""

import json
from typing import Any


def printable(text: str) -> str:
    """The text with each control, format and unassigned character, and each lone surrogate, as Python's escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_json(value: Any, indent: int | None = None) -> str:
    """JSON that is readable in any script; its strings have escapes where `printable` has, and mean the same."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    if text.isprintable():
        return text
    kept = "" if indent is None else "\n"  # between values; inside a string it is an escape already
    return "".join(char if char.isprintable() or char == kept else json.dumps(char)[1:-1] for char in text)
