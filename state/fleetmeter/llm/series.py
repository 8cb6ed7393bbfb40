"""The series that calls of one kind fill, found once and kept: what a call records costs little more than adding up."""

import os
from functools import cached_property
from time import monotonic
from typing import NamedTuple, TypeVar
from weakref import WeakSet

from prometheus_client import Counter, Gauge, Histogram

from fleetmeter.attribution.context import Attributes, in_force
from fleetmeter.attribution.remembered import Remembered
from fleetmeter.llm import catalogue
from fleetmeter.pricing.shutdowns import shutdown_timestamp

F = TypeVar("F", Counter, Gauge, Histogram)
_TOLD_SECONDS = 1.0
"""For how long the announced end of a model counts as stated: it is removed from a fleet by hand, if at all."""
_ending: "WeakSet[CallSeries]" = WeakSet()
"""Series of models whose end is announced."""
TYPES_OF_TEXT = ("prompt", "cached", "cache_write", "completion", "reasoning")
TYPES_OF_EMBEDDINGS = ("prompt", "completion")
"""Embeddings have no series of the other types unless such tokens come."""


class CallKind(NamedTuple):
    """What calls have in common that fill the same series.

    Each value is one that the vocabulary has admitted in its present `edition`.
    """

    edition: object
    model: str
    endpoint: str
    intent: str
    stream: bool


class PlainSeries(NamedTuple):
    """What a call fills that was answered at once, without a mishap, and has a price, in the order of filling."""

    counters: tuple[Counter, ...]
    """Calls, US dollars."""
    histograms: tuple[Histogram, ...]
    """Seconds; tokens of each of `TYPES_OF_TEXT`, or of `TYPES_OF_EMBEDDINGS`; tokens of all types, US dollars."""


class CallSeries:
    """The children of the catalogue's families for one kind of call, under the user's labels that it was made for.

    Retries and unpriced calls exist at 0 from the first call on. What else a call may have exists once one had it.
    """

    def __init__(self, kind: CallKind, attributes: Attributes) -> None:
        self._attributes = attributes
        self.kind = kind
        _, model, endpoint, intent, stream = kind
        self.calls = self._child(catalogue.OPENAI_API_CALLS, model, endpoint, intent, "true" if stream else "false")
        self.duration = self._child(catalogue.OPENAI_API_DURATION, model, endpoint)
        self.retries = self._child(catalogue.OPENAI_RETRIES, model)
        self.unpriced = self._child(catalogue.OPENAI_UNPRICED_CALLS, model)
        self.known_tokens: dict[str, Histogram] = {}
        """Tokens by the types that came so far."""
        self.is_embedding = endpoint == "embeddings"
        self.shutdown_at = shutdown_timestamp(model)
        self._told_until = 0.0
        if self.shutdown_at is not None:
            _ending.add(self)
        self._aborts: dict[str, Counter] = {}
        self._errors: dict[str, Counter] = {}

    def _child(self, family: F, *values: str) -> F:
        with in_force(self._attributes):
            return family.labels(*values)

    @cached_property
    def first_token(self) -> Histogram:
        """Seconds to the first content."""
        return self._child(catalogue.OPENAI_TIME_TO_FIRST_TOKEN, self.kind.model)

    @cached_property
    def tokens_per_call(self) -> Histogram:
        """Tokens of all types."""
        return self._child(catalogue.OPENAI_TOKENS_PER_CALL, self.kind.model, self.kind.intent)

    @cached_property
    def cost(self) -> Histogram:
        """US dollars of each call."""
        return self._child(catalogue.OPENAI_COST_USD, self.kind.model, self.kind.intent)

    @cached_property
    def total_cost(self) -> Counter:
        """US dollars of all calls."""
        return self._child(catalogue.OPENAI_TOTAL_COST_USD, self.kind.model)

    @cached_property
    def saved(self) -> Counter:
        """US dollars that routing saved."""
        return self._child(catalogue.COST_SAVINGS_USD, self.kind.intent, "routing")

    @cached_property
    def extra(self) -> Counter:
        """US dollars that routing cost on top."""
        return self._child(catalogue.ROUTING_EXTRA_COST_USD, self.kind.intent)

    @cached_property
    def _shutdown(self) -> Gauge:
        return self._child(catalogue.OPENAI_MODEL_SHUTDOWN_TIMESTAMP, self.kind.model)

    def tell_shutdown(self) -> None:
        """State when the model stops answering, if that is announced; anew after a while, as it may be gone by then."""
        now = monotonic()
        if now >= self._told_until and self.shutdown_at is not None:
            self._told_until = now + _TOLD_SECONDS
            self._shutdown.set(self.shutdown_at)

    def tell_anew(self) -> None:
        """State it with the next call: a forked child's gauges begin anew."""
        self._told_until = 0.0

    @cached_property
    def plain(self) -> "PlainSeries":
        """What a plain call fills."""
        types = TYPES_OF_EMBEDDINGS if self.is_embedding else TYPES_OF_TEXT
        tokens = (self.known_tokens.get(token_type) or self.tokens(token_type) for token_type in types)
        return PlainSeries((self.calls, self.total_cost), (self.duration, *tokens, self.tokens_per_call, self.cost))

    def tokens(self, token_type: str) -> Histogram:
        """Tokens of one type, from the first call on that has such."""
        child = self._child(catalogue.OPENAI_TOKENS_USED, self.kind.model, self.kind.intent, token_type)
        self.known_tokens[token_type] = child
        return child

    def aborts(self, usage: str) -> Counter:
        """Streams that were left, by where their usage is from."""
        found = self._aborts.get(usage)
        if found is None:
            found = self._aborts[usage] = self._child(catalogue.OPENAI_STREAM_ABORTS, self.kind.model, usage)
        return found

    def errors(self, error_type: str) -> Counter:
        """Errors of one type."""
        found = self._errors.get(error_type)
        if found is None:
            found = self._errors[error_type] = self._child(catalogue.OPENAI_ERRORS, self.kind.model, error_type)
        return found


def _tell_all_anew() -> None:
    for series in list(_ending):
        series.tell_anew()


os.register_at_fork(after_in_child=_tell_all_anew)

SERIES: Remembered[CallKind, CallSeries] = Remembered(CallSeries)
"""The series of every kind of call that this process has recorded lately."""
