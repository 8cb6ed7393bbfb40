"""A request on its way: what was asked, by whom, and what was chosen for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fleetmeter_app.accounting.calls import Charge
from fleetmeter_app.caching.entry import Facts
from fleetmeter_app.errors import ApiError
from fleetmeter_app.guarding.caller import Caller
from fleetmeter_app.routing.router import Selection, Step
from fleetmeter_app.serving.loaded import Loaded
from fleetmeter_app.wire.request import JsonRequest


@dataclass
class Call:
    """One request that models are to answer.

    `endpoint` is a resource of the SDK, as `chat.completions`; `cache_as` what its answers are kept under, if that is
    another name. `headers` are the client's. `body_bytes` bounds the tokens of the prompt. `fallbacks` are the reasons
    for which models did not answer so far, `spent` what all calls have cost together, None once nobody knows.
    `charged` is the call that answered, `facts` what its answer is, if it may be kept. `broke` is
    the error that ended a stream, `ended` is awaited once all that the request will cost is known.
    """

    loaded: Loaded
    endpoint: str
    request: JsonRequest
    stream: bool
    caller: Caller
    selection: Selection
    headers: Mapping[str, str]
    request_id: str
    traceparent: str | None
    body_bytes: int
    spent: int | None = 0
    fallbacks: list[str] = field(default_factory=list)
    asks_usage: bool = False
    cache_as: str | None = None
    charged: Charge | None = None
    facts: Facts | None = None
    broke: ApiError | None = None
    ended: Callable[[], Awaitable[None]] | None = None

    @property
    def intent(self) -> str:
        """The intent that it was routed by."""
        return self.selection.intent

    def answered(self, step: Step, charge: Charge, content_type: str) -> None:
        """Say what answered, once that is known."""
        self.charged = charge
        self.facts = Facts(200, content_type, charge.model, step.tier, charge.nanodollars)

    def charge(self, charge: Charge) -> None:
        """Add what a call of a model has cost."""
        if charge.nanodollars is None or self.spent is None:
            self.spent = None
        else:
            self.spent += charge.nanodollars
