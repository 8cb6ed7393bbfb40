"""One counted request, end to end: client, upstream's ledger and exporter agree, whatever the questions meet."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from fleetmeter.embedded import EmbeddedStore
from fleetmeter_app.upstream.ledger import PRICES, BilledUsage, Ledger
from support.exposition import Series, total
from support.gateway import NEVER_OPEN, Program, Programs, eventually
from support.store import StoreAddress, new_address
from support.upstream import RunningUpstream

CONFIG = """
baseline_tier = "premium"
default_intent = "general"
[tiers.cheap]
model = "gpt-6-luna"
fallback = ["mid"]
[tiers.mid]
model = "gpt-6.1-terra"
fallback = ["premium"]
[tiers.premium]
model = "gpt-6.1-sol"
fallback = ["reserve"]
[tiers.reserve]
model = "gpt-6-sol"
[intents.advice]
tier = "premium"
keywords = ["portfolio"]
[intents.technical]
tier = "mid"
keywords = ["rsi"]
[intents.price]
tier = "cheap"
keywords = ["price"]
[intents.general]
tier = "cheap"
[cache]
max_entry_bytes = 2000
[upstream]
timeout_seconds = 1.5
max_retries = 1
"""
CONFIG += NEVER_OPEN  # what the client expects knows nothing of circuits
CHAIN = ("gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol", "gpt-6-sol")
FIRST = {"advice": 2, "technical": 1, "price": 0, "general": 0}
"""The intents, and where in the chain each begins."""
TIER = {"gpt-6-luna": "cheap", "gpt-6.1-terra": "mid", "gpt-6.1-sol": "premium", "gpt-6-sol": "reserve"}
BASELINE = PRICES["gpt-6.1-sol"]


@dataclass(frozen=True)
class Question:
    """One request, and what has to become of it: `falls` are the fallbacks before a failure."""

    query: str
    intent: str
    status: int = 200
    falls: tuple[str, ...] = ()
    too_large: bool = False
    body: dict[str, Any] | None = None
    content: bytes | None = None
    path: str = "/ask"

    @property
    def refused(self) -> bool:
        """Whether it is refused before a model is chosen."""
        return self.body is not None or self.content is not None or self.path != "/ask"


def questions() -> list[Question]:
    """121 requests in a fixed random order, those that meet a timeout first."""
    asked = [Question(f"price of S{n} {'please ' * (n % 7)}", "price") for n in range(20)]
    asked += [Question(f"rsi of T{n}", "technical") for n in range(12)]
    asked += [Question(f"my portfolio {n}", "advice") for n in range(8)]
    asked += [Question(f"tell me about R{n % 4}", "general") for n in range(32)]  # 4 questions, again and again
    for n in range(4):
        asked += [
            Question(f"price {n} [[fault:404@gpt-6-luna]]", "price"),
            Question(f"rsi {n} [[fault:429@gpt-6.1-terra]]", "technical"),
            Question(f"price {n} [[fault:500@gpt-6-luna]] [[fault:503@gpt-6.1-terra]]", "price"),
            Question(f"price {n} [[fault:500,times=1@gpt-6-luna]]", "price"),
            Question(f"rsi {n} [[fault:context_length@gpt-6.1-terra]]", "technical"),
            Question(f"my portfolio {n} [[fault:500@gpt-6.1-sol]]", "advice"),
            Question(f"bill {n} [[usage:prompt=9{n},cached=60,cache_write=7,completion=21,reasoning=8]]", "general"),
            Question(f"price {n} [[fault:latency=4@gpt-6-luna]]", "price"),
        ]
    asked += [
        Question("price [[usage:prompt=300001,cached=9,completion=3]]", "price"),
        Question("price [[usage:prompt=10,completion=2000]]", "price", too_large=True),
        Question("my portfolio [[usage:prompt=400,cached=390,completion=1]] [[fault:404@gpt-6.1-sol]]", "advice"),
        Question("price [[fault:500]]", "price", 502, ("upstream_error",) * 3),
        Question("rsi [[fault:429]]", "technical", 429, ("rate_limited",) * 2),
        Question("my portfolio [[fault:404]]", "advice", 502, ("model_not_found",)),
        Question("rsi [[fault:401]]", "technical", 502),
        Question("price [[fault:quota]]", "price", 429),
        Question("price [[fault:400]]", "price", 400),
        Question("my portfolio [[fault:500@gpt-6.1-sol]] [[fault:latency=4]]", "advice", 504, ("upstream_error",)),
        Question("", "", 400, body={"query": " "}),
        Question("", "", 400, body={"query": "price", "intent": "weather"}),
        Question("", "", 400, body={"question": "price"}),
        Question("", "", 413, body={"query": "x" * 8001}),
        Question("", "", 400, content=b'{"query": '),
        Question("", "", 415, content=b"query=price"),
        Question("", "", 404, body={}, path="/questions"),
    ]
    random.Random(7).shuffle(asked)
    return sorted(asked, key=lambda question: "latency" not in question.query)


@dataclass
class Tally:
    """What the client counts, from the replies and from what it knows of the configuration."""

    http: Counter[tuple[str, str]] = field(default_factory=Counter)
    selections: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    fallbacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    operations: Counter[tuple[str, str]] = field(default_factory=Counter)
    tokens: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cost: Counter[tuple[str, str]] = field(default_factory=Counter)
    savings: Counter[tuple[str, str]] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    stored_cost: dict[str, int] = field(default_factory=dict)
    hits: list[tuple[str, str]] = field(default_factory=list)

    def add(self, question: Question, status: int, reply: Mapping[str, Any]) -> None:
        """Count one reply."""
        assert status == question.status, (question, reply)
        self.http["/ask" if question.path == "/ask" else "__unmatched__", str(status)] += 1
        if question.refused:
            self.errors["InvalidRequestError" if question.path == "/ask" else "HTTPException"] += 1
            return
        intent, first = question.intent, FIRST[question.intent]
        self.selections[intent, CHAIN[first], TIER[CHAIN[first]]] += 1
        if status == 200 and reply["cached"]:
            self.operations["get", "hit"] += 1
            self.hits.append((question.query, intent))
            return
        self.operations["get", "miss"] += 1
        falls = question.falls if status != 200 else reply["fallbacks"]
        for reason in falls:
            self.fallbacks[intent, reason] += 1
        for model in CHAIN[first : first + len(falls) + 1]:
            self.calls[model, intent] += 1
        if status != 200:
            self.errors["UpstreamFailedError"] += 1
            return
        model = CHAIN[first + len(falls)]
        assert (reply["model"], reply["tier"], reply["intent"]) == (model, TIER[model], intent)
        self.operations["put", "refused" if question.too_large else "stored"] += 1
        self._bill(question.query, model, intent, reply)

    def _bill(self, query: str, model: str, intent: str, reply: Mapping[str, Any]) -> None:
        stated, cost = reply["usage"], reply["cost_nanodollars"]
        usage = BilledUsage(
            prompt=stated["prompt_tokens"] - stated["cached_tokens"] - stated["cache_write_tokens"],
            cached=stated["cached_tokens"],
            cache_write=stated["cache_write_tokens"],
            completion=stated["completion_tokens"] - stated["reasoning_tokens"],
            reasoning=stated["reasoning_tokens"],
        )
        for kind in ("prompt", "cached", "cache_write", "completion", "reasoning"):
            self.tokens[model, intent, kind] += getattr(usage, kind)
        self.cost[model, intent] += cost
        self.stored_cost[query] = cost
        saved = BASELINE.bill(usage) - cost
        if saved >= 0:
            self.savings[intent, "routing"] += saved
        else:
            self.extra[intent] -= saved

    def close(self) -> None:
        """Add what cache hits saved: the price of the call that was not made."""
        for query, intent in self.hits:
            self.savings[intent, "prompt_cache"] += self.stored_cost[query]

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(self.http.values())


@dataclass
class Run:
    """Everything after the load: the tally, the ledger, the exporter's samples, the replicas that still run."""

    store: StoreAddress
    tally: Tally
    ledger: Ledger
    samples: dict[Series, float]
    exporter: Program
    alive: list[Program]


