"""The guards in a running gateway, met by OpenAI's SDK: keys, rates, budgets and breakers from the client's side."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import openai
import pytest

from fleetmeter.cli.command import main
from fleetmeter.pricing import PriceList
from fleetmeter_app.accounting.bounds import most_nanodollars, most_tokens
from fleetmeter_app.accounting.calls import Origin
from support.exposition import total
from support.gateway import Program, Programs, eventually
from support.store import StoreAddress
from support.upstream import RunningUpstream

BASE = """
baseline_tier = "premium"
default_intent = "general"
[tiers.cheap]
model = "gpt-6-luna"
[tiers.premium]
model = "gpt-6.1-sol"
[intents.general]
tier = "premium"
[cache]
enabled = false
"""
QUESTION: list[Any] = [{"role": "user", "content": "What is a put option?"}]


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Replicas that end with the test."""
    with Programs() as found:
        yield found


def create(store: StoreAddress, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """A new API key."""
    capsys.readouterr()
    assert main(["keys", "create", "--url", store.url, "--namespace", store.namespace, *words]) == 0
    return capsys.readouterr().out.strip()


Clients = Callable[..., openai.OpenAI]


@pytest.fixture
def sdk() -> Iterator[Clients]:
    """Makes OpenAI's client for a replica, with a key and without retries; closed at the end."""
    with ExitStack() as stack:

        def make(replica: Program | str, key: str = "sk-any", retries: int = 0) -> openai.OpenAI:
            address = replica if isinstance(replica, str) else replica.address()
            return stack.enter_context(openai.OpenAI(api_key=key, base_url=address + "/v1", max_retries=retries))

        yield make


def ask(client: openai.OpenAI, model: str = "auto", **options: Any) -> Any:
    """One short question."""
    return client.chat.completions.create(model=model, messages=QUESTION, max_completion_tokens=50, **options)


def test_only_who_has_a_key_is_served(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forged and revoked keys are AuthenticationError at two replicas, on every route that costs, before the body."""
    key = create(store, capsys, "--team", "search")
    replicas = [programs.gateway(store, upstream.base_url, BASE) for _ in range(2)]
    forged = key[:-2] + ("ab" if key[-2:] != "ab" else "ba")
    for replica in replicas:
        assert ask(sdk(replica, key)).choices[0].message.content
        for wrong in (forged, "sk-1234", "sk-fm-" + "x" * 12 + "-" + "y" * 43):
            with pytest.raises(openai.AuthenticationError) as caught:
                ask(sdk(replica, wrong))
            assert caught.value.code == "invalid_api_key"
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/ask"):
            refused = httpx.post(replica.address() + path, content=b"x" * 100)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert httpx.get(replica.address() + "/v1/models").status_code == 401
        assert replica.get("/health").status_code == 200
    assert main(["keys", "revoke", "--url", store.url, "--namespace", store.namespace, key.split("-")[2]]) == 0

    def is_refused(replica: Program) -> bool:
        try:
            ask(sdk(replica, key))
        except openai.AuthenticationError:
            return True
        return False

    assert eventually(lambda: all(is_refused(replica) for replica in replicas), 5.0)
    replica = replicas[0]
    assert eventually(lambda: total(replica.samples(), "gateway_key_rejections_total", reason="revoked") >= 2)
    samples = replica.samples()
    assert total(samples, "gateway_key_rejections_total", reason="missing") == 10
    assert total(samples, "gateway_key_rejections_total", reason="malformed") == 2
    assert total(samples, "gateway_key_rejections_total", reason="unknown") == 4
    for replica in replicas:
        assert key.rpartition("-")[2] not in replica.output()
        assert "put option" not in replica.output()


def test_without_keys_only_this_machine_is_served(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway that others can reach refuses everybody until there is a key, unless it is told to serve."""
    host = {"FLEETMETER_APP_HOST": "0.0.0.0"}
    shut = programs.gateway(store, upstream.base_url, BASE, **host)
    free = programs.gateway(store, upstream.base_url, BASE, **host, FLEETMETER_APP_WITHOUT_KEYS="true")
    at = [sdk(_local(replica)) for replica in (shut, free)]
    with pytest.raises(openai.AuthenticationError, match="fleetmeter keys create"):
        ask(at[0])
    assert ask(at[1]).choices
    key = create(store, capsys)
    assert ask(sdk(_local(shut), key)).choices


def _local(program: Program) -> str:
    """The address on this machine of a program that listens on all."""
    assert eventually(lambda: "address=http://" in program.output(), 90.0)
    port = program.output().partition("address=http://")[2].split()[0].rpartition(":")[2]
    return f"http://127.0.0.1:{port.strip('/')}"


def test_a_key_asks_its_own_models_only(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another model is NotFoundError, as at OpenAI; what the router may choose is what the key may ask."""
    key = create(store, capsys, "--model", "gpt-6-*")
    client = sdk(programs.gateway(store, upstream.base_url, BASE), key)
    assert ask(client, "cheap").model.startswith("gpt-6-luna")
    for model in ("premium", "gpt-6.1-sol", "auto"):
        with pytest.raises(openai.NotFoundError) as caught:
            ask(client, model)
        assert caught.value.code == "model_not_found"
    assert [model.id for model in client.models.list()] == ["auto", "cheap", "gpt-6-luna"]
    assert client.models.retrieve("cheap").id == "cheap"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("premium")


def test_a_rate_limit_is_one_for_all_replicas(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    """Requests beyond a key's rate are RateLimitError with the time to wait, whichever replica they come to."""
    key = create(store, capsys, "--rate", "4/day")
    replicas = [programs.gateway(store, upstream.base_url, BASE) for _ in range(2)]
    for number in range(4):
        assert ask(sdk(replicas[number % 2], key)).choices
    for replica in replicas:
        with pytest.raises(openai.RateLimitError) as caught:
            ask(sdk(replica, key))
        assert caught.value.code == "rate_limit_exceeded"
        assert int(caught.value.response.headers["retry-after"]) > 60
        assert caught.value.response.headers["x-should-retry"] == "false"


def spent(replica: Program, budget: str, window: str = "day") -> float:
    """What the gauge shows of a budget."""
    return total(replica.samples(), "budget_spent_usd", budget=budget, window=window)


def test_a_used_up_budget_refuses_once_and_for_all(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients
) -> None:
    """Over budget is a 429 that the SDK does not retry; spent is what the upstream billed, to the nano-dollar."""
    text = BASE + '[budgets.all]\nlimit_usd = 0.002\nwindow = "day"\n'
    replicas = [programs.gateway(store, upstream.base_url, text) for _ in range(2)]
    answered = 0
    while True:
        try:
            ask(sdk(replicas[answered % 2], retries=2))
            answered += 1
        except openai.RateLimitError as error:
            refused = error
            break
    assert answered > 1
    assert refused.code == "insufficient_quota"
    assert refused.response.headers["x-should-retry"] == "false"
    assert refused.response.headers.get("x-stainless-retry-count") is None
    message = json.loads(refused.response.content)["error"]["message"]
    assert "'all'" in message
    assert "of 0.002 USD" in message
    assert "UTC" in message
    billed = upstream.ledger().total().delivered.nanodollars / 1e9
    assert billed <= 0.002
    assert eventually(lambda: spent(replicas[0], "all") == pytest.approx(billed, abs=1e-12))
    assert total(replicas[0].samples(), "budget_limit_usd", budget="all", window="day") == 0.002
    assert eventually(
        lambda: total(replicas[0].samples(), "budget_rejections_total", budget="all", action="reject") >= 1
    )


def test_a_stream_that_its_client_leaves_is_charged(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients
) -> None:
    """Streams are settled at their end, also when the client leaves before: nothing stays held, nothing is free."""
    text = BASE + '[budgets.all]\nlimit_usd = 1\nwindow = "day"\n'
    replica = programs.gateway(store, upstream.base_url, text)
    client = sdk(replica)
    for _ in ask(client, stream=True):
        pass
    assert eventually(lambda: spent(replica, "all") > 0)
    before = spent(replica, "all")
    stream = ask(client, stream=True)
    next(iter(stream))
    stream.close()
    assert eventually(lambda: spent(replica, "all") > before)
    key = store.keys.budget("day", "all")
    redis = store.client()

    def held() -> int:
        fields = {name.decode(): text.decode() for name, text in redis.hgetall(key).items()}
        return int(fields[f"{fields['@period'].partition(' ')[0]} @held"])

    assert eventually(lambda: held() == 0)
    redis.close()


def test_a_downgrade_and_an_alert_go_on(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients
) -> None:
    """A used-up budget that downgrades answers from the cheaper tier; one that alerts answers as before, and tells."""
    text = (
        BASE
        + """
[budgets.soft]
limit_usd = 0.0002
window = "day"
action = "downgrade"
tier = "cheap"
[budgets.watch]
limit_usd = 0.00000001
window = "day"
action = "alert"
"""
    )
    replica = programs.gateway(store, upstream.base_url, text)
    client = sdk(replica)
    models = [ask(client).model for _ in range(4)]
    assert models[-1].startswith("gpt-6-luna")
    assert eventually(lambda: total(replica.samples(), "budget_rejections_total", action="downgrade") >= 1)
    assert eventually(lambda: total(replica.samples(), "budget_rejections_total", action="alert") >= 1)
    assert total(replica.samples(), "model_fallbacks_total", reason="over_budget") >= 1
    assert "the budget watch is used up" in replica.output()
    before = spent(replica, "soft")
    assert ask(client).model.startswith("gpt-6-luna")
    assert eventually(lambda: spent(replica, "soft") > before)  # what it is sent to is charged, too


def test_budgets_per_team(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    """One team that has spent its share is refused, and another goes on."""
    text = BASE + '[budgets.team]\nlimit_usd = 0.004\nwindow = "month"\neach = "team"\n'
    replica = programs.gateway(store, upstream.base_url, text)
    poor, rich = (sdk(replica, create(store, capsys, "--team", team)) for team in ("poor", "rich"))
    assert _until_refused(lambda: ask(poor)) > 0
    assert ask(rich).choices
    assert eventually(lambda: spent(replica, "team/poor", "month") >= spent(replica, "team/rich", "month") > 0)


def _until_refused(call: Callable[[], Any]) -> int:
    for number in range(200):
        try:
            call()
        except openai.RateLimitError:
            return number
    raise AssertionError("the budget is never used up")


def test_a_key_under_a_budget_that_there_is_not_is_refused(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt budget is no free ticket: the key is PermissionDeniedError, and others are served."""
    client = sdk(programs.gateway(store, upstream.base_url, BASE), create(store, capsys, "--budget", "pilto"))
    with pytest.raises(openai.PermissionDeniedError, match="pilto"):
        ask(client)


def test_a_failing_deployment_is_left_alone_by_all_replicas(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs, sdk: Clients
) -> None:
    """What one replica sees fail, another does not ask any more, and answers from the next model; the metrics tell."""
    text = BASE.replace('model = "gpt-6.1-sol"', 'model = "gpt-6.1-sol"\nfallback = ["cheap"]\ndeployments = ["dead"]')
    text += """
[deployments.dead]
base_url = "http://127.0.0.1:1/v1"

[breaker]
consecutive_failures = 3
open_seconds = 60
[upstream]
max_retries = 0
"""
    first, second = (programs.gateway(store, upstream.base_url, text) for _ in range(2))
    second.address()
    for _ in range(3):
        assert ask(sdk(first)).model.startswith("gpt-6-luna")
    assert eventually(lambda: total(first.samples(), "model_circuit_state", model="gpt-6.1-sol") == 2)
    assert eventually(lambda: _asks_no_more(second, sdk(second)))
    samples = first.samples()
    assert total(samples, "model_circuit_changes_total", model="gpt-6.1-sol", state="open") == 1
    assert total(samples, "model_fallbacks_total", reason="circuit_open") >= 1


def _asks_no_more(replica: Program, client: openai.OpenAI) -> bool:
    assert ask(client).model.startswith("gpt-6-luna")
    return total(replica.samples(), "model_fallbacks_total", reason="circuit_open") >= 1


@pytest.mark.long
@pytest.mark.timeout(300)
def test_three_gateways_and_a_kill_stay_within_the_budget(
    store: StoreAddress, upstream: RunningUpstream, programs: Programs
) -> None:
    """200 clients of 3 gateways, one of which is killed on the way, spend the limit and what was in flight at most."""
    limit = 20_000_000
    text = BASE + f'[budgets.all]\nlimit_usd = {limit / 1e9}\nwindow = "month"\n'
    replicas = [programs.gateway(store, upstream.base_url, text) for _ in range(3)]
    addresses = [replica.address() for replica in replicas]
    body = {"model": "auto", "messages": QUESTION, "max_completion_tokens": 50}
    lost = 0

    async def client(number: int, http: httpx.AsyncClient) -> None:
        nonlocal lost
        turn = number
        while True:
            turn += 1
            try:
                answer = await http.post(addresses[turn % 3] + "/v1/chat/completions", json=body)
            except httpx.TransportError:
                lost += 1
                await asyncio.sleep(1)
                continue
            if answer.status_code == 429 and answer.headers["x-should-retry"] == "false":
                return
            assert answer.status_code in (200, 429, 503)
            if answer.status_code != 200:
                await asyncio.sleep(1)

    async def run() -> None:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(timeout=60, limits=limits) as http:
            clients = [asyncio.create_task(client(number, http)) for number in range(200)]
            while await asyncio.to_thread(lambda: upstream.ledger().total().delivered.nanodollars) < limit // 10:
                assert not any(task.done() for task in clients)
            replicas[0].kill()
            await asyncio.gather(*clients)

    asyncio.run(run())
    account = upstream.ledger().total()
    billed = sum(outcomes.nanodollars for outcomes in (account.delivered, account.abandoned, account.untold))
    most = most_tokens(body, len(json.dumps(body)), "chat.completions", 4096)
    bound = most_nanodollars(PriceList(), "gpt-6.1-sol", Origin(), most)
    sys.stdout.write(f"billed {billed / 1e9} of {limit / 1e9} USD, {lost} requests lost, one may cost {bound / 1e9}\n")
    assert billed <= limit + 67 * bound  # what the killed one had in flight: it had a third of the clients at a time
    assert billed >= limit - 2 * bound - 67 * bound
    redis = store.client()
    fields = {name.decode(): text.decode() for name, text in redis.hgetall(store.keys.budget("month", "all")).items()}
    redis.close()
    start = fields["@period"].partition(" ")[0]
    assert int(fields[f"{start} @spent"]) <= limit
