"""A call of a model, and its record: once, with its final outcome, whatever the upstream answers."""

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import generate_latest

from fleetmeter.llm import catalogue
from fleetmeter.pricing import Cost, Usage
from fleetmeter_app.accounting import calls
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.errors import UpstreamFailedError
from fleetmeter_app.guarding.caller import ANONYMOUS
from fleetmeter_app.seams import Seams
from fleetmeter_app.serving.call import Call
from fleetmeter_app.serving.loaded import Loaded, default_deployment
from fleetmeter_app.serving.pipeline import Pipeline
from fleetmeter_app.serving.upstreams import Upstreams
from fleetmeter_app.wire.answers import text_of
from fleetmeter_app.wire.request import JsonRequest
from support.exposition import parse, total
from support.raw_upstream import COMPLETION
from support.upstream import RunningUpstream, free_port, running_upstream
from support.vocabulary import fresh_vocabulary

MODEL = "gpt-6-luna"
OWN_MODEL = "[models.gpt-6-luna]\n[models.mystery]\nprice = {input = 1, cached = 1, cache_write = 1, output = 2}"


class Recorded:
    """What was recorded since it was made."""

    def __init__(self) -> None:
        self._before = parse(generate_latest(catalogue.REGISTRY))

    def __call__(self, name: str, **labels: str) -> float:
        """The growth of a sample, over all series that carry these labels."""
        now = parse(generate_latest(catalogue.REGISTRY))
        return total(now, name, **labels) - total(self._before, name, **labels)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A fresh vocabulary, and what is recorded from here on."""
    monkeypatch.setattr(calls, "VOCABULARY", fresh_vocabulary(monkeypatch))
    return Recorded()


@pytest.fixture(scope="module")
def upstream() -> Iterator[RunningUpstream]:
    """The models."""
    with running_upstream(OWN_MODEL) as running:
        yield running


@dataclass(frozen=True)
class Said:
    """What a model said, and what is known of it."""

    text: str
    model: str
    usage: Usage | None
    cost: Cost | None


CONFIG = """
baseline_tier = "only"
default_intent = "chat"
[tiers.only]
model = "gpt-6-luna"
[models.mystery]
[intents.chat]
tier = "only"
"""


async def asked(base_url: str, prompt: str, model: str, seconds: float, retries: int, limit: int | None) -> Said:
    """One call by the pipeline."""
    toml = f"{CONFIG}[upstream]\ntimeout_seconds = {seconds}\nmax_retries = {retries}\n"
    loaded = Loaded.make(GatewayConfig.from_toml(toml), default_deployment(base_url, "k"))
    upstreams = Upstreams(loaded.config.upstream)
    pipeline = Pipeline(loaded, upstreams.client, Seams())
    fields: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    if limit is not None:
        fields["max_completion_tokens"] = limit
    request = JsonRequest.of(fields)
    selection = loaded.router.select(model, "chat")
    call = Call(
        loaded, "chat.completions", request, False, ANONYMOUS, selection, {}, "req_test", None, len(request.body)
    )
    try:
        made = await pipeline.whole(call)
        body = b"".join([chunk async for chunk in made.chunks])
    finally:
        await upstreams.close()
    charged = call.charged
    assert charged is not None
    return Said(text_of(json.loads(body)), charged.model, charged.usage, charged.cost)


def ask(
    base_url: str, prompt: str, model: str = MODEL, *, timeout: float = 10, retries: int = 2, limit: int | None = None
) -> Said:
    """One call."""
    return asyncio.run(asked(base_url, prompt, model, timeout, retries, limit))


def test_an_answered_call_is_recorded_as_the_upstream_billed_it(upstream: RunningUpstream, recorded: Recorded) -> None:
    """One call, its tokens by disjoint type, and its cost to the nano-dollar; no retry and no error."""
    upstream.reset_ledger()
    answer = ask(upstream.base_url, "x [[usage:prompt=1000,cached=600,cache_write=100,completion=90,reasoning=40]]")
    billed = upstream.ledger().models[MODEL].delivered
    assert answer.model == MODEL
    assert len(answer.text.split()) == 50
    assert answer.usage is not None
    assert (answer.usage.prompt, answer.usage.cached, answer.usage.reasoning) == (1000, 600, 40)
    assert answer.cost is not None
    assert answer.cost.nanodollars == billed.nanodollars
    assert recorded("openai_api_calls_total", model=MODEL, endpoint="chat.completions", intent="chat") == 1
    assert recorded("openai_tokens_used_sum", type="prompt") == 300
    assert recorded("openai_tokens_used_sum") == billed.usage.total == 1090
    assert round(recorded("openai_cost_usd_sum", model=MODEL) * 1e9) == billed.nanodollars
    assert recorded("openai_retries_total") == recorded("openai_errors_total") == 0


def test_a_limit_reaches_the_upstream(upstream: RunningUpstream, recorded: Recorded) -> None:
    """The completion is no longer than the limit; without one none is sent."""
    prompt = "x [[usage:prompt=10,completion=50]]"
    assert len(ask(upstream.base_url, prompt, limit=7).text.split()) == 7
    assert len(ask(upstream.base_url, prompt).text.split()) == 50


def test_a_call_that_succeeds_at_the_second_try_is_one_call(upstream: RunningUpstream, recorded: Recorded) -> None:
    """One call and one retry, no error: retries are part of the call."""
    upstream.reset_ledger()
    ask(upstream.base_url, "x [[fault:429,retry_after=0.01,times=1]]")
    assert recorded("openai_api_calls_total") == recorded("openai_retries_total", model=MODEL) == 1
    assert recorded("openai_errors_total") == 0
    assert recorded("openai_api_duration_seconds_count") == 1
    assert upstream.ledger().total().received == 2


@pytest.mark.parametrize(
    ("fault", "error", "requests"),
    [
        ("404", "NotFoundError", 1),
        ("401", "AuthenticationError", 1),
        ("400", "BadRequestError", 1),
        ("429,retry_after=0.01", "RateLimitError", 3),
        ("503,retry_after=0.01", "InternalServerError", 3),
        ("latency=1", "APITimeoutError", 3),
    ],
)
def test_a_failed_call_is_one_call_with_its_retries(
    upstream: RunningUpstream, recorded: Recorded, fault: str, error: str, requests: int
) -> None:
    """One call, one error by the SDK's class, and as many retries as the upstream saw; no tokens, no cost."""
    upstream.reset_ledger()
    timeout = 0.15 if error == "APITimeoutError" else 10
    with pytest.raises(UpstreamFailedError) as raised:
        ask(upstream.base_url, f"x [[fault:{fault}]]", timeout=timeout)
    assert raised.value.cause == error
    assert upstream.ledger().total().received == requests
    assert recorded("openai_api_calls_total", model=MODEL) == 1
    assert recorded("openai_retries_total", model=MODEL) == requests - 1
    assert recorded("openai_errors_total") == recorded("openai_errors_total", model=MODEL, type=error) == 1
    assert recorded("openai_tokens_used_count") == recorded("openai_cost_usd_count") == 0
    assert recorded("openai_unpriced_calls_total") == 0