async def ask_all(addresses: list[str], asked: list[Question], tally: Tally) -> None:
    """Send every question, sixteen at a time, to the replicas in turn."""
    gate = asyncio.Semaphore(16)

    async def ask(client: httpx.AsyncClient, address: str, question: Question) -> None:
        body: dict[str, Any] = {"query": question.query, "intent": None}
        sent: dict[str, Any] = {"json": question.body or body}
        if question.content is not None:
            kind = "application/json" if question.status == 400 else "application/x-www-form-urlencoded"
            sent = {"content": question.content, "headers": {"content-type": kind}}
        async with gate:
            response = await client.post(address + question.path, **sent)
        assert response.headers["x-request-id"].startswith("req_")
        tally.add(question, response.status_code, response.json())

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(ask(client, addresses[n % len(addresses)], item) for n, item in enumerate(asked)))


def wait_for(exporter: Program, requests: int) -> dict[Series, float]:
    """The exporter's samples, once it shows so many requests."""
    assert eventually(lambda: total(exporter.samples(), "http_requests_total") == requests)
    return exporter.samples()


@pytest.fixture(scope="module")
def run(server: EmbeddedStore, running: RunningUpstream) -> Iterator[Run]:
    """121 requests over three replicas; the third hands over nothing until it is told to end."""
    store = new_address(server)
    tally = Tally()
    with Programs() as programs:
        replicas = [
            programs.gateway(
                store, running.base_url, CONFIG, FLEETMETER_REPLICA=f"r{n}", FLEETMETER_FLUSH_INTERVAL=interval
            )
            for n, interval in enumerate(("0.05", "0.25", "600"))
        ]
        exporter = programs.exporter(store)
        for replica in replicas:
            replica.get("/health")
        running.reset_ledger()
        asyncio.run(ask_all([replica.address() for replica in replicas], questions(), tally))
        tally.close()
        assert replicas[2].end() == 0, replicas[2].output()
        samples = wait_for(exporter, tally.requests)
        yield Run(store, tally, running.ledger(), samples, exporter, replicas[:2])


