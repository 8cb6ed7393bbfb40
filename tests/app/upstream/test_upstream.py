"""The upstream speaks OpenAI's wire format, makes trouble on demand, and keeps an exact ledger."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion

from fleetmeter_app.errors import ConfigError, InvalidRequestError
from fleetmeter_app.upstream.completion import complete
from fleetmeter_app.upstream.config import UpstreamConfig
from fleetmeter_app.upstream.faults import KINDS, Fault, find_fault
from fleetmeter_app.upstream.ledger import EMBEDDING_PRICES, PRICES, BilledUsage, Ledger, Price
from support.upstream import RunningUpstream, running_upstream

LUNA = "gpt-6-luna"
WORKED_EXAMPLE = "[[usage:prompt=10000,cached=6000,cache_write=2000,completion=1000,reasoning=400]]"


@pytest.fixture
def client(upstream: RunningUpstream) -> Iterator[openai.OpenAI]:
    """The real SDK, which gives up after one attempt."""
    with openai.OpenAI(base_url=upstream.base_url, api_key="made-up", max_retries=0) as sdk:
        yield sdk


def ask(client: openai.OpenAI, prompt: str, model: str = LUNA, max_tokens: int | None = None) -> ChatCompletion:
    """One question through the SDK."""
    limit = openai.omit if max_tokens is None else max_tokens
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": prompt}], max_completion_tokens=limit
    )


def counts_of(completion: ChatCompletion) -> BilledUsage:
    """The tokens that the SDK read, by disjoint type."""
    usage = completion.usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.completion_tokens_details is not None
    cached = usage.prompt_tokens_details.cached_tokens or 0
    cache_write = usage.prompt_tokens_details.cache_write_tokens or 0
    reasoning = usage.completion_tokens_details.reasoning_tokens or 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return BilledUsage(
        usage.prompt_tokens - cached - cache_write,
        cached,
        cache_write,
        usage.completion_tokens - reasoning,
        reasoning,
    )


# wire format


def test_the_sdk_reads_an_answer_and_it_is_the_predicted_one(client: openai.OpenAI) -> None:
    """An answer has the fields of the SDK's type, with the text and tokens that follow from the prompt."""
    response = client.chat.completions.with_raw_response.create(
        model=LUNA,
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "TSLA price"}],
    )
    completion = response.parse()
    expected = complete("Be brief.\nTSLA price")
    assert completion.model == LUNA
    assert completion.object == "chat.completion"
    assert completion.id.startswith("chatcmpl-")
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].message.content == expected.text
    assert completion.choices[0].finish_reason == "stop"
    assert counts_of(completion) == expected.usage
    assert len(expected.text.split()) == expected.usage.completion
    assert response.headers["x-request-id"].startswith("req_")
    ChatCompletion.model_validate(completion.to_dict(), strict=True)


def test_the_async_sdk_reads_the_same_answer(upstream: RunningUpstream) -> None:
    """Both of the SDK's clients get what the prompt decides."""

    async def run() -> ChatCompletion:
        async with openai.AsyncOpenAI(base_url=upstream.base_url, api_key="made-up") as client:
            return await client.chat.completions.create(
                model=LUNA, messages=[{"role": "user", "content": [{"type": "text", "text": "TSLA price"}]}]
            )

    completion = asyncio.run(run())
    assert completion.choices[0].message.content == complete("TSLA price").text
    assert counts_of(completion) == complete("TSLA price").usage


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    """The models of the price table are served; another one is a 404."""
    assert {model.id for model in client.models.list()} == {*PRICES, *EMBEDDING_PRICES}
    assert client.models.retrieve(LUNA).id == LUNA
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


