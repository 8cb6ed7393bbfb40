"""The short way for plain calls, beside the way for every call: both record the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from genai_prices import data_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

import fleetmeter
from fleetmeter.attribution.context import Attributes, current_attributes
from fleetmeter.instrumentation.openai import billed, recording
from fleetmeter.instrumentation.openai.options import Options
from fleetmeter.instrumentation.openai.plans import Plans
from fleetmeter.instrumentation.openai.resources import Resource, resource_of
from fleetmeter.llm import catalogue
from fleetmeter.llm.catalogue import REGISTRY
from fleetmeter.pricing import Book, ModelPrice, PriceList
from fleetmeter.testing import Recorder

HERE = "http://127.0.0.1:1/v1/"
CHAT: dict[str, Any] = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 8, "audio_tokens": 0},
}
WRITTEN = {**CHAT, "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 30}}
LONG = {"prompt_tokens": 300_000, "completion_tokens": 20, "total_tokens": 300_020}
NOTHING_CACHED = {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5, "prompt_tokens_details": None}
EMBEDDED = {"prompt_tokens": 8, "total_tokens": 8}
RESPONSE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 8},
    "total_tokens": 120,
}
ANSWER: dict[str, Any] = {"id": "a-1", "model": "gpt-6-luna", "usage": CHAT}
PATHS = ("/chat/completions", "/responses", "/embeddings", "/images/generations", "/responses/a-1", "/moderations")


@dataclass
class Ended:
    """A call that has ended, as `recording` is told of one."""

    options: Options
    document: Any
    resource: Resource = field(default_factory=lambda: resource_of("post", PATHS[0]))
    model: str = "gpt-6-luna"
    attributes: Attributes = field(default_factory=current_attributes)
    exemplar: dict[str, str] | None = None
    parts: tuple[Any, ...] = ()
    stream: bool = False
    sent: int = 1
    answered: bool = True
    complete: bool = True
    error: str | None = None
    duration: float = 0.5
    delivered: Sequence[str] = ()
    body: Any = None
    response_id: str | None = None
    base_url: str = HERE

    @property
    def retries(self) -> int:
        """How often it was sent again."""
        return self.sent - 1

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds to the first content."""
        return 0.25 if self.stream else None


def prices(**more: Any) -> PriceList:
    """Listed prices, and a model of the user's own whose long calls have other rates."""
    longer = {"threshold_tokens": 200_000, "input": 2, "output": 4, "cached_input": 1}
    house = ModelPrice.from_mapping("house", {"input": 1, "output": 2, "cached_input": 0.5, "long_context": longer})
    return PriceList(Book(models={"house": house}, providers={"127.0.0.1": "openai"}), **more)


def options(listed: PriceList, *, short: bool) -> Options:
    """How calls are counted, with the short way or without it."""
    return Options(listed, False, None, (), Plans(listed) if short else None)


def recorded(calls: Sequence[Ended], *, short: bool) -> dict[str, float]:
    """Every sample after these calls, which come one after the other, on the short way if it takes them."""
    billed.forget_billed()
    for family in vars(catalogue).values():
        if getattr(family, "_labelnames", ()):
            family.clear()
    counted = options(prices(), short=short)
    for call in calls:
        parts = (call.document,) if call.stream and isinstance(call.document, dict) else ()
        recording.record(replace(call, options=counted, parts=parts))
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def have_a_plan(call: Ended) -> None:
    """Record it until it has one that lasts: the first call loads the prices, which are others than none."""
    for _ in range(2):
        recording.record(call)


def takes_the_short_way(call: Ended) -> bool:
    """Whether a plan records it."""
    billed.forget_billed()
    return Plans(call.options.prices).record(call, call.document)


NAMES = st.sampled_from([None, "", "gpt-6-luna", "gpt-4o", "gpt-4o-audio-preview", "house", "nobody's", 5, ["m"]])
TIERS: st.SearchStrategy[Any] = st.sampled_from([None, None, "default", "flex", "priority", "scale", "auto", "", 7, {}])
USAGES = st.sampled_from([CHAT, CHAT, RESPONSE, WRITTEN, LONG, EMBEDDED, None, 3, {"prompt_tokens": -1}, {"type": "x"}])
DOCUMENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"model": NAMES, "usage": USAGES},
    optional={
        "id": st.sampled_from([None, "a-1", "x" * 300, 5]),
        "service_tier": TIERS,
        "object": st.sampled_from(["chat.completion", "response", "batch", None, []]),
        "status": st.sampled_from(["completed", "incomplete", "failed", "queued", "in_progress", None, 1]),
        "response": st.sampled_from([None, {"model": "gpt-4o", "usage": CHAT}, "text"]),
        "background": st.booleans(),
    },
)
CALLS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"document": DOCUMENTS | st.sampled_from([None, [], "text"])},
    optional={
        "resource": st.sampled_from(PATHS).map(lambda path: resource_of("post", path)),
        "stream": st.booleans(),
        "sent": st.sampled_from([1, 3]),
        "complete": st.booleans(),
        "error": st.sampled_from([None, "APIError"]),
        "attributes": st.sampled_from([Attributes(), Attributes(intent="chat"), Attributes(intent=5)]),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=3))