def shown(samples: Mapping[Series, float], name: str, *labels: str, scale: int = 1) -> dict[Any, int]:
    """The sums of a family by these labels, as whole units of 1/scale; those of 0 left out."""
    sums: dict[Any, int] = defaultdict(int)
    for (found, pairs), value in samples.items():
        if found == name:
            values = dict(pairs)
            key = tuple(values[label] for label in labels)
            sums[key if len(key) != 1 else key[0]] += round(value * scale)
    return {key: value for key, value in sums.items() if value}


def nonzero(counts: Mapping[Any, int]) -> dict[Any, int]:
    """The counts without those of 0."""
    return {key: count for key, count in counts.items() if count}


def test_the_load_holds_what_it_is_meant_to(run: Run) -> None:
    """Hits, misses, refused puts, every reason to fall back, and dearer answers than the baseline are all there."""
    assert run.tally.requests == 121
    assert run.tally.operations["get", "hit"] >= 1
    assert run.tally.operations["put", "refused"] == 1
    reasons = {reason for _, reason in run.tally.fallbacks}
    assert reasons == {"model_not_found", "rate_limited", "upstream_error", "context_length", "timeout"}
    assert run.tally.extra


def test_http_requests_equal_the_clients(run: Run) -> None:
    """Each request is counted once, by its route and its status, errors and unknown routes included."""
    assert shown(run.samples, "http_requests_total", "endpoint", "status") == run.tally.http
    errors = shown(run.samples, "errors_total", "type")
    assert errors == run.tally.errors


def test_selections_and_fallbacks_equal_the_clients(run: Run) -> None:
    """One selection for each question that was taken, one fallback for each model that did not answer it."""
    assert shown(run.samples, "model_selections_total", "intent", "model", "tier") == run.tally.selections
    assert shown(run.samples, "model_fallbacks_total", "intent", "reason") == run.tally.fallbacks


def test_calls_and_retries_equal_the_ledgers_requests(run: Run) -> None:
    """Calls are the client's; calls and retries together are what the upstream received, for each model."""
    assert shown(run.samples, "openai_api_calls_total", "model", "intent") == run.tally.calls
    calls = shown(run.samples, "openai_api_calls_total", "model")
    retries = shown(run.samples, "openai_retries_total", "model")
    assert retries
    received = {model: account.received for model, account in run.ledger.models.items()}
    assert {model: calls[model] + retries.get(model, 0) for model in calls} == received


def test_cache_operations_equal_the_clients(run: Run) -> None:
    """A get for every question that was taken, a put for every answer; hits and refusals are the client's.

    A store that does not answer in time, on a busy machine, makes an error of a miss, which no reply shows.
    """
    operations = shown(run.samples, "prompt_cache_operations_total", "operation", "result")
    expected = run.tally.operations
    assert operations["get", "hit"] == expected["get", "hit"]
    assert operations["put", "refused"] == expected["put", "refused"] == 1
    assert operations["get", "miss"] + operations.get(("get", "error"), 0) == expected["get", "miss"]
    assert operations["put", "stored"] + operations.get(("put", "error"), 0) == expected["put", "stored"]
    gets = sum(run.tally.selections.values())
    assert gets == sum(count for (operation, _), count in operations.items() if operation == "get")
    assert total(run.samples, "prompt_cache_hit_rate") == pytest.approx(expected["get", "hit"] / gets)
    client = run.store.client()
    assert total(run.samples, "prompt_cache_size") == client.hlen(run.store.keys.cache_entries) > 0
    client.close()