def test_max_tokens_cuts_the_answer(client: openai.OpenAI) -> None:
    """An answer that is too long ends at the limit, says so, and is billed as far as it went."""
    completion = ask(client, WORKED_EXAMPLE, max_tokens=500)
    assert completion.choices[0].finish_reason == "length"
    assert counts_of(completion) == BilledUsage(2000, 6000, 2000, 100, 400)
    assert len((completion.choices[0].message.content or "").split()) == 100
    silent = ask(client, WORKED_EXAMPLE, max_tokens=300)
    assert counts_of(silent) == BilledUsage(2000, 6000, 2000, 0, 300)
    assert silent.choices[0].message.content == ""


# trouble


FAULTS: list[tuple[str, type[openai.APIStatusError], int, str, str | None]] = [
    ("400", openai.BadRequestError, 400, "invalid_request_error", "invalid_value"),
    ("401", openai.AuthenticationError, 401, "invalid_request_error", "invalid_api_key"),
    ("404", openai.NotFoundError, 404, "invalid_request_error", "model_not_found"),
    ("429", openai.RateLimitError, 429, "requests", "rate_limit_exceeded"),
    ("quota", openai.RateLimitError, 429, "insufficient_quota", "insufficient_quota"),
    ("500", openai.InternalServerError, 500, "server_error", None),
    ("503", openai.InternalServerError, 503, "server_error", None),
    ("context_length", openai.BadRequestError, 400, "invalid_request_error", "context_length_exceeded"),
]


@pytest.mark.parametrize(("kind", "exception", "status", "error_type", "code"), FAULTS)
def test_each_fault_is_the_sdks_exception(
    upstream: RunningUpstream,
    client: openai.OpenAI,
    kind: str,
    exception: type[openai.APIStatusError],
    status: int,
    error_type: str,
    code: str | None,
) -> None:
    """A fault in the text and one in the header reach the caller as OpenAI's error, and cost nothing."""
    with pytest.raises(exception) as in_text:
        ask(client, f"a question [[fault:{kind}]]")
    with pytest.raises(exception) as in_header:
        ask(client.with_options(default_headers={"x-upstream-fault": kind}), "a question")
    for caught in (in_text.value, in_header.value):
        assert caught.status_code == status
        assert (caught.type, caught.code) == (error_type, code)
        assert caught.request_id is not None
    account = upstream.ledger().models[LUNA]
    assert account.received == 2
    assert account.delivered.statuses == {status: 2}
    assert account.delivered.nanodollars == 0
    assert account.delivered.usage == BilledUsage()


def test_every_kind_of_fault_is_tested() -> None:
    """The list above names each kind that there is."""
    assert {kind for kind, *_ in FAULTS} == set(KINDS)


def test_a_fault_for_one_model_spares_the_others(client: openai.OpenAI) -> None:
    """What follows @ limits a fault to one model, and each model finds its own."""
    prompt = f"[[fault:429@{LUNA}]] [[fault:500@gpt-6.1-terra]]"
    with pytest.raises(openai.RateLimitError):
        ask(client, prompt)
    with pytest.raises(openai.InternalServerError):
        ask(client, prompt, model="gpt-6.1-terra")
    assert ask(client, prompt, model="gpt-6.1-sol").model == "gpt-6.1-sol"


def test_a_429_says_when_to_come_back(client: openai.OpenAI) -> None:
    """The wait is sent in whole seconds for HTTP and in milliseconds for the SDK."""
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, "[[fault:429,retry_after=1.2]]")
    assert caught.value.response.headers["retry-after"] == "2"
    assert caught.value.response.headers["retry-after-ms"] == "1200"


def test_default_retries_pass_a_passing_fault(upstream: RunningUpstream) -> None:
    """With the SDK's own retries a fault of two attempts ends in an answer at the third."""
    with openai.OpenAI(base_url=upstream.base_url, api_key="made-up") as client:
        completion = ask(client, "a question [[fault:429,times=2,retry_after=0.01]]")
    assert completion.choices[0].finish_reason == "stop"
    account = upstream.ledger().models[LUNA]
    assert account.received == 3
    assert account.delivered.statuses == {429: 2, 200: 1}


