"""The store's times, as it keeps them and as it tells the present one: microseconds since 1970."""

from typing import Any

TIME_DIGITS = 18
"""Digits of the longest number that is taken for a time (µs): enough beyond the year 30,000."""


def time_of(text: bytes) -> int | None:
    """The time that a text holds, µs; None if it is not a time."""
    return int(text) if text.isdigit() and len(text) <= TIME_DIGITS else None


def microseconds(seconds: Any, micros: Any) -> int:
    """The present time, as the reply to TIME has it."""
    return int(seconds) * 10**6 + int(micros)
