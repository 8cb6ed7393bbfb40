"""The announced days on which models stop answering. genai-prices 0.2.3 has no such dates.

Source: https://developers.openai.com/api/docs/deprecations, compared with `GET /v1/models` on 2026-10-27.
"""

from datetime import UTC, date, datetime

_MODELS_BY_DATE = {
    date(2026, 7, 23): ("o3-deep-research", "o4-mini-deep-research"),
    date(2026, 10, 23): (
        *("gpt-3.5-turbo", "gpt-4", "gpt-4-turbo", "gpt-4.1-nano", "gpt-4o-2024-05-13"),
        *("o1", "o1-pro", "o3-mini", "o4-mini"),
    ),
    date(2026, 12, 11): ("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "o3", "o3-pro"),
    date(2027, 1, 14): ("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini"),
    date(2027, 4, 1): ("gpt-5.1", "gpt-5.3-codex", "gpt-5.4-nano"),
}

SHUTDOWN_DATES = {model: day for day, models in _MODELS_BY_DATE.items() for model in models}
"""The day on which each model stops answering, by its name in the price list."""

_TIMESTAMPS = {
    model: datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() for model, day in SHUTDOWN_DATES.items()
}


def shutdown_timestamp(model: str) -> float | None:
    """The start (UTC) of the day on which a model ends, in Unix seconds; None if none is announced."""
    return _TIMESTAMPS.get(model)
