"""Tokens of a stream that ended before it told its usage, estimated from what went through."""

from fleetmeter.pricing import Usage

_CHARACTERS_PER_TOKEN = 4
"""Of English prose and code, by and large; the estimate is marked as one wherever it is counted."""


def estimated(body_bytes: int, delivered_characters: int) -> Usage:
    """The tokens of a request of so many bytes, of whose answer so many characters were delivered."""
    return Usage(
        prompt=-(-body_bytes // _CHARACTERS_PER_TOKEN), completion=-(-delivered_characters // _CHARACTERS_PER_TOKEN)
    )


def most_prompt_tokens(body_bytes: int) -> int:
    """A bound of the tokens of a request of so many bytes.

    A token of text stands for a byte at least, so no prompt of text has more tokens than bytes. What stands behind a
    link (an image, a file) is not in the bytes: a budget bounds it only by what comes after.
    """
    return body_bytes
