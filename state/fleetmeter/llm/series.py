"""The series that calls of one kind fill, found once and kept: what a call records costs little more than adding up."""

from functools import cached_property
from typing import NamedTuple, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from fleetmeter.attribution.context import Attributes, in_force
from fleetmeter.attribution.remembered import Remembered
from fleetmeter.llm import catalogue
from fleetmeter.pricing.shutdowns import shutdown_timestamp

F = TypeVar("F", Counter, Gauge, Histogram)


class CallKind(NamedTuple):
    """What calls have in common that fill the same series.

    Each value is one that the vocabulary has admitted in its present `edition`.
    """

    edition: object
    model: str
    endpoint: str
    intent: str
    stream: bool


class CallSeries:
    """The children of the catalogue's families for one kind of call, under the user's labels that it was made for.

    Retries and unpriced calls exist at 0 from the first call on. What else a call may have exists once one had it.
    """

    def __init__(self, kind: CallKind, attributes: Attributes) -> None:
        self._attributes = attributes
        self._kind = kind
        _, model, endpoint, intent, stream = kind
        self.calls = self._child(catalogue.OPENAI_API_CALLS, model, endpoint, intent, "true" if stream else "false")
        self.duration = self._child(catalogue.OPENAI_API_DURATION, model, endpoint)
        self.retries = self._child(catalogue.OPENAI_RETRIES, model)
        self.unpriced = self._child(catalogue.OPENAI_UNPRICED_CALLS, model)
        self.known_tokens: dict[str, Histogram] = {}
        """Tokens by the types that came so far."""
        self.is_embedding = endpoint == "embeddings"
        self.shutdown_at = shutdown_timestamp(model)
        self._aborts: dict[str, Counter] = {}
        self._errors: dict[str, Counter] = {}

    def _child(self, family: F, *values: str) -> F:
        with in_force(self._attributes):
            return family.labels(*values)

    @cached_property
    def first_token(self) -> Histogram:
        """Seconds to the first content."""
        return self._child(catalogue.OPENAI_TIME_TO_FIRST_TOKEN, self._kind.model)

    @cached_property
    def tokens_per_call(self) -> Histogram:
        """Tokens of all types."""
        return self._child(catalogue.OPENAI_TOKENS_PER_CALL, self._kind.model, self._kind.intent)

    @cached_property
    def cost(self) -> Histogram:
        """US dollars of each call."""
        return self._child(catalogue.OPENAI_COST_USD, self._kind.model, self._kind.intent)

    @cached_property
    def total_cost(self) -> Counter:
        """US dollars of all calls."""
        return self._child(catalogue.OPENAI_TOTAL_COST_USD, self._kind.model)

    @cached_property
    def saved(self) -> Counter:
        """US dollars that routing saved."""
        return self._child(catalogue.COST_SAVINGS_USD, self._kind.intent, "routing")

    @cached_property
    def extra(self) -> Counter:
        """US dollars that routing cost on top."""
        return self._child(catalogue.ROUTING_EXTRA_COST_USD, self._kind.intent)

    @cached_property
    def shutdown(self) -> Gauge:
        """When the model stops answering; only if that is announced (`shutdown_at`)."""
        return self._child(catalogue.OPENAI_MODEL_SHUTDOWN_TIMESTAMP, self._kind.model)

    def tokens(self, token_type: str) -> Histogram:
        """Tokens of one type, from the first call on that has such."""
        child = self._child(catalogue.OPENAI_TOKENS_USED, self._kind.model, self._kind.intent, token_type)
        self.known_tokens[token_type] = child
        return child

    def aborts(self, usage: str) -> Counter:
        """Streams that were left, by where their usage is from."""
        found = self._aborts.get(usage)
        if found is None:
            found = self._aborts[usage] = self._child(catalogue.OPENAI_STREAM_ABORTS, self._kind.model, usage)
        return found

    def errors(self, error_type: str) -> Counter:
        """Errors of one type."""
        found = self._errors.get(error_type)
        if found is None:
            found = self._errors[error_type] = self._child(catalogue.OPENAI_ERRORS, self._kind.model, error_type)
        return found


SERIES: Remembered[CallKind, CallSeries] = Remembered(CallSeries)
"""The series of every kind of call that this process has recorded lately."""
