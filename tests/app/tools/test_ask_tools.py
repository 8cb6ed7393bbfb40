"""`/ask` with tools: the loop against a real upstream and store, its bounds, its record and its money."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.llm import catalogue
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.errors import ApiError, ConfigError
from fleetmeter_app.guarding.budgets.reservation import Reservation
from fleetmeter_app.seams import BudgetsSeam
from support import own_tools
from support.exposition import parse, total
from support.gateway import Programs, eventually
from support.questions import asked
from support.store import StoreAddress, new_address
from support.upstream import RunningUpstream
from support.vocabulary import fresh_vocabulary

SAMPLES = Path(__file__).parents[3] / "examples" / "ohlcv"
TOML = f"""
baseline_tier = "cheap"
default_intent = "prices"
[tiers.cheap]
model = "gpt-6-luna"
[intents.prices]
tier = "cheap"
tools = ["latest_quote", "indicator", "add", "meet", "hang", "fail"]
[intents.plain]
tier = "cheap"
[tools]
ohlcv = {json.dumps(str(SAMPLES))}
functions = [
  "support.own_tools:add", "support.own_tools:meet", "support.own_tools:hang", "support.own_tools:fail",
]
max_steps = 3
max_calls = 4
"""
CONFIG = GatewayConfig.from_toml(TOML)
BILL = "[[usage:prompt=100,completion=20]]"
QUOTE = '[[call:latest_quote {"symbol": "ACME"}]]'
RESULTS = "[[answer:results]]"


Ask = Callable[..., Any]


@pytest.fixture
def ask(upstream: RunningUpstream, store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Asks questions of a gateway in this process, all at once; its answers, or what they failed with."""
    fresh_vocabulary(monkeypatch)
    own_tools.RELEASE.clear()

    def run(*queries: str, intent: str = "prices", budgets: BudgetsSeam | None = None, **bounds: Any) -> Any:
        async def compose() -> Any:
            config = replace(CONFIG, tools=replace(CONFIG.tools, **bounds))
            async with asked(config, store, upstream.base_url, budgets=budgets) as questions:
                return await asyncio.gather(*(questions.ask(query, intent) for query in queries))

        return asyncio.run(compose())

    yield run
    own_tools.RELEASE.set()


def growth(name: str, **labels: str) -> float:
    """A sample of what was recorded in this process."""
    return total(parse(generate_latest(catalogue.REGISTRY)), name, **labels)


def test_a_model_gets_what_its_tools_found(ask: Ask, upstream: RunningUpstream) -> None:
    """It asks for a quote and gets it; two calls were made, and the answer states what both cost together."""
    before = growth("openai_api_calls_total"), growth("tool_executions_total", tool_name="latest_quote")
    (answer,) = ask(f"How is ACME? {BILL} {QUOTE} {RESULTS}")
    quote = json.loads(answer.text)
    assert (quote["symbol"], quote["synthetic"]) == ("ACME", True)
    assert [(run.name, run.status) for run in answer.tools] == [("latest_quote", "success")]
    assert (answer.usage.prompt, answer.usage.completion, answer.cached) == (200, 40, False)
    billed = upstream.ledger().total().delivered
    assert (billed.requests, billed.nanodollars) == (2, answer.nanodollars)
    assert growth("openai_api_calls_total") == before[0] + 2
    assert growth("tool_executions_total", tool_name="latest_quote", status="success") >= 1
    assert growth("tool_executions_total", tool_name="latest_quote") == before[1] + 1


def test_each_call_of_a_model_is_cached_by_what_it_was_told(ask: Ask, upstream: RunningUpstream) -> None:
    """The same question costs nothing again while the tools find the same; the tools are run all the same."""
    query = f"Again, how is ACME? {QUOTE} {RESULTS}"
    (first,), (second,) = ask(query), ask(query)
    assert (first.cached, second.cached, second.usage, second.nanodollars) == (False, True, None, None)
    assert second.text == first.text
    assert [run.status for run in second.tools] == ["success"]
    assert upstream.ledger().total().received == 2


def test_tools_of_one_answer_run_side_by_side(ask: Ask) -> None:
    """Three that wait for each other all return, in the order in which the model asked for them."""
    calls = "".join(f'[[call:meet {{"name": "{name}"}}]]' for name in "abc")
    (answer,) = ask(f"Meet {calls} {RESULTS}", tool_seconds=100.0)
    assert answer.text == '"a"\n"b"\n"c"'


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("[[call:no_such_tool {}]]", "There is no tool 'no_such_tool'. The tools are: latest_quote"),
        ("[[call:add {}]]", "add: wrong arguments: first"),
        ("[[call:add {]]", "add: the arguments are no JSON"),
        ("[[call:fail]]", "fail failed."),
        ('[[call:latest_quote {"symbol": "../../etc/passwd"}]]', "There are prices of: ACME, GLOBEX."),
        ('[[call:latest_quote {"symbol": "NONE"}]]', "There are prices of: ACME, GLOBEX."),
    ],
)
def test_what_goes_wrong_is_told_to_the_model(ask: Ask, call: str, told: str) -> None:
    """The answer comes all the same."""
    (answer,) = ask(f"Try {call} {RESULTS}")
    assert told in answer.text
    assert [run.status for run in answer.tools] == ["error"]


def test_a_tool_that_hangs_costs_its_own_time_only(ask: Ask) -> None:
    """The model is told of the timeout, beside the results of the others."""
    (answer,) = ask(f'Try [[call:hang]] [[call:add {{"first": 1}}]] {RESULTS}', tool_seconds=0.3)
    assert answer.text.splitlines()[0] == "hang did not end within 0.3 s."
    assert json.loads(answer.text.splitlines()[1])["total"] == 2
    assert [run.status for run in answer.tools] == ["timeout", "success"]


