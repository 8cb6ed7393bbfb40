"""What this process has counted of model calls since a moment, in whole numbers."""

from typing import Any

from fleetmeter.llm import catalogue

Key = tuple[str, tuple[tuple[str, str], ...]]


def _now() -> dict[Key, float]:
    metrics: tuple[Any, ...] = (
        catalogue.OPENAI_API_CALLS,
        catalogue.OPENAI_API_DURATION,
        catalogue.OPENAI_RETRIES,
        catalogue.OPENAI_UNPRICED_CALLS,
        catalogue.OPENAI_STREAM_ABORTS,
        catalogue.OPENAI_ERRORS,
        catalogue.OPENAI_TOTAL_COST_USD,
        catalogue.OPENAI_TOKENS_USED,
        catalogue.OPENAI_TIME_TO_FIRST_TOKEN,
    )
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in metrics
        for family in metric.collect()
        for sample in family.samples
    }


class Counts:
    """Everything counted since it was made, or since `restart`."""

    def __init__(self) -> None:
        self._before: dict[Key, float] = {}
        self.restart()

    def restart(self) -> None:
        """Begin at 0."""
        self._before = _now()

    def by(self, name: str, label: str) -> dict[str, int]:
        """A sample's growth by the values of a label; only what has grown."""
        found: dict[str, int] = {}
        for (sample, labels), value in _now().items():
            grown = round(value - self._before.get((sample, labels), 0.0))
            if sample == name and grown:
                key = dict(labels)[label]
                found[key] = found.get(key, 0) + grown
        return found

    def _sum(self, name: str) -> int:
        return sum(self.by(name, "model").values())

    @property
    def calls(self) -> int:
        """Calls."""
        return self._sum("openai_api_calls_total")

    @property
    def durations(self) -> int:
        """Durations that were observed."""
        return self._sum("openai_api_duration_seconds_count")

    @property
    def retries(self) -> int:
        """Retries."""
        return self._sum("openai_retries_total")

    @property
    def unpriced(self) -> int:
        """Answered calls without a price."""
        return self._sum("openai_unpriced_calls_total")

    @property
    def first_tokens(self) -> int:
        """Times to the first content that were observed."""
        return self._sum("openai_time_to_first_token_seconds_count")

    @property
    def aborts(self) -> dict[str, int]:
        """Streams that were left, by where their usage is from."""
        return self.by("openai_stream_aborts_total", "usage")

    @property
    def errors(self) -> dict[str, int]:
        """Errors by type."""
        return self.by("openai_errors_total", "type")

    @property
    def models(self) -> dict[str, int]:
        """Calls by model."""
        return self.by("openai_api_calls_total", "model")

    @property
    def endpoints(self) -> dict[str, int]:
        """Calls by endpoint."""
        return self.by("openai_api_calls_total", "endpoint")

    @property
    def intents(self) -> dict[str, int]:
        """Calls by intent."""
        return self.by("openai_api_calls_total", "intent")

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens by type."""
        return self.by("openai_tokens_used_sum", "type")

    @property
    def answered(self) -> int:
        """Calls whose tokens are known."""
        return self.by("openai_tokens_used_count", "type").get("prompt", 0)

    @property
    def nanodollars(self) -> int:
        """Money."""
        return sum(
            round((value - self._before.get(key, 0.0)) * 10**9)
            for key, value in _now().items()
            if key[0] == "openai_total_cost_usd_total"
        )