def test_an_upstream_that_is_not_there_is_a_connection_error(recorded: Recorded) -> None:
    """A refused connection is a failed call too."""
    with pytest.raises(UpstreamFailedError):
        ask(f"http://127.0.0.1:{free_port()}/v1", "x", retries=1)
    assert recorded("openai_api_calls_total", model=MODEL) == 1
    assert recorded("openai_retries_total", model=MODEL) == 1
    assert recorded("openai_errors_total", type="APIConnectionError") == 1


def test_a_model_without_a_price_is_not_free(upstream: RunningUpstream, recorded: Recorded) -> None:
    """Its tokens count, its call counts as unpriced, and no cost is recorded."""
    answer = ask(upstream.base_url, "x", "mystery")
    assert answer.cost is None
    assert answer.usage is not None
    assert recorded("openai_unpriced_calls_total", model="mystery") == 1
    assert recorded("openai_tokens_used_sum") == answer.usage.total
    assert recorded("openai_cost_usd_count") == 0


def test_a_cancelled_call_is_recorded(upstream: RunningUpstream, recorded: Recorded) -> None:
    """A call that its caller gave up is a call, no error of the upstream, and not free: nobody knows its price."""

    async def give_up() -> None:
        async with asyncio.timeout(0.2):
            await asked(upstream.base_url, "x [[fault:latency=1]]", MODEL, 10, 0, None)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert recorded("openai_api_calls_total", model=MODEL) == 1
    assert recorded("openai_errors_total") == 0
    assert recorded("openai_unpriced_calls_total", model=MODEL) == 1


