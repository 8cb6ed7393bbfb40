"""What is recorded of a call that has ended: model, tokens, money, and how it ended."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

from fleetmeter.attribution.context import Attributes
from fleetmeter.instrumentation.openai.estimates import estimated
from fleetmeter.instrumentation.openai.options import Options
from fleetmeter.instrumentation.openai.resources import NO_MODEL, Resource
from fleetmeter.llm.calls import NO_ANSWER, record_outcome
from fleetmeter.llm.genai import record_operation
from fleetmeter.pricing import Answer, Cost, StreamedAnswer, Unpriced, Usage, read_answer
from fleetmeter.process.transaction import atomic

_NO_PARTS = Answer()
_MOST_REMEMBERED = 10_000
"""Ids of responses that are remembered as billed; the oldest go."""


@dataclass(slots=True, eq=False)  # not frozen, which would take 5 µs for each call
class Outcome:
    """A call that has ended.

    `parts` are the parsed bodies or events that may tell model, tier and usage; `document` is the finished answer,
    or the last chunk of one. `complete` is False for a stream that was left or cut before its end.
    """

    options: Options
    resource: Resource
    base_url: str
    asked_model: str
    attributes: Attributes
    exemplar: dict[str, str] | None
    parts: tuple[Any, ...]
    document: Any
    stream: bool
    answered: bool
    complete: bool
    error: str | None
    retries: int
    duration: float
    time_to_first_token: float | None
    delivered: list[str]
    body: Any
    response_id: str | None


class _Billed:
    """Responses whose usage was counted, so that no later look at them counts it again."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def first(self, identity: str | None) -> bool:
        """Whether a response is met for the first time; it is remembered."""
        if identity is None:
            return True
        with self._lock:
            known = identity in self._ids
            self._ids[identity] = None
            self._ids.move_to_end(identity)
            if len(self._ids) > _MOST_REMEMBERED:
                self._ids.popitem(last=False)
        return not known


_billed = _Billed()


def forget_billed() -> None:
    """Take every response for a new one, as a test does that begins."""
    global _billed
    _billed = _Billed()


def record(outcome: Outcome) -> None:
    """Record a call, in one step: it is seen as a whole, or not at all."""
    if not outcome.options.genai:
        _record(outcome)
        return
    with atomic():
        _record(outcome)


def _record(outcome: Outcome) -> None:
    answer = _answer_of(outcome)
    prices, resource, base_url = outcome.options.prices, outcome.resource, outcome.base_url
    asked = (answer.model if resource.model else "") or outcome.asked_model
    model = asked if asked == NO_MODEL else prices.normalise(asked, base_url=base_url)
    usage, cost, aborted = _priced(outcome, answer)
    saving = None
    if prices.baseline is not None and isinstance(usage, Usage) and isinstance(cost, Cost):
        saving = prices.saving(cost, usage, tier=answer.tier)
    record_outcome(
        outcome.attributes,
        model=model,
        endpoint=resource.endpoint,
        intent=None,
        stream=outcome.stream,
        duration=outcome.duration,
        usage=usage,
        cost=cost,
        retries=outcome.retries,
        time_to_first_token=outcome.time_to_first_token,
        aborted=aborted,
        error=outcome.error,
        saving=saving,
    )
    if outcome.options.genai:
        asked_for = outcome.asked_model
        record_operation(
            endpoint=resource.endpoint,
            provider=prices.provider(base_url),
            asked=model if asked_for == asked else prices.normalise(asked_for, base_url=base_url),
            answered=model,
            base_url=base_url,
            duration=outcome.duration,
            usage=usage,
            error=outcome.error,
            exemplar=outcome.exemplar,
        )


def _answer_of(outcome: Outcome) -> Answer:
    endpoint = outcome.resource.endpoint
    if not outcome.stream:
        return read_answer(outcome.parts[0], endpoint=endpoint) if outcome.parts[0] is not None else _NO_PARTS
    streamed = StreamedAnswer(endpoint=endpoint)
    for part in outcome.parts:
        streamed.see(part)
    return streamed.answer()


def _priced(outcome: Outcome, answer: Answer) -> tuple[Any, Cost | Unpriced | None, str | None]:
    """Usage as `record_outcome` takes it, cost, and of a stream that was left where its usage is from."""
    usage = answer.usage
    resource = outcome.resource
    if _is_queued(outcome.document) or (resource.free and not _is_background(outcome)):
        return NO_ANSWER, None, None  # its usage comes with a later look, came with an earlier call, or is nothing
    if usage is not None and _was_billed(outcome, answer.id):
        return NO_ANSWER, None, None
    left = outcome.stream and outcome.answered and not outcome.complete and outcome.error is None
    source = "unknown" if usage is None else "reported"
    if usage is None and outcome.stream and outcome.answered and outcome.options.tokenizer is not None:
        model = answer.model or outcome.asked_model
        usage = estimated(outcome.options.tokenizer, model, outcome.body, outcome.delivered)
        source = "estimated"
    aborted = source if left else None
    if usage is None:
        return None if outcome.answered and resource.tells_usage else NO_ANSWER, None, aborted
    model = answer.model or outcome.asked_model
    cost = outcome.options.prices.price(model, usage, tier=answer.tier, base_url=outcome.base_url)
    return usage, cost, aborted


def _was_billed(outcome: Outcome, identity: str | None) -> bool:
    """Whether the usage of this answer was counted with an earlier one; if not, it is remembered."""
    return outcome.resource.endpoint == "responses" and not _billed.first(identity)


def _is_background(outcome: Outcome) -> bool:
    """Whether a later look shows a response that was made in the background: no call told its usage before."""
    document = outcome.document
    return outcome.response_id is not None and isinstance(document, dict) and document.get("background") is True


def _is_queued(document: Any) -> bool:
    return isinstance(document, dict) and document.get("status") in {"queued", "in_progress"}
