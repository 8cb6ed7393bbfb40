"""The periods of budgets: hours, days and months of UTC, as seconds since the epoch at which they start."""

from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

Window: TypeAlias = Literal["hour", "day", "month"]
WINDOWS: tuple[Window, ...] = ("hour", "day", "month")


def start_of(window: Window, seconds: float) -> int:
    """When the period that holds a time began."""
    at = datetime.fromtimestamp(seconds, UTC).replace(minute=0, second=0, microsecond=0)
    if window != "hour":
        at = at.replace(hour=0)
    if window == "month":
        at = at.replace(day=1)
    return int(at.timestamp())


def end_of(window: Window, start: int) -> datetime:
    """When the period that began at `start` is over."""
    at = datetime.fromtimestamp(start, UTC)
    if window == "month":
        return (at + timedelta(days=32)).replace(day=1)
    return at + (timedelta(hours=1) if window == "hour" else timedelta(days=1))