def test_default_retries_end_at_a_lasting_fault(upstream: RunningUpstream) -> None:
    """With the SDK's own retries a lasting fault is asked three times and then raised."""

    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=upstream.base_url, api_key="made-up") as client:
            await client.chat.completions.create(
                model=LUNA, messages=[{"role": "user", "content": "[[fault:503,retry_after=0.01]]"}]
            )

    with pytest.raises(openai.InternalServerError):
        asyncio.run(run())
    assert upstream.ledger().models[LUNA].delivered.statuses == {503: 3}


def test_an_answer_after_the_clients_timeout_is_billed_as_abandoned(upstream: RunningUpstream) -> None:
    """A call that timed out has still been worked for: it is in the ledger, apart from what was delivered."""
    prompt = "slow [[fault:latency=0.6]]"
    with (
        openai.OpenAI(base_url=upstream.base_url, api_key="made-up", timeout=0.2, max_retries=0) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        ask(client, prompt)
    account = upstream.ledger().models[LUNA]
    assert (account.received, account.delivered.requests, account.abandoned.requests) == (1, 0, 0)
    # the same wait again, begun later, ends later
    httpx.post(f"{upstream.base_url}/chat/completions", json=body_of(prompt)).raise_for_status()
    account = upstream.ledger().models[LUNA]
    expected = complete(prompt).usage
    assert account.received == 2
    assert (account.abandoned.answered, account.delivered.answered) == (1, 1)
    assert account.abandoned.usage == expected
    assert account.abandoned.nanodollars == PRICES[LUNA].bill(expected)


def test_an_unknown_model_is_refused_and_counted(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """A model that is not served gets OpenAI's 404 and an account without a bill."""
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "a question", model="gpt-4")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert upstream.ledger().models["gpt-4"].delivered.statuses == {404: 1}


def test_too_long_a_prompt_is_refused(client: openai.OpenAI) -> None:
    """A prompt is answered up to the context window of the model and refused beyond it."""
    ask(client, "[[usage:prompt=922000]]")
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "[[usage:prompt=922001]]")
    assert caught.value.code == "context_length_exceeded"


def body_of(prompt: object, **more: object) -> dict[str, object]:
    """A chat completion request as plain JSON."""
    return {"model": LUNA, "messages": [{"role": "user", "content": prompt}], **more}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("{", None),
        ([], None),
        ({}, "model"),
        ({"model": 7}, "model"),
        ({"model": "\ud800"}, "model"),
        ({"model": LUNA}, "messages"),
        ({"model": LUNA, "messages": []}, "messages"),
        ({"model": LUNA, "messages": ["text"]}, "messages[0]"),
        (body_of(None), "messages[0].content"),
        (body_of(["text"]), "messages[0].content"),
        (body_of("q", stream_options={"include_usage": True}), "stream_options"),
        (body_of("q", n=17), "n"),
        (body_of("[[answer:stream=often]]"), "messages"),
        (body_of("q", max_completion_tokens=0), "max_completion_tokens"),
        (body_of("q", max_tokens=True), "max_completion_tokens"),
        (body_of("[[fault:four]]"), "messages"),
        (body_of("[[usage:prompt=1,cached=2]]"), "messages"),
    ],
)
def test_a_request_that_cannot_be_read_is_a_400_in_openais_shape(
    upstream: RunningUpstream, body: object, param: str | None
) -> None:
    """Whatever is wrong with a request, the answer names the field, and the ledger has the refusal."""
    url = f"{upstream.base_url}/chat/completions"
    content = body if isinstance(body, str) else json.dumps(body)  # as ASCII, where JSON can spell a lone surrogate
    response = httpx.post(url, content=content)
    assert response.status_code == 400
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    total = upstream.ledger().total()
    assert (total.received, total.delivered.statuses) == (1, {400: 1})