def test_tokens_equal_client_and_ledger(run: Run) -> None:
    """Tokens by disjoint type are what the replies stated and what the upstream billed."""
    assert shown(run.samples, "openai_tokens_used_sum", "model", "intent", "type") == nonzero(run.tally.tokens)
    by_type = shown(run.samples, "openai_tokens_used_sum", "type")
    billed = run.ledger.total().delivered.usage
    assert by_type == {kind: getattr(billed, kind) for kind in by_type}
    assert sum(by_type.values()) == billed.total
    assert shown(run.samples, "openai_tokens_per_call_sum") == {(): billed.total}


def test_cost_equals_client_and_ledger_to_the_nano_dollar(run: Run) -> None:
    """Both cost families are what the replies stated and what the upstream billed."""
    assert shown(run.samples, "openai_cost_usd_sum", "model", "intent", scale=10**9) == run.tally.cost
    billed = {model: account.delivered.nanodollars for model, account in run.ledger.models.items()}
    assert shown(run.samples, "openai_cost_usd_sum", "model", scale=10**9) == nonzero(billed)
    assert shown(run.samples, "openai_total_cost_usd_total", "model", scale=10**9) == nonzero(billed)
    assert not shown(run.samples, "openai_unpriced_calls_total")


def test_savings_equal_the_clients_to_the_nano_dollar(run: Run) -> None:
    """Savings of routing follow from the baseline's price, those of the cache are the calls that were not made."""
    assert shown(run.samples, "cost_savings_usd_total", "intent", "source", scale=10**9) == nonzero(run.tally.savings)
    assert shown(run.samples, "routing_extra_cost_usd_total", "intent", scale=10**9) == run.tally.extra


def test_any_replica_shows_what_the_exporter_shows(run: Run) -> None:
    """The fleet's families and values are the same wherever they are read, but for the machinery's own."""

    def fleet(samples: dict[Series, float]) -> dict[Series, float]:
        return {series: value for series, value in samples.items() if not series[0].startswith("fleetmeter_")}

    for replica in run.alive:
        assert fleet(replica.samples()) == fleet(run.exporter.samples())
        names = {name for name, _ in replica.samples()}
        assert names == {name for name, _ in run.exporter.samples()}


def test_a_killed_replica_takes_nothing_with_it(run: Run) -> None:
    """SIGKILL changes no total; the replica's own gauges stay until it has been silent for a while."""
    before = run.exporter.samples()
    run.alive[0].kill()
    after = run.exporter.samples()
    counts = {series: value for series, value in before.items() if series[0].endswith(("_total", "_sum", "_count"))}
    machinery = ("fleetmeter_flush",)
    kept = {series: value for series, value in counts.items() if not series[0].startswith(machinery)}
    assert {series: after[series] for series in kept} == kept
    replicas = {dict(pairs)["replica"].partition(":")[0] for name, pairs in after if name == "replica_requests"}
    assert {"r0", "r1"} <= replicas


def test_a_told_replica_finishes_its_requests_and_counts_them(store: StoreAddress, upstream: RunningUpstream) -> None:
    """SIGTERM with requests in flight: each is answered, and counted, though nothing had been handed over before."""
    asked = [Question(f"price {n} [[fault:latency=0.6]]", "price") for n in range(10)]
    tally = Tally()
    with Programs() as programs:
        replica = programs.gateway(store, upstream.base_url, CONFIG, FLEETMETER_FLUSH_INTERVAL="600")
        exporter = programs.exporter(store)
        replica.get("/health")

        async def ask_and_end() -> None:
            load = asyncio.create_task(ask_all([replica.address()], asked, tally))
            assert await asyncio.to_thread(eventually, lambda: upstream.ledger().total().received == len(asked))
            replica.process.terminate()
            await load

        asyncio.run(ask_and_end())
        assert replica.end() == 0, replica.output()
        samples = exporter.samples()
        assert shown(samples, "http_requests_total", "endpoint", "status") == tally.http == {("/ask", "200"): 10}
        assert shown(samples, "openai_api_calls_total", "model", "intent") == tally.calls
        assert shown(samples, "openai_cost_usd_sum", "model", "intent", scale=10**9) == tally.cost
