"""What calls that are alike have in common, found once for all of them: the series that they fill, and the rates.

Nearly every call is answered at once, states a plain usage, and has a price. Of such a call there is nothing to find
out but its tokens, its time and its money. Every other call is left to `recording`, which records the same of a plain
one, at several times the cost.
"""

from typing import Any, Protocol

from fleetmeter.attribution.context import Attributes
from fleetmeter.attribution.families import key_of, last_change
from fleetmeter.instrumentation.openai.billed import is_first
from fleetmeter.instrumentation.openai.resources import NO_MODEL, Resource
from fleetmeter.llm.calls import record_plain_outcome, series_of
from fleetmeter.llm.series import CallSeries
from fleetmeter.llm.vocabulary import VOCABULARY
from fleetmeter.pricing import PriceList, Tariff, read_answer
from fleetmeter.pricing.plain import plain_counts
from fleetmeter.pricing.search import is_name
from fleetmeter.pricing.sheet import PlainRates

_MOST = 1024
"""Plans that are remembered. There is a bound, because servers may name any number of models."""
_NOT_YET = ("queued", "in_progress")


class PlainCall(Protocol):
    """What a plan asks of a call that has ended, beside its answer."""

    resource: Resource
    attributes: Attributes
    stream: bool
    duration: float

    @property
    def base_url(self) -> str:
        """The base URL of the client."""

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds to the first content of a stream."""


class Plan:
    """For calls of one kind: their series, their rates, and the most prompt tokens for which these hold.

    If it is for answers that may be met again, each is billed `once`, by its id.
    """

    __slots__ = ("most_prompt", "once", "rates", "series")

    def __init__(self, series: CallSeries, rates: PlainRates, most_prompt: int) -> None:
        self.series = series
        self.rates = rates
        self.most_prompt = most_prompt
        self.once = series.kind.endpoint == "responses"


class Plans:
    """The plans of the calls that are counted with one price list."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._state: tuple[object, object, object, dict[tuple[Any, ...], Plan | None]] = (None, None, None, {})
        """Of prices, label values and series the editions that the plans were made for; and the plans."""

    def record(self, call: PlainCall, answer: dict[str, Any]) -> bool:
        """Record a call that was answered at once and ended well, if there is a plan for it.

        If not, the result is False, and nothing was recorded. `answer` is the body, or of a stream what it stated.
        """
        get = answer.get
        counts = plain_counts(get("usage"))
        if counts is None:
            return False
        # first what a plan holds for, then what it is made of: a late one stands among plans that nobody reads
        prices, words, series, plans = self._state
        if prices is not self._prices.edition() or words is not VOCABULARY.edition or series is not last_change():
            plans = self._begin()
        key = (
            get("model"), get("service_tier"), get("object"), get("status"), "response" in answer,
            call.resource, call.stream, call.base_url, key_of(call.attributes),
        )  # fmt: skip
        try:
            plan = plans[key]
        except KeyError:
            plan = self._make(call, answer, plans, key)
        except TypeError:  # what cannot be hashed is no name
            return False
        if plan is None:
            return False
        prompt, completion, cached, written, reasoning, _, _ = counts
        if written or prompt > plan.most_prompt or (plan.series.is_embedding and (cached or reasoning)):
            return False
        if plan.once and not (is_name(identity := get("id")) and is_first(identity)):
            return False
        record_plain_outcome(
            plan.series,
            counts,
            nanodollars=plan.rates.cost(prompt, completion, cached, reasoning),
            duration=call.duration,
            time_to_first_token=call.time_to_first_token if call.stream else None,
        )
        return True

    def _begin(self) -> dict[tuple[Any, ...], Plan | None]:
        plans: dict[tuple[Any, ...], Plan | None] = {}
        self._state = self._prices.edition(), VOCABULARY.edition, last_change(), plans
        return plans

    def _make(
        self, call: PlainCall, answer: dict[str, Any], plans: dict[tuple[Any, ...], Plan | None], key: tuple[Any, ...]
    ) -> Plan | None:
        plan = self._found(call, answer)
        if len(plans) >= _MOST:
            plans.clear()
        plans[key] = plan
        return plan

    def _found(self, call: PlainCall, answer: dict[str, Any]) -> Plan | None:
        """The plan for such calls; None if each has to be looked at."""
        resource, prices = call.resource, self._prices
        if not resource.tells_usage or not resource.model or resource.endpoint == "images":
            return None
        if "response" in answer or answer.get("object") == "batch":
            return None
        if answer.get("status") in (*_NOT_YET, "failed") or prices.baseline is not None:
            return None
        stated = read_answer(answer, endpoint=resource.endpoint)
        if (
            stated.model != answer.get("model")
            or stated.tier != answer.get("service_tier")
            or not is_name(stated.model)
        ):
            return None
        try:
            tariff = prices.tariff(stated.model, tier=stated.tier, base_url=call.base_url)
        except Exception:  # noqa: BLE001 - without genai-prices, or with data of another version: the call counts, unpriced
            return None
        if not isinstance(tariff, Tariff) or tariff.changes_within_days or tariff.plain is None:
            return None
        series = series_of(tariff.model, resource.endpoint, call.attributes.intent, call.stream, call.attributes)
        if series.kind.model != tariff.model or stated.model == NO_MODEL:
            return None
        return Plan(series, *tariff.plain)
