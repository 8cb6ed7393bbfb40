"""A second deployment is asked when the first is slow: one answer, two calls in the counts, none free by omission."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleetmeter.embedded import EmbeddedStore
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.errors import ConfigError
from fleetmeter_app.routing.router import Step
from fleetmeter_app.serving.hedge import Hedge
from fleetmeter_app.serving.upstream_calls import ModelCall
from fleetmeter_app.wire.questions import may_be_asked_twice
from support.exposition import total
from support.gateway import GATEWAY, NEVER_OPEN, ONE_TIER, Program, Programs, eventually, running_replica
from support.raw_upstream import COMPLETION, raw_upstream
from support.store import new_address
from support.upstream import RunningUpstream, running_upstream

UPSTREAM = """
[models."gpt-6-luna"]
[models.slow]
price = { input = 100, cached = 10, cache_write = 125, output = 500 }
"""
# the slow one is asked first: it takes a thousand times as much
CONFIG = """
baseline_tier = "cheap"
default_intent = "general"
[tiers.cheap]
model = "gpt-6-luna"
deployments = ["slow", "fast"]
hedge_after_seconds = 0.1
[tiers.patient]
model = "gpt-6-luna"
deployments = ["slow", "fast"]
[deployments.slow]
base_url = "{upstream}"
weight = 1000
provider = "openai"
model_names = {{ gpt-6-luna = "slow" }}
[deployments.fast]
base_url = "{upstream}"
provider = "openai"
[prices.slow]
input = 0.1
output = 0.5
[intents.general]
tier = "cheap"
[upstream]
timeout_seconds = 20
max_retries = 0
[cache]
enabled = false
{more}"""
BILL = "[[usage:prompt=100,completion=20]]"
COST = 100 * 100 + 20 * 500
SLOW = "[[fault:latency=3@slow]]"
ANSWER = {**COMPLETION, "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}}
CALLS, HEDGES = "openai_api_calls_total", "model_hedges_total"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningUpstream]:
    """An upstream that serves the same model under two names."""
    with running_upstream(UPSTREAM) as upstream:
        yield upstream


@pytest.fixture
def replica(server: EmbeddedStore, upstream: RunningUpstream) -> Iterator[Program]:
    """One replica whose counts begin at 0."""
    with running_replica(server, upstream.base_url, CONFIG.format(upstream=upstream.base_url, more=NEVER_OPEN)) as one:
        yield one


def ask(replica: Program, text: str, path: str = "/v1/chat/completions", **fields: Any) -> httpx.Response:
    """What it answers."""
    content = {"input": text} if path == "/v1/responses" else {"messages": [{"role": "user", "content": text}]}
    body = {"model": "cheap", **content, **fields}
    return httpx.post(replica.address() + path, json=body, timeout=60)


def counted(replica: Program, calls: int, **hedges: int) -> dict[str, int]:
    """Hedges by who answered, once so many calls and hedges are counted."""

    def found() -> dict[str, int]:
        samples = replica.samples()
        return {answered: int(total(samples, HEDGES, answered=answered)) for answered in ("first", "second", "none")}

    wanted = {"first": 0, "second": 0, "none": 0, **hedges}
    assert eventually(lambda: found() == wanted and total(replica.samples(), CALLS) == calls), (
        found(),
        total(replica.samples(), CALLS),
    )
    return found()


def money(replica: Program) -> int:
    """Nano-dollars of all calls."""
    return round(total(replica.samples(), "openai_total_cost_usd_total") * 1e9)


def test_the_second_deployment_answers_for_a_slow_one(replica: Program, upstream: RunningUpstream) -> None:
    """The slow one is closed at once, recorded once, and charged as much as the answer that was taken."""
    assert ask(replica, f"x {SLOW} {BILL}").json()["model"] == "gpt-6-luna"
    counted(replica, 2, second=1)
    assert money(replica) == 2 * COST
    assert eventually(lambda: upstream.ledger().total().abandoned.requests == 1)
    assert upstream.ledger().total().received == 2
    samples = replica.samples()
    assert total(samples, "openai_errors_total") == total(samples, "openai_unpriced_calls_total") == 0


def test_of_two_streams_one_is_handed_on(server: EmbeddedStore, upstream: RunningUpstream) -> None:
    """The client gets one stream, whole; the other one is left before its first event, for the price of its prompt."""
    config = CONFIG.format(upstream=upstream.base_url, more=NEVER_OPEN)
    with raw_upstream() as slow:
        slow.hangs = True
        config = config.replace(f'base_url = "{upstream.base_url}"', f'base_url = "{slow.base_url}"', 1)
        with running_replica(server, upstream.base_url, config) as replica:
            answer = ask(replica, f"x {BILL}", stream=True)
            assert answer.text.count("[DONE]") == 1
            counted(replica, 2, second=1)
            assert len(slow.bodies) == 1
            assert eventually(lambda: slow.left == 1)
            assert total(replica.samples(), "openai_stream_aborts_total", usage="estimated") == 1
            assert COST < money(replica) < 2 * COST


def test_the_first_one_may_still_be_the_faster(replica: Program, upstream: RunningUpstream) -> None:
    """Then the second is the one that is closed."""
    text = f"x [[fault:latency=0.6@slow]] [[fault:latency=3@gpt-6-luna]] {BILL}"
    assert ask(replica, text).json()["model"] == "slow"
    counted(replica, 2, first=1)
    assert eventually(lambda: upstream.ledger().total().abandoned.requests == 1)
    assert money(replica) == 2 * COST


def test_an_answer_in_time_is_no_race(replica: Program, upstream: RunningUpstream) -> None:
    """One call, for answers and for errors; and none but one for a tier that does not hedge, however slow."""
    assert ask(replica, f"x {BILL}").status_code == 200
    assert ask(replica, "x [[fault:400]]").status_code == 400
    assert ask(replica, "x [[fault:latency=0.5]]", model="patient").status_code == 200
    counted(replica, 3)
    assert upstream.ledger().total().received == 3


def test_a_failure_waits_for_the_other_call(replica: Program) -> None:
    """Whichever fails, the other one's answer counts; if both fail the caller is told what the first one did."""
    assert ask(replica, f"x [[fault:latency=0.6@slow]] [[fault:500@gpt-6-luna]] {BILL}").json()["model"] == "slow"
    assert ask(replica, "x [[fault:500,latency=0.4@slow]] [[fault:latency=1@gpt-6-luna]]").json()["model"] != "slow"
    both = ask(replica, "x [[fault:429,latency=0.4@slow]] [[fault:500@gpt-6-luna]]")
    assert (both.status_code, both.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    counted(replica, 6, first=1, second=1, none=1)
    assert total(replica.samples(), "openai_errors_total") == 4


def test_a_call_that_waits_for_its_next_attempt_costs_nothing_more(
    server: EmbeddedStore, upstream: RunningUpstream
) -> None:
    """All its attempts have failed, and none is on its way, when the other call answers: that one alone is charged."""
    config = CONFIG.format(upstream=upstream.base_url, more=NEVER_OPEN)
    # five attempts have failed after 1.05 to 1.4 s, the sixth is 1.2 to 1.6 s later
    config = config.replace("hedge_after_seconds = 0.1", "hedge_after_seconds = 1.75")
    config = config.replace("max_retries = 0", "max_retries = 6")
    with raw_upstream() as fast, ThreadPoolExecutor() as pool:
        fast.says(b"{}", "500 Internal Server Error")
        first, _, second = config.rpartition(upstream.base_url)
        with running_replica(server, upstream.base_url, first + fast.base_url + second) as replica:
            asked = pool.submit(ask, replica, "x [[fault:500@slow]]")
            assert eventually(lambda: len(fast.bodies) == 1)
            fast.says(json.dumps(ANSWER).encode())
            assert asked.result().json() == ANSWER
            counted(replica, 2, second=1)
            assert money(replica) == COST
            samples = replica.samples()
            assert total(samples, "openai_errors_total", type="InternalServerError") == 1
            assert total(samples, "openai_unpriced_calls_total") == 0


def test_a_client_that_leaves_ends_both(replica: Program, upstream: RunningUpstream) -> None:
    """Both calls are closed and recorded once, of unknown price; nobody answered."""
    text = "x [[fault:latency=3@slow]] [[fault:latency=3@gpt-6-luna]]"
    body = {"model": "cheap", "messages": [{"role": "user", "content": text}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(replica.address() + "/v1/chat/completions", json=body, timeout=1)
    counted(replica, 2, none=1)
    assert eventually(lambda: upstream.ledger().total().abandoned.requests == 2)
    assert total(replica.samples(), "openai_unpriced_calls_total") == 2
    assert eventually(lambda: total(replica.samples(), "http_requests_total", status="499") == 1)


def test_a_client_that_leaves_as_the_race_ends_drops_the_answer() -> None:
    """While the slower call is being closed nobody has the other one's answer yet: it is dropped, not lost."""

    async def run() -> list[tuple[ModelCall, str]]:
        pair = [ModelCall.__new__(ModelCall) for _ in range(2)]  # all that a race asks of them is set here
        for one in pair:
            one.began, one.step = False, Step("cheap", "gpt-6-luna", ("slow", "fast"))
        closing = asyncio.Event()
        dropped: list[tuple[ModelCall, str]] = []

        async def ask(one: ModelCall) -> str:
            if one is pair[1]:
                return "the answer"
            try:
                await asyncio.sleep(60)
            finally:
                closing.set()
                await asyncio.sleep(0.05)
            return "too late"

        race = Hedge(pair[0], lambda: pair[1], ask, lambda one, answer: dropped.append((one, answer)))
        task = asyncio.create_task(race.run(0.01))
        await closing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert dropped == [(pair[1], "the answer")]
        return dropped

    assert asyncio.run(run())


def test_what_the_provider_keeps_is_asked_for_once(replica: Program, upstream: RunningUpstream) -> None:
    """A response is stored unless it says otherwise, so it is never asked for twice; one with `store: false` is."""
    slow = "[[fault:latency=0.5@slow]]"
    assert ask(replica, f"x {slow}", "/v1/responses").status_code == 200
    assert ask(replica, f"x {slow}", store=True).status_code == 200
    counted(replica, 2)
    assert ask(replica, f"x {SLOW}", "/v1/responses", store=False).status_code == 200
    counted(replica, 4, second=1)
    assert upstream.ledger().total().received == 4


@pytest.mark.parametrize(
    ("endpoint", "fields", "may"),
    [
        ("chat.completions", {}, True),
        ("chat.completions", {"store": False, "tools": [{"type": "function"}, {"type": "custom"}]}, True),
        ("chat.completions", {"store": True}, False),
        ("chat.completions", {"web_search_options": {"user_location": None}}, False),
        ("responses", {}, False),
        ("responses", {"store": None}, False),
        ("responses", {"store": False}, True),
        ("responses", {"store": False, "previous_response_id": "r"}, False),
        ("responses", {"store": False, "conversation": "c"}, False),
        ("responses", {"store": False, "background": True}, False),
        ("responses", {"store": False, "tools": [{"type": "function"}]}, True),
        ("responses", {"store": False, "tools": [{"type": "function"}, {"type": "mcp"}]}, False),
        ("responses", {"store": False, "tools": "odd"}, False),
        ("embeddings", {}, True),
    ],
)
def test_what_may_be_asked_twice(endpoint: str, fields: dict[str, Any], may: bool) -> None:
    """Nothing that the provider keeps, and nothing for which it runs tools of its own."""
    assert may_be_asked_twice(endpoint, fields) is may


def test_an_open_circuit_is_not_asked(server: EmbeddedStore, upstream: RunningUpstream) -> None:
    """Once the second deployment's circuit is open, a slow call is waited for."""
    config = CONFIG.format(upstream=upstream.base_url, more="[breaker]\nconsecutive_failures = 1\nopen_seconds = 100\n")
    with running_replica(server, upstream.base_url, config) as replica:
        for _ in range(2):
            text = "x [[fault:latency=0.5@slow]] [[fault:500@gpt-6-luna]]"
            assert ask(replica, text).json()["model"] == "slow"
        counted(replica, 3, first=1)


def test_a_budget_holds_both_calls(server: EmbeddedStore, upstream: RunningUpstream) -> None:
    """A call that may become two has to fit twice; where it cannot be hedged, once."""
    bound = 4096 * 500  # nano-dollars of the completion; the prompt adds little
    budget = f'[budgets.all]\nlimit_usd = {1.5 * bound / 1e9}\nwindow = "month"\n'
    config = CONFIG.format(upstream=upstream.base_url, more=budget)
    with running_replica(server, upstream.base_url, config) as replica:
        refused = ask(replica, "x")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
        assert ask(replica, "x", store=True).status_code == 200
        assert ask(replica, "x", model="patient").status_code == 200


def test_hedging_is_turned_on_by_a_reload(server: EmbeddedStore, upstream: RunningUpstream, tmp_path: Path) -> None:
    """Without the setting a slow deployment is waited for; once the file has it, it is not."""
    file = tmp_path / "gateway.toml"
    hedged = CONFIG.format(upstream=upstream.base_url, more=NEVER_OPEN)
    file.write_text(hedged.replace("hedge_after_seconds = 0.1\n", ""))
    store = new_address(server)
    with Programs() as programs:
        environ = {**store.environ, "FLEETMETER_APP_CONFIG": str(file), "OPENAI_API_KEY": "k"}
        replica = programs.start(GATEWAY, "--port", "0", environ=environ)
        text = "x [[fault:latency=0.5@slow]]"
        assert ask(replica, text).json()["model"] == "slow"
        file.write_text(hedged)
        assert eventually(lambda: ask(replica, text).json()["model"] != "slow")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("hedge_after_seconds = 1", "needs a second deployment to ask"),
        ('deployments = ["default", "default"]\nhedge_after_seconds = 1', "needs a second deployment to ask"),
        ("hedge_after_seconds = 0", "must be a number above 0"),
        ("hedge_after_seconds = '1s'", "must be a number"),
    ],
)
def test_a_hedge_that_cannot_be_is_refused(setting: str, reason: str) -> None:
    """It is named with its file and key, for tiers and for models."""
    for config, key in (
        (ONE_TIER.replace('model = "gpt-6-luna"', f'model = "gpt-6-luna"\n{setting}'), "tiers.cheap"),
        (f"{ONE_TIER}[models.other]\n{setting}\n", "models.other"),
    ):
        with pytest.raises(ConfigError, match=reason) as caught:
            GatewayConfig.from_toml(config, file="mine.toml")
        assert (caught.value.file, caught.value.key) == ("mine.toml", f"{key}.hedge_after_seconds")
