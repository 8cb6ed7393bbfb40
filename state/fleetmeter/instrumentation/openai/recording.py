"""What is recorded of a call that has ended: model, tokens, money, and how it ended."""

from collections.abc import Sequence
from typing import Any, Protocol

from fleetmeter.attribution.context import Attributes
from fleetmeter.instrumentation.openai.billed import is_first
from fleetmeter.instrumentation.openai.estimates import estimated
from fleetmeter.instrumentation.openai.options import Options
from fleetmeter.instrumentation.openai.resources import NO_MODEL, Resource
from fleetmeter.llm.calls import NO_ANSWER, record_outcome
from fleetmeter.llm.genai import record_operation
from fleetmeter.pricing import Answer, Cost, StreamedAnswer, Unpriced, Usage, read_answer
from fleetmeter.process.transaction import atomic

_NO_PARTS = Answer()


class Ended(Protocol):
    """A call that has ended.

    `parts` are the parsed events of a stream that may tell model, tier and usage; `document` is the finished answer, or
    the last event of a stream. `model` is the one that was asked for. `complete` is False for a stream that was left or
    cut before its end. `sent` says how often the SDK has sent it.
    """

    options: Options
    resource: Resource
    model: str
    attributes: Attributes
    exemplar: dict[str, str] | None
    parts: tuple[Any, ...]
    document: Any
    stream: bool
    sent: int
    answered: bool
    complete: bool
    error: str | None
    duration: float
    delivered: Sequence[str]
    body: Any
    response_id: str | None

    @property
    def base_url(self) -> str:
        """The base URL of the client."""

    @property
    def retries(self) -> int:
        """How often the SDK has sent it again."""

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds to the first content of a stream; None if there was none."""


def record(call: Ended) -> None:
    """Record a call, in one step: it is seen as a whole, or not at all."""
    plans = call.options.plans if call.sent == 1 and call.complete and call.error is None else None
    if call.stream:
        streamed = _streamed(call)
        if plans is not None and not _is_queued(call.document) and plans.record(call, streamed.stated()):
            return
        answer = streamed.answer()
    else:
        document = call.document
        if plans is not None and type(document) is dict and plans.record(call, document):
            return
        if call.error is None and not call.response_id and _has_failed(document):
            call.error = "APIError"
        answer = _NO_PARTS if document is None else read_answer(document, endpoint=call.resource.endpoint)
    if call.options.genai:
        with atomic():
            _record(call, answer)
    else:
        _record(call, answer)


def _record(call: Ended, answer: Answer) -> None:
    prices, resource, base_url = call.options.prices, call.resource, call.base_url
    asked = (answer.model if resource.model else "") or call.model
    usage, aborted = _usage_of(call, answer)
    cost: Cost | Unpriced | None = None
    if usage is None or usage is NO_ANSWER:
        model = asked if asked == NO_MODEL else prices.normalise(asked, base_url=base_url)
    else:
        model, cost = prices.named_price(asked, usage, tier=answer.tier, base_url=base_url)
        if asked == NO_MODEL:
            model = NO_MODEL
    saving = None
    if prices.baseline is not None and isinstance(usage, Usage) and isinstance(cost, Cost):
        saving = prices.saving(cost, usage, tier=answer.tier)
    record_outcome(
        call.attributes,
        model=model,
        endpoint=resource.endpoint,
        intent=None,
        stream=call.stream,
        duration=call.duration,
        usage=usage,
        cost=cost,
        retries=call.retries,
        time_to_first_token=call.time_to_first_token,
        aborted=aborted,
        error=call.error,
        saving=saving,
    )
    if call.options.genai:
        record_operation(
            endpoint=resource.endpoint,
            provider=prices.provider(base_url),
            asked=model if call.model == asked else prices.normalise(call.model, base_url=base_url),
            answered=model,
            base_url=base_url,
            duration=call.duration,
            usage=usage,
            error=call.error,
            exemplar=call.exemplar,
        )


def _streamed(call: Ended) -> StreamedAnswer:
    streamed = StreamedAnswer(endpoint=call.resource.endpoint)
    for part in call.parts:
        streamed.see(part)
    return streamed


def _usage_of(call: Ended, answer: Answer) -> tuple[Any, str | None]:
    """The usage as `record_outcome` takes it, and of a stream that was left where its usage is from."""
    usage: Any = answer.usage
    resource = call.resource
    if _is_queued(call.document) or (resource.free and not _is_background(call)):
        return NO_ANSWER, None  # its usage comes with a later look, came with an earlier call, or is nothing
    if usage is not None and _was_billed(call, answer.id):
        return NO_ANSWER, None
    left = call.stream and call.answered and not call.complete and call.error is None
    source = "unknown" if usage is None else "reported"
    if usage is None and call.stream and call.answered and call.options.tokenizer is not None:
        model = answer.model or call.model
        usage = estimated(call.options.tokenizer, model, call.body, call.delivered)
        source = "estimated"
    aborted = source if left else None
    if usage is None and not (call.answered and resource.tells_usage):
        usage = NO_ANSWER
    return usage, aborted


def _was_billed(call: Ended, identity: str | None) -> bool:
    """Whether the usage of this answer was counted with an earlier one; if not, it is remembered."""
    return call.resource.endpoint == "responses" and not is_first(identity)


def _is_background(call: Ended) -> bool:
    """Whether a later look shows a response that was made in the background: no call told its usage before."""
    document = call.document
    return call.response_id is not None and isinstance(document, dict) and document.get("background") is True


def _has_failed(document: Any) -> bool:
    return isinstance(document, dict) and document.get("object") == "response" and document.get("status") == "failed"


def _is_queued(document: Any) -> bool:
    return isinstance(document, dict) and document.get("status") in {"queued", "in_progress"}