def test_an_unknown_path_is_openais_404(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """A path that is not served yet is an error that the SDK understands."""
    with pytest.raises(openai.NotFoundError) as caught:
        client.fine_tuning.jobs.create(model=LUNA, training_file="file-1")
    assert caught.value.type == "invalid_request_error"
    assert upstream.ledger().models == {}


# ledger


def test_the_ledger_is_exact_after_concurrent_calls(upstream: RunningUpstream) -> None:
    """200 calls at once, a third of them failing: requests, tokens and money are what the callers got."""

    async def run() -> list[tuple[str, ChatCompletion | int]]:
        async with openai.AsyncOpenAI(base_url=upstream.base_url, api_key="made-up", max_retries=0) as client:

            async def call(number: int) -> tuple[str, ChatCompletion | int]:
                model = list(PRICES)[number % len(PRICES)]
                fault = " [[fault:429]]" if number % 6 == 0 else " [[fault:500]]" if number % 6 == 3 else ""
                try:
                    return model, await client.chat.completions.create(
                        model=model, messages=[{"role": "user", "content": f"question {number}{fault}"}]
                    )
                except openai.APIStatusError as error:
                    return model, error.status_code

            return await asyncio.gather(*(call(number) for number in range(200)))

    results = asyncio.run(run())
    ledger = upstream.ledger()
    for model, price in PRICES.items():
        outcomes = [result for asked, result in results if asked == model]
        usages = [counts_of(result) for result in outcomes if isinstance(result, ChatCompletion)]
        account = ledger.models[model]
        assert account.received == account.delivered.requests == len(outcomes) == 40
        assert account.delivered.statuses == Counter(result if isinstance(result, int) else 200 for result in outcomes)
        assert account.delivered.usage == sum(usages, BilledUsage())
        assert account.delivered.nanodollars == sum(price.bill(usage) for usage in usages)
        assert account.abandoned.requests == 0
    total = ledger.total()
    assert total.delivered.statuses == {200: 133, 429: 34, 500: 33}
    assert total.delivered.nanodollars == sum(each.delivered.nanodollars for each in ledger.models.values())


def test_a_reset_returns_what_there_was_and_starts_at_nothing(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """Reading and emptying the ledger is one step."""
    ask(client, "a question")
    assert upstream.reset_ledger().models[LUNA].delivered.answered == 1
    assert upstream.ledger() == Ledger()


def test_the_worked_example_costs_what_it_should(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """10,000 prompt tokens, 6,000 of them cached and 2,000 written, and 1,000 others: 0.0202 USD."""
    completion = ask(client, WORKED_EXAMPLE, model="gpt-6-sol")
    assert counts_of(completion) == BilledUsage(2000, 6000, 2000, 600, 400)
    assert upstream.ledger().models["gpt-6-sol"].delivered.nanodollars == 20_200_000


def test_a_long_prompt_is_billed_at_the_long_rates() -> None:
    """Above 272,000 prompt tokens all prompt tokens cost twice, all others half as much again."""
    price = Price(input=2_000, cached=200, cache_write=2_500, output=10_000)
    short = BilledUsage(prompt=271_000, cached=500, cache_write=500, completion=10, reasoning=5)
    long = BilledUsage(prompt=271_000, cached=500, cache_write=501, completion=10, reasoning=5)
    assert price.bill(short) == 271_000 * 2_000 + 500 * 200 + 500 * 2_500 + 15 * 10_000
    assert price.bill(long) == 271_000 * 4_000 + 500 * 400 + 501 * 5_000 + 15 * 15_000


def test_a_ledger_survives_json() -> None:
    """What a client parses is what the upstream wrote down."""
    ledger = Ledger()
    ledger.receive(LUNA)
    ledger.record(LUNA, 200, abandoned=False, usage=BilledUsage(1, 2, 3, 4, 5), nanodollars=6)
    ledger.receive("")
    ledger.record("", 400, abandoned=True)
    assert Ledger.from_json(httpx.Response(200, json=ledger.to_json()).json()) == ledger


# pure parts


def test_token_counts_follow_from_the_words() -> None:
    """One word is one prompt token, the same prompt is the same answer, and prompts differ in all types."""
    usages = [complete(f"question {number} about TSLA").usage for number in range(100)]
    assert {usage.prompt_tokens for usage in usages} == {4}
    assert complete("question 1 about TSLA").usage == usages[1]
    for kind in ("cached", "cache_write", "reasoning"):
        counts = [getattr(usage, kind) for usage in usages]
        assert min(counts) == 0
        assert max(counts) > 0
    assert all(usage.completion > 0 for usage in usages)


@pytest.mark.parametrize("text", ["", "four", "429,500", "latency", "latency=x", "latency=-1", "times=nan", "x=1"])
def test_a_mistyped_fault_is_refused(text: str) -> None:
    """A wish that cannot be read is an error and not an answer without trouble."""
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        Fault.parse(text)


def test_a_fault_is_read_in_full() -> None:
    """Kind, wait, latency, attempts and model stand in one fault, in any order."""
    fault = Fault.parse("latency=0.3, 429, times=2, retry_after=0.5@gpt-6-luna")
    assert fault == Fault("429", LUNA, 0.3, 0.5, 2)
    assert find_fault(None, "[[fault:429,times=1]]", LUNA, 0) == Fault("429", times=1)
    assert find_fault(None, "[[fault:429,times=1]]", LUNA, 1) is None


# configuration


def test_configured_trouble_is_the_same_in_every_run() -> None:
    """A seed and rates decide which requests to a model fail, whatever else is asked in between."""

    def statuses(seed: int) -> list[int]:
        config = f"""
            seed = {seed}
            [models.{LUNA}.error_rates]
            429 = 0.3
            500 = 0.2
            [models.mine]
            price = {{ input = 1, cached = 1, cache_write = 1, output = 2 }}
        """
        with running_upstream(config) as upstream, httpx.Client() as http:
            url = f"{upstream.base_url}/chat/completions"
            found = [http.post(url, json=body_of("q")).status_code for _ in range(60)]
            assert http.post(url, json=body_of("q") | {"model": "mine"}).status_code == 200
            assert upstream.ledger().models[LUNA].delivered.statuses == Counter(found)
            return found

    first = statuses(7)
    assert statuses(7) == first
    assert statuses(8) != first
    assert set(first) == {200, 429, 500}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("models = 1", "models"),
        ("sed = 1", "sed"),
        ('[models."gpt-6-luna"]\nlatency = 1', "models.gpt-6-luna.latency"),
        ('[models."gpt-6-luna"]\nlatency_seconds = -1', "models.gpt-6-luna.latency_seconds"),
        ("[models.mine]", "models.mine.price"),
        ("[models.mine.price]\ninput = 0.5", "models.mine.price.input"),
        ('[models."gpt-6-luna".error_rates]\n418 = 0.5', "models.gpt-6-luna.error_rates.418"),
        ('[models."gpt-6-luna".error_rates]\n429 = 0.5\n500 = 0.6', "models.gpt-6-luna.error_rates"),
    ],
)
def test_an_upstream_configuration_is_refused_by_key(text: str, key: str) -> None:
    """What the file says wrong is named before anything is served."""
    with pytest.raises(ConfigError) as caught:
        UpstreamConfig.from_toml(text)
    assert (caught.value.file, caught.value.key) == ("upstream.toml", key)


def test_a_refused_configuration_is_one_line_and_a_status(tmp_path: Path) -> None:
    """The program ends with status 2 and one line that names file, key and reason."""
    path = tmp_path / "mine.toml"
    path.write_text("sed = 1")
    run = subprocess.run(
        [sys.executable, "-m", "fleetmeter_app.upstream", "--config", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.startswith(f"{path}: sed: unknown key")
    assert run.stderr.count("\n") == 1


def test_it_starts_without_the_sdk() -> None:
    """What it imports does not bring `openai`, which takes longer to load than all the rest."""
    code = "import sys, fleetmeter_app.upstream.server; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
