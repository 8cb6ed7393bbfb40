"""The record of one call of a model: once, with its final outcome, priced by who answered."""

from dataclasses import dataclass
from time import perf_counter

from fleetmeter import atomic
from fleetmeter.llm import record_openai_call
from fleetmeter.llm.catalogue import OPENAI_STREAM_ABORTS, OPENAI_UNPRICED_CALLS
from fleetmeter.llm.vocabulary import VOCABULARY
from fleetmeter.pricing import Cost, Doubt, PriceList, Unpriced, Usage
from fleetmeter.pricing.answer import Answer
from fleetmeter_app.transport.failures import UpstreamFailure


@dataclass(frozen=True)
class Charge:
    """What a call used and cost; None for what is not known. `estimated` says that nobody stated it."""

    model: str
    usage: Usage | None
    cost: Cost | None
    estimated: bool = False

    @property
    def nanodollars(self) -> int | None:
        """The cost as a whole number."""
        return None if self.cost is None else self.cost.nanodollars


@dataclass(frozen=True)
class Origin:
    """Who answers, for the prices: a provider by name, or a base URL that tells it; neither stands for OpenAI."""

    provider: str | None = None
    base_url: str | None = None


@dataclass
class Running:
    """A call that has begun; `first_token` is when the first token of a stream came, by `perf_counter`."""

    endpoint: str
    intent: str
    model: str
    stream: bool
    origin: Origin
    started: float
    first_token: float | None = None
    retries: int = 0

    def duration(self) -> float:
        """Seconds since it began."""
        return perf_counter() - self.started

    def time_to_first_token(self) -> float | None:
        """Seconds to the first token, None if there was none."""
        return None if self.first_token is None else self.first_token - self.started


class Accounts:
    """Records calls, priced by `prices`."""

    def __init__(self, prices: PriceList) -> None:
        self.prices = prices

    def answered(
        self,
        call: Running,
        stated: Answer,
        *,
        aborted: bool = False,
        error: str | None = None,
        estimate: Usage | None = None,
    ) -> Charge:
        """Record a call that was answered, wholly or in part.

        `aborted` is a stream that was left before its end; `error` the class of what ended it, if something did.
        `estimate` stands in for a usage that was not told.
        """
        model = stated.model or call.model
        usage: Usage | Doubt | None = stated.usage
        source = "reported"
        if usage is None and estimate is not None:
            usage, source = estimate, "estimated"
        elif usage is None:
            source = "unknown"
        cost: Cost | Unpriced = self.prices.price(
            model, usage, tier=stated.tier, provider=call.origin.provider, base_url=call.origin.base_url
        )
        known = usage if isinstance(usage, Usage) else None
        saving = None
        if isinstance(cost, Cost) and known is not None:
            # what the baseline model would have cost for the same usage, more than was paid, or less
            saving = self.prices.saving(cost, known, tier=stated.tier)
        record_openai_call(
            model=model,
            endpoint=call.endpoint,
            intent=call.intent,
            stream=call.stream,
            duration=call.duration(),
            usage=usage,
            cost=cost,
            retries=call.retries,
            time_to_first_token=call.time_to_first_token(),
            aborted=source if aborted else None,
            error=error,
            saving=saving,
        )
        return Charge(model, known, cost if isinstance(cost, Cost) else None, estimated=source == "estimated")

    def failed(self, call: Running, failure: UpstreamFailure) -> Charge:
        """Record a call that brought no answer which can be used; what it has cost all the same is told."""
        if failure.answered:
            return self.answered(call, failure.answer or Answer(), error=failure.error_type)
        self._without_answer(call, failure.error_type)
        return Charge(call.model, Usage(0), Cost(0))

    def given_up(self, call: Running) -> Charge:
        """Record a call whose client left before any answer; nobody knows what it will have cost."""
        with atomic():
            self._without_answer(call)
            if call.stream:
                OPENAI_STREAM_ABORTS.labels(VOCABULARY.model(call.model), "unknown").inc()
            OPENAI_UNPRICED_CALLS.labels(VOCABULARY.model(call.model)).inc()
        return Charge(call.model, None, None)

    def beaten(self, call: Running, estimate: Usage) -> Charge:
        """Record a call that was ended because another one of the same question was faster."""
        return self.answered(call, Answer(), aborted=call.stream, estimate=estimate)

    def _without_answer(self, call: Running, error: str | None = None) -> None:
        record_openai_call(
            model=call.model,
            endpoint=call.endpoint,
            intent=call.intent,
            stream=call.stream,
            duration=call.duration(),
            retries=call.retries,
            error=error,
        )