def test_both_ways_record_the_same(told: list[dict[str, Any]]) -> None:
    """Whatever answers hold and however calls end, the same series exist afterwards, with the same values."""
    calls = [Ended(options(prices(), short=True), **call) for call in told]
    assert recorded(calls, short=True) == recorded(calls, short=False)


ODD_ANSWERS: list[dict[str, Any]] = [
    *({"usage": usage} for usage in (RESPONSE, WRITTEN, LONG, EMBEDDED, NOTHING_CACHED, None, {"prompt_tokens": -1})),
    *(
        {"model": model}
        for model in (None, "", "gpt-4o", "gpt-4o-audio-preview", "house", "nobody's", 5, ["m"], "none")
    ),
    *({"service_tier": tier} for tier in ("default", "flex", "priority", "scale", "auto", "", 7)),
    {"service_tier": {}},
    *({"object": kind} for kind in ("chat.completion", "response", "batch", None)),
    {"object": []},
    *({"status": status} for status in ("completed", "failed", "queued", "in_progress", 1)),
    *({"response": response} for response in (None, {"model": "gpt-4o", "usage": RESPONSE}, "text")),
    *({"id": identity} for identity in (None, "", "x" * 300, 5)),
    {"model": "house", "usage": LONG},
    {"object": "response", "status": "failed"},
]
ODD_CALLS: list[dict[str, Any]] = [
    *({"resource": resource_of("post", path)} for path in PATHS),
    *({"stream": True}, {"stream": False}),
    *({"sent": 3}, {"sent": 0, "answered": False}, {"complete": False}, {"error": "RateLimitError"}),
    *({"attributes": Attributes(intent="chat")}, {"attributes": Attributes(intent=5)}, {"response_id": "a-1"}),
    *({"base_url": "https://api.groq.com/openai/v1/"}, {"model": "none"}, {"document": None}, {"document": "text"}),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/embeddings", "/images/generations"])
@pytest.mark.parametrize(
    ("answer", "call"),
    [*((odd, {}) for odd in ODD_ANSWERS), *(({}, odd) for odd in ODD_CALLS)],
    ids=lambda odd: ",".join(f"{name}={value!s:.30}" for name, value in odd.items()) or "-",
)
def test_an_odd_call_among_plain_ones(answer: dict[str, Any], call: dict[str, Any], path: str, stream: bool) -> None:
    """A plan is for calls that are alike in everything that matters: both ways record the same of either sort."""
    usage = {"/chat/completions": CHAT, "/embeddings": EMBEDDED}.get(path, RESPONSE)
    document, resource = {**ANSWER, "usage": usage}, resource_of("post", path)
    plain = Ended(options(prices(), short=True), document, resource, stream=stream)
    odd = replace(plain, **{"document": {**document, **answer}, **call})
    other = replace(plain, document={**document, "id": "a-2"})
    calls = (plain, plain, odd, other, odd)  # what is found first is found before prices were loaded
    assert recorded(calls, short=True) == recorded(calls, short=False)


@pytest.mark.parametrize("usage", [CHAT, RESPONSE, EMBEDDED])
@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/embeddings"])
@pytest.mark.parametrize("tier", [None, "default", "flex"])
def test_what_openai_answers_goes_the_short_way(usage: dict[str, Any], path: str, tier: str | None) -> None:
    """Chats, responses and embeddings with a price, unless an embedding states what no embedding has."""
    call = Ended(options(prices(), short=True), {**ANSWER, "usage": usage, "service_tier": tier})
    call.resource = resource_of("post", path)
    assert takes_the_short_way(call) == (path != "/embeddings" or usage is EMBEDDED)


@pytest.mark.parametrize(
    "changes",
    [
        {"usage": WRITTEN},
        {"model": "nobody's"},
        {"model": "house", "usage": LONG},
        {"service_tier": "scale"},
        {"status": "queued"},
    ],
)
def test_every_other_call_is_looked_at(changes: dict[str, Any]) -> None:
    """Cache writes, models and tiers without a price, and answers that are not there yet."""
    assert not takes_the_short_way(Ended(options(prices(), short=True), {**ANSWER, **changes}))


def test_savings_are_worked_out_call_by_call() -> None:
    """With a baseline, what a call saved is counted as ever."""
    call = Ended(options(prices(baseline="gpt-6-sol"), short=True), ANSWER)
    assert not takes_the_short_way(call)
    recorder = Recorder(REGISTRY)
    recording.record(call)
    assert recorder.total("cost_savings_usd_total") > 0


def test_a_response_that_is_met_again_is_not_billed_again() -> None:
    """The short way remembers the ids that it billed, and knows those that the other way did."""
    call = Ended(options(prices(), short=True), {**ANSWER, "usage": RESPONSE}, resource_of("post", "/responses"))
    recorder = Recorder(REGISTRY)
    for _ in range(3):
        recording.record(call)
    assert recorder.total("openai_api_calls_total") == 3
    assert recorder.total("openai_tokens_per_call_count") == 1


@pytest.fixture
def other_prices() -> Iterator[Any]:
    """Puts a list without gpt-6-luna in force when it is called; afterwards the usual one is back."""
    usual = data_snapshot.get_snapshot()

    def begin() -> None:
        fewer = [replace(one, models=[m for m in one.models if m.id != "gpt-6-luna"]) for one in usual.providers]
        data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot(providers=fewer, from_auto_update=True))

    yield begin
    data_snapshot.set_custom_snapshot(None)


