"""What one call of a model records: its outcome, its tokens, its cost, all in one step.

Nothing here raises for what it is given; see `fleetmeter.llm.records`.
"""

from math import nan
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Counter, Histogram

from fleetmeter.attribution.context import Attributes, current_attributes
from fleetmeter.keywords import names_its_arguments
from fleetmeter.llm.amounts import number, usable
from fleetmeter.llm.outcomes import error_type_of, retries_of
from fleetmeter.llm.series import SERIES, TYPES_OF_EMBEDDINGS, CallKind, CallSeries
from fleetmeter.llm.vocabulary import ABORT_USAGES, API_ENDPOINTS, OPENAI_ERROR_TYPES, VOCABULARY, member
from fleetmeter.pricing.cost import NANODOLLARS, Cost
from fleetmeter.pricing.doubt import NO_USAGE, Doubt, Unpriced, tell_once
from fleetmeter.pricing.plain import Counts
from fleetmeter.pricing.usage import Usage, read_usage
from fleetmeter.process.transaction import add_together

if TYPE_CHECKING:
    from collections.abc import Iterable


class _NoAnswer:
    """The usage of a call that was not answered: nobody could tell one."""

    def __repr__(self) -> str:
        return "NO_ANSWER"


NO_ANSWER: Final = _NoAnswer()


@names_its_arguments
def record_openai_call(
    *,
    model: str,
    endpoint: str,
    intent: str | None = None,
    stream: bool = False,
    duration: float,
    usage: object = NO_ANSWER,
    cost: Cost | Unpriced | None = None,
    retries: int | None = None,
    time_to_first_token: float | None = None,
    aborted: str | None = None,
    error: BaseException | str | None = None,
    saving: Cost | None = None,
) -> None:
    """One call of the SDK with its final outcome, in one atomic record.

    `model` is the model that answered, or the one asked if none answered; `endpoint` one of `API_ENDPOINTS`; `intent`
    is that of `attributes()` if it is not given. `duration` and `time_to_first_token` are seconds.

    Leave `usage` out for a call that was not answered. None says that it was answered, and told no usage: what it cost
    is unknown, and it counts as unpriced. Anything else is a usage, or what `read_usage` reads; of a `Doubt`, the
    certain tokens count. An answered call whose `cost` is left out or `Unpriced` counts as unpriced, too; why is logged
    once for each kind.

    `error` is the exception that the call ended in, or the name of its class (`OPENAI_ERROR_TYPES`). A call that was
    cancelled is no error. `retries` are those inside the SDK; if they are left out, the error's request tells them.
    `aborted` is for streams that were left before their end, and says where their usage is from: `reported`,
    `estimated` or `unknown`. `saving` is what routing saved, as `PriceList.saving` gives it; below 0 it is extra cost.
    """
    seconds: Any = duration
    record_outcome(
        current_attributes(),
        model=model,
        endpoint=endpoint,
        intent=intent,
        stream=bool(stream),
        duration=nan if seconds is None else seconds,  # None would say that nobody has timed it
        usage=usage if usage is NO_ANSWER else _as_usage(usage, endpoint),
        cost=cost,
        retries=retries,
        time_to_first_token=time_to_first_token,
        aborted=aborted,
        error=error,
        saving=saving,
    )


