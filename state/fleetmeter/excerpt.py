"""Short forms of values for messages: enough to recognise the value, however large it is."""

MOST = 400
"""Characters of a text that a message shows at most."""

_MARK = " […] "


def cut(text: str, most: int = MOST) -> str:
    """The text itself, or its beginning and its end if it has more than `most` characters."""
    if len(text) <= most:
        return text
    tail = most // 4
    return f"{text[: most - tail - len(_MARK)]}{_MARK}{text[-tail:]}"


def quoted(value: object, most: int = 80) -> str:
    """A value's `repr`, in at most `most` characters. Never raises.

    `10**400` shows its first and last digits. A whole number with too many digits for Python shows its size in bits.
    """
    try:
        return cut(repr(value), most)
    except Exception:  # noqa: BLE001  a __repr__ of somebody else's, or more digits than Python converts
        size = f" of {value.bit_length()} bits" if isinstance(value, int) else ""
        return f"<{type(value).__name__}{size}>"