@pytest.fixture(scope="module")
def answering() -> Iterator[Any]:
    """A server that answers 200 with whatever body the test gives it."""

    class Answering(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        body = b""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(self.body)))
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()

        def answer(body: bytes) -> Said:
            Answering.body = body
            return ask(f"http://127.0.0.1:{listening.server_port}/v1", "x", retries=0)

        yield answer
        listening.shutdown()
        thread.join()


def completion(**changes: object) -> bytes:
    """A chat completion of MODEL with some fields changed."""
    return json.dumps(COMPLETION | changes).encode()


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (b"", 0),
        (b"{", 0),
        (b"[]", 0),
        (b"<p>", 0),
        (b"\xff", 0),
        (b"{}", 0),
        (completion(choices=[]), 7),
        (completion(choices=None), 7),
        (completion(choices="text"), 7),
        (completion(choices=[{"message": None}]), 7),
        (completion(choices=[{"message": {"content": 5}}]), 7),
    ],
)
def test_an_answer_that_cannot_be_read_is_the_sdks_error(
    answering: Any, recorded: Recorded, body: bytes, tokens: int
) -> None:
    """What is no chat completion fails the call, once; tokens that it states count, and without them it is unpriced."""
    with pytest.raises(UpstreamFailedError):
        answering(body)
    assert recorded("openai_api_calls_total", model=MODEL) == 1
    assert recorded("openai_errors_total", model=MODEL, type="APIResponseValidationError") == 1
    assert recorded("openai_tokens_used_sum") == tokens
    assert recorded("openai_unpriced_calls_total", model=MODEL) == (0 if tokens else 1)


@pytest.mark.parametrize("model", [None, 5, ""])
def test_an_answer_without_a_model_is_the_asked_ones(answering: Any, recorded: Recorded, model: object) -> None:
    """Where the answer names no model, the one that was asked has answered."""
    assert answering(completion(model=model)).model == MODEL
    assert recorded("openai_api_calls_total", model=MODEL) == 1


@pytest.mark.parametrize("usage", [None, "much", {}, {"prompt_tokens": -1, "completion_tokens": 2}])
def test_an_answer_without_a_usage_is_an_answer(answering: Any, recorded: Recorded, usage: object) -> None:
    """The text is there, and no doubtful token; the call was not free, so it counts as one without a price."""
    answer = answering(completion(usage=usage))
    assert (answer.text, answer.usage, answer.cost) == ("hello", None, None)
    assert recorded("openai_api_calls_total") == 1
    assert recorded("openai_tokens_used_sum") == (2 if isinstance(usage, dict) and usage else 0)
    assert recorded("openai_tokens_per_call_count") == recorded("openai_cost_usd_count") == 0
    assert recorded("openai_unpriced_calls_total") == recorded("openai_unpriced_calls_total", model=MODEL) == 1


@pytest.mark.parametrize(("tier", "share"), [(None, 2), ("default", 2), ("flex", 1), ("fast", 4), ("auto", 0)])
def test_the_tier_of_the_answer_decides_the_cost(
    answering: Any, recorded: Recorded, tier: str | None, share: int
) -> None:
    """Half for flex, twice for fast, whatever was asked for; a tier without a price leaves the call unpriced."""
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
    answer = answering(completion(usage=usage, service_tier=tier, model="gpt-6-sol"))
    assert answer.cost == (Cost(share * 1_500_000) if share else None)
    assert recorded("openai_unpriced_calls_total") == (0 if share else 1)
    assert recorded("openai_tokens_used_sum") == 1_100


def test_a_refusal_is_an_empty_answer(answering: Any, recorded: Recorded) -> None:
    """A message without content is legal; halves of surrogate pairs are replaced."""
    assert answering(completion(choices=[{"message": {"content": None}}])).text == ""
    assert answering(completion(choices=[{"message": {"content": "a\ud83d"}}])).text == "a?"