def test_steps_are_bounded(ask: Ask, upstream: RunningUpstream) -> None:
    """A model that never stops asking is asked max_steps times, and once more without tools."""
    (answer,) = ask(f"Never end {QUOTE} [[answer:again]]")
    assert len(answer.tools) == 3
    assert answer.text
    assert upstream.ledger().total().received == 4


def test_calls_of_one_answer_are_bounded(ask: Ask) -> None:
    """Those above max_calls are not run, and the model is told so: each call has its result."""
    (answer,) = ask(f"Much {QUOTE * 9} {RESULTS}")
    assert len(answer.tools) == 4
    assert (
        answer.text.splitlines()[4:]
        == ["It was not run: one answer may ask for 4 tools. Ask for it again if you need it."] * 5
    )


def test_the_whole_time_is_bounded(ask: Ask) -> None:
    """Of a model that is slow 504 is left, which names the bound; its call is recorded once."""
    before = growth("openai_api_calls_total")
    with pytest.raises(ApiError) as raised:
        ask(f"Slow [[fault:latency=30]] {QUOTE}", total_seconds=0.5)
    assert (raised.value.status, raised.value.code, raised.value.should_retry) == (504, "tools_timeout", False)
    assert "0.5 s" in raised.value.message
    assert growth("openai_api_calls_total") == before + 1


def test_a_tool_has_no_more_than_is_left_of_the_whole_time(ask: Ask) -> None:
    """A limit for tools that is longer than the whole time does not outlast it; the run counts as a timeout."""
    before = growth("tool_executions_total", tool_name="hang", status="timeout")
    with pytest.raises(ApiError, match="was not there within 1 s"):
        ask("Hang [[call:hang]]", tool_seconds=600.0, total_seconds=1.0)
    assert growth("tool_executions_total", tool_name="hang", status="timeout") == before + 1


def test_an_intent_without_tools_offers_none(ask: Ask, upstream: RunningUpstream) -> None:
    """The upstream gets a request without tools, so it can ask for none."""
    (answer,) = ask(f"How is ACME? {QUOTE}", intent="plain")
    assert answer.tools == ()
    assert upstream.ledger().total().received == 1


class CountingBudgets:
    """Notes what is reserved and settled."""

    active = True

    def __init__(self) -> None:
        self.reserved: list[int] = []
        self.settled: list[int | None] = []

    async def reserve(self, scopes: Any, most_nanodollars: int, *, downgraded: bool = False) -> Reservation:
        """Set nothing aside."""
        self.reserved.append(most_nanodollars)
        return Reservation()

    async def settle(self, reservation: Any, nanodollars: int | None) -> None:
        """Note the cost."""
        self.settled.append(nanodollars)


def test_each_call_of_a_model_is_reserved_and_settled(ask: Ask) -> None:
    """The budget sees every step, before it is made and with what it cost."""
    budgets = CountingBudgets()
    (answer,) = ask(f"Budget {BILL} {QUOTE}", budgets=budgets)
    assert len(budgets.reserved) == len(budgets.settled) == 2
    assert sum(cost or 0 for cost in budgets.settled) == answer.nanodollars
    assert all(most >= (cost or 0) for most, cost in zip(budgets.reserved, budgets.settled, strict=True))


def test_an_intent_may_name_only_tools_that_there_are() -> None:
    """Refused with the key, and with those that there are; without `[tools]` there are none."""
    with pytest.raises(ConfigError, match=r"'quote' is no tool.*latest_quote, indicator, add") as raised:
        GatewayConfig.from_toml(TOML.replace('"latest_quote", "indicator", "add"', '"quote"'))
    assert raised.value.key == "intents.prices.tools"
    with pytest.raises(ConfigError, match="are: none"):
        GatewayConfig.from_toml(TOML.partition("[tools]")[0])
    assert GatewayConfig.load().tools.names == ()


@pytest.mark.timeout(300)
def test_a_replica_runs_tools_and_shows_their_counts(server: EmbeddedStore, upstream: RunningUpstream) -> None:
    """By HTTP: the reply names the tools, /metrics has their executions, and a hanging tool does not hold the end."""
    with Programs() as programs:
        support = str(Path(__file__).parents[2])
        config = TOML.replace("[tools]", "[tools]\ntool_seconds = 0.5")
        replica = programs.gateway(
            new_address(server), upstream.base_url, config, FLEETMETER_FLUSH_INTERVAL="0.02", PYTHONPATH=support
        )
        replica.get("/health")
        assert {value for key, value in executions(replica.samples())} == {0.0}
        query = f"{QUOTE} [[call:hang]] [[call:nothing]] {RESULTS}"
        reply = httpx.post(replica.address() + "/ask", json={"query": query}, timeout=60).json()
        assert reply["tools"] == [
            {"name": "latest_quote", "status": "success"},
            {"name": "hang", "status": "timeout"},
            {"name": "other", "status": "error"},
        ]
        expected = {("latest_quote", "success"), ("hang", "timeout"), ("other", "error")}
        assert eventually(lambda: {key for key, value in executions(replica.samples()) if value == 1} == expected)
        replica.end()


def executions(samples: Mapping[Any, float]) -> list[tuple[tuple[str, str], float]]:
    """Tool and status of each series of executions, and its value."""
    found = []
    for series, value in samples.items():
        name, labels = series
        if name == "tool_executions_total":
            told = dict(labels)
            found.append(((told["tool_name"], told["status"]), value))
    return found