def record_outcome(
    attributes: Attributes,
    *,
    model: str,
    endpoint: str,
    intent: str | None,
    stream: bool,
    duration: float | None,
    usage: Any,
    cost: Cost | Unpriced | None,
    retries: int | None,
    time_to_first_token: float | None,
    aborted: str | None,
    error: BaseException | str | None,
    saving: Cost | None = None,
) -> None:
    """What `record_openai_call` records, for values in force that the caller names; `saving` is that of routing.

    `usage` is a `Usage`, a `Doubt`, None or `NO_ANSWER`. A call that nobody has timed has the duration None. Without
    an intent it has that of `attributes`; without retries, those that the error tells.
    """
    if retries is None:
        retries = retries_of(error)
    if isinstance(error, BaseException):
        error = error_type_of(error)
    series = series_of(model, endpoint, attributes.intent if intent is None else intent, stream, attributes)
    counts: list[tuple[Counter, float]] = [(series.calls, 1)]
    observations: list[tuple[Histogram, float]] = []
    if duration is not None and usable("openai_api_duration_seconds", duration):
        observations.append((series.duration, number(duration)))
    if time_to_first_token is not None and usable("openai_time_to_first_token_seconds", time_to_first_token):
        observations.append((series.first_token, number(time_to_first_token)))
    if retries and usable("openai_retries_total", retries):
        counts.append((series.retries, number(retries)))
    if aborted is not None:
        counts.append((series.aborts(member(aborted, ABORT_USAGES, "usage of stream aborts")), 1))
    if error is not None:
        counts.append((series.errors(member(error, OPENAI_ERROR_TYPES, "type of OpenAI errors")), 1))
    if usage is not None and usage is not NO_ANSWER:
        _add_tokens(observations, series, usage)
    if isinstance(cost, Cost) and usable("openai_cost_usd", cost.usd):
        usd = cost.usd
        observations.append((series.cost, usd))
        counts.append((series.total_cost, usd))
    elif cost is not None or usage is not NO_ANSWER:
        counts.append((series.unpriced, 1))
        _tell(usage, cost)
    if isinstance(saving, Cost):
        counts.append((series.saved if saving.nanodollars >= 0 else series.extra, abs(saving.usd)))
    add_together(counts, observations)
    if series.shutdown_at is not None:
        series.tell_shutdown()


def record_plain_outcome(
    series: CallSeries, counts: Counts, *, nanodollars: int, duration: float, time_to_first_token: float | None
) -> None:
    """What `record_outcome` records of a call of these series that was answered at once, and costs `nanodollars`.

    Nothing is checked here: the tokens are those of `plain_counts`, with none that were written to a cache, and for
    embeddings none that were cached or reasoning; seconds are finite and not below 0.
    """
    prompt, completion, cached, _, reasoning, _, _ = counts
    usd = nanodollars / NANODOLLARS
    plain = series.plain
    if series.is_embedding:
        amounts: tuple[float, ...] = (duration, prompt, completion, prompt + completion, usd)
    else:
        fresh, text = prompt - cached, completion - reasoning
        amounts = (duration, fresh, cached, 0, text, reasoning, prompt + completion, usd)
    observations: Iterable[tuple[Histogram, float]] = zip(plain.histograms, amounts, strict=True)
    if time_to_first_token is not None:
        observations = [*observations, (series.first_token, time_to_first_token)]
    add_together(zip(plain.counters, (1, usd), strict=True), observations)
    if series.shutdown_at is not None:
        series.tell_shutdown()


def series_of(model: Any, endpoint: Any, intent: Any, stream: bool, attributes: Attributes) -> CallSeries:
    """The series of such calls. What was admitted once is looked up as it comes."""
    edition = VOCABULARY.edition
    if type(model) is type(endpoint) is type(intent) is str:
        known = SERIES.known(CallKind(edition, model, endpoint, intent, stream), attributes)
        if known is not None:
            return known
    kind = CallKind(
        edition,
        VOCABULARY.model(model),
        member(endpoint, API_ENDPOINTS, "endpoint of OpenAI calls"),
        VOCABULARY.intents.admit(intent),
        stream,
    )
    return SERIES.find(kind, attributes)


def _as_usage(usage: object, endpoint: str) -> Usage | Doubt | None:
    return usage if usage is None or isinstance(usage, Usage | Doubt) else read_usage(usage, endpoint=endpoint)


def _add_tokens(observations: list[tuple[Histogram, float]], series: CallSeries, usage: Usage | Doubt) -> None:
    known = series.known_tokens
    for token_type, tokens in usage.disjoint().items():
        if tokens or not series.is_embedding or token_type in TYPES_OF_EMBEDDINGS:
            observations.append((known.get(token_type) or series.tokens(token_type), tokens))
    if usage.total is not None:
        observations.append((series.tokens_per_call, usage.total))


def _tell(usage: Any, cost: Any) -> None:
    """Log why a call has no price."""
    if isinstance(usage, Doubt):
        tell_once(usage)
    elif isinstance(cost, Unpriced):
        tell_once(cost)
    elif cost is not None and not isinstance(cost, Cost):
        kind = type(cost).__name__
        tell_once(Unpriced("cost", kind, f"its cost is a {kind}; expected a Cost, as PriceList.price() gives it"))
    elif usage is None:
        tell_once(NO_USAGE)