def test_a_plan_ends_with_the_prices_that_it_was_made_of(other_prices: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a second after new price data came, they are in force."""
    now = 1_790_000_000.0
    monkeypatch.setattr("fleetmeter.pricing.tariff_list.time", lambda: now)
    call = Ended(options(prices(), short=True), ANSWER)
    recorder = Recorder(REGISTRY)
    have_a_plan(call)
    assert recorder.total("openai_unpriced_calls_total") == 0
    other_prices()
    now += 0.11
    recording.record(call)
    assert recorder.total("openai_unpriced_calls_total") == 1


def test_a_call_counts_though_its_price_cannot_be_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without genai-prices, or with data that cannot be read, there is no plan, and the call is unpriced."""
    listed = prices()
    monkeypatch.setattr(listed, "tariff", lambda *_, **__: 1 / 0)
    recorder = Recorder(REGISTRY)
    for _ in range(2):
        recording.record(Ended(options(listed, short=True), ANSWER))
    assert recorder.total("openai_api_calls_total") == recorder.total("openai_unpriced_calls_total") == 2


def test_a_plan_ends_with_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some prices change from day to day, so the edition of a price list ends at midnight (UTC)."""
    listed, now = prices(), 1_790_000_000.0
    monkeypatch.setattr("fleetmeter.pricing.tariff_list.time", lambda: now)
    first = listed.edition()
    now += 86_399 - now % 86_400
    assert listed.edition() is first
    now += 1
    second = listed.edition()
    assert second is not first
    now -= 1
    assert listed.edition() is not second, "a clock that was set back is in another day, too"


def test_a_plan_ends_with_its_series() -> None:
    """A series that was removed is made anew by the next call."""
    call = Ended(options(prices(), short=True), ANSWER)
    have_a_plan(call)
    catalogue.OPENAI_API_CALLS.clear()
    recorder = Recorder(REGISTRY)
    recording.record(call)
    assert recorder.total("openai_api_calls_total", model="gpt-6-luna") == 1


def test_a_plan_ends_with_the_labels() -> None:
    """Labels of the user's own hold from the next call on."""
    call = Ended(options(prices(), short=True), ANSWER, attributes=Attributes(team="search"))
    have_a_plan(call)
    try:
        fleetmeter.llm.configure(labels={"team": ["search"]})
        recorder = Recorder(REGISTRY)
        recording.record(call)
        recording.record(replace(call, attributes=Attributes(team="else")))
        assert recorder.total("openai_api_calls_total", team="search") == 1
        assert recorder.total("openai_api_calls_total", team="other") == 1
    finally:
        fleetmeter.llm.configure(labels={})


def test_a_plan_ends_with_the_words() -> None:
    """What `configure` admits holds from the next call on."""
    call = Ended(options(prices(), short=True), ANSWER, attributes=Attributes(intent="chat"))
    have_a_plan(call)
    fleetmeter.llm.configure(intents=["analysis"])
    recorder = Recorder(REGISTRY)
    recording.record(call)
    recording.record(replace(call, attributes=Attributes(intent="analysis")))
    assert recorder.total("openai_api_calls_total", intent="other") == 1
    assert recorder.total("openai_api_calls_total", intent="analysis") == 1
