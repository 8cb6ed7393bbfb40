"""Tokens, models, tiers and money: cases T1 to T9, estimates, and what a service records itself."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest

import fleetmeter
from fleetmeter.errors import InstallError
from fleetmeter.instrumentation.openai.estimates import tokenizer_of
from fleetmeter.instrumentation.openai.resources import asked_model, resource_of, response_id_of, text_of
from fleetmeter.pricing import Book, PriceList
from support.counts import Counts
from support.processes import fleet, run, value
from support.store import StoreAddress
from support.upstream import RunningUpstream

LUNA = "gpt-6-luna"


def test_parts_are_disjoint_and_priced_by_type(ask: Callable[..., Any], counts: Counts) -> None:
    """Cached, written and reasoning tokens are parts; the sum over the types is the total of the call."""
    ask(usage="prompt=100,cached=60,cache_write=20,completion=50,reasoning=30")
    assert counts.tokens == {"prompt": 20, "cached": 60, "cache_write": 20, "completion": 20, "reasoning": 30}
    assert counts.nanodollars == 20 * 100 + 60 * 10 + 20 * 125 + 50 * 500


@pytest.mark.parametrize("shape", ["xai", "gemini", "no_total", "zero_total", "floats", "null_details", "deepseek"])
def test_shapes_of_other_servers(ask: Callable[..., Any], counts: Counts, shape: str) -> None:
    """The same bill costs the same in every server's words, also as a stream."""
    usage = "prompt=100,completion=70,reasoning=50" if shape in {"xai", "gemini"} else "prompt=100,completion=70"
    ask(f"shape={shape}", usage=usage)
    list(ask(f"shape={shape}", usage=usage, stream=True, stream_options={"include_usage": True}))
    assert (counts.calls, counts.unpriced, counts.nanodollars) == (2, 0, 2 * 45_000)


def test_the_answers_model_counts(ask: Callable[..., Any], counts: Counts) -> None:
    """Not the model that was asked for, nor the one that `extra_body` replaces."""
    ask("model=gpt-6-sol")
    ask(extra_body={"model": "gpt-6.1-terra"})
    list(ask("empty_first,model=gpt-6-sol", stream=True, stream_options={"include_usage": True}))
    assert counts.models == {"gpt-6-sol": 2, "gpt-6.1-terra": 1}


class Request:
    """What the SDK passes on."""

    def __init__(self, json_data: object, extra_json: object = None) -> None:
        self.json_data, self.extra_json = json_data, extra_json


@pytest.mark.parametrize(
    ("request_", "url", "base_url", "model"),
    [
        (Request({"model": "a"}, {"model": "b"}), "/chat/completions", "", "b"),
        (Request({"model": None}), "/deployments/dep/chat/completions", "", "dep"),
        (Request({"model": None}), "/chat/completions", "https://x.openai.azure.com/openai/deployments/dep/", "dep"),
        (Request({"input": "x"}), "/moderations", "https://api.openai.com/v1/", "none"),
        (Request(None), "/files", "", "none"),
    ],
)
def test_the_model_that_is_asked_for(request_: Request, url: str, base_url: str, model: str) -> None:
    """`extra_body` first, then the arguments, then Azure's deployment in the URL; a fixed name for none."""
    assert asked_model(request_, url, base_url) == model


@pytest.mark.parametrize(
    ("method", "url", "endpoint", "free"),
    [
        ("post", "/chat/completions", "chat.completions", False),
        ("get", "/chat/completions", "chat.completions", True),
        ("post", "/chat/completions/chatcmpl_1", "chat.completions", True),
        ("post", "/deployments/dep/chat/completions?api-version=1", "chat.completions", False),
        ("post", "https://host/v1/embeddings", "embeddings", False),
        ("post", "/responses", "responses", False),
        ("post", "/responses/compact", "responses", False),
        ("post", "/responses/input_tokens", "responses", True),
        ("get", "/responses/resp_1", "responses", True),
        ("post", "/images/edits", "images", False),
        ("post", "/uploads/u/parts", "uploads", True),
        ("post", "/threads", "other", True),
    ],
)
def test_resources(method: str, url: str, endpoint: str, free: bool) -> None:
    """By method and path: what it is called, and whether its tokens are billed."""
    resource = resource_of(method, url)
    assert (resource.endpoint, resource.free) == (endpoint, free)


def test_ids_of_responses() -> None:
    """Only a look at one response has one."""
    paths = ("/responses/resp_1", "/responses/resp_1/cancel", "/responses/compact", "/responses")
    assert [response_id_of(path) for path in paths] == ["resp_1", "resp_1", None, None]


def test_urls_are_written_out_once_and_never_mixed_up() -> None:
    """Thousands of clients that live for a moment each have their own address, though Python gives ids again."""
    assert [text_of(httpx.URL(f"http://h{number}/v1")) for number in range(3_000)] == [
        f"http://h{number}/v1" for number in range(3_000)
    ]
    kept = httpx.URL("http://kept/v1")
    assert text_of(kept) is text_of(kept)


def test_the_tier_of_the_answer_decides(ask: Callable[..., Any], counts: Counts) -> None:
    """Priority that was served as default is standard; flex is half; `auto` and `scale` are unpriced."""
    ask("tier=default", service_tier="priority")
    assert counts.nanodollars == 20_000
    ask("tier=flex")
    assert counts.nanodollars == 30_000
    ask("tier=auto")
    ask("tier=scale")
    assert (counts.nanodollars, counts.unpriced, counts.answered) == (30_000, 2, 4)


def test_audio_and_images_have_their_own_types(client: openai.OpenAI, counts: Counts) -> None:
    """Never at the rate of text; a transcription by duration has no tokens."""
    client.images.generate(model="gpt-image-2", prompt="x")
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", b"x"))
    assert counts.tokens == {"prompt": 20, "image_in": 40, "image_out": 1_000, "audio_in": 20, "completion": 5}
    counts.restart()
    header = {"x-upstream-answer": "shape=duration"}
    client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"x"), extra_headers=header)
    assert (counts.calls, counts.tokens, counts.unpriced) == (1, {}, 1)


def test_background_responses_are_billed_once(client: openai.OpenAI, counts: Counts) -> None:
    """Polls, a stream of it and a cancellation tell the same usage; it counts with the first that tells it."""
    text = "[[usage:prompt=100,completion=20]]"
    queued = client.responses.create(model=LUNA, input=text, background=True)
    assert (counts.calls, counts.answered, counts.unpriced) == (1, 0, 0)
    for _ in range(3):
        client.responses.retrieve(queued.id)
    list(client.responses.retrieve(queued.id, stream=True))
    client.responses.cancel(queued.id)
    assert (counts.calls, counts.nanodollars, counts.unpriced) == (6, 20_000, 0)


def test_a_background_response_that_is_polled_as_a_stream(client: openai.OpenAI, counts: Counts) -> None:
    """A stream can be the first look."""
    queued = client.responses.create(model=LUNA, input="[[usage:prompt=100,completion=20]]", background=True)
    list(client.responses.retrieve(queued.id, stream=True))
    client.responses.retrieve(queued.id)
    assert counts.nanodollars == 20_000


def test_looks_at_answered_responses_cost_nothing(client: openai.OpenAI, counts: Counts) -> None:
    """What was answered at once is not billed again when it is retrieved, also not by a process that never saw it."""
    fleetmeter.uninstrument_openai()
    unseen = client.responses.create(model=LUNA, input="x")
    fleetmeter.instrument_openai(prices=PriceList(Book(providers={"127.0.0.1": "openai"})))
    client.responses.retrieve(unseen.id)
    seen = client.responses.create(model=LUNA, input="[[usage:prompt=100,completion=20]]")
    client.responses.retrieve(seen.id)
    client.responses.input_tokens.count(model=LUNA, input="a b c")
    assert (counts.nanodollars, counts.answered, counts.unpriced) == (20_000, 1, 0)


def test_embeddings_have_no_reasoning(client: openai.OpenAI, counts: Counts) -> None:
    """Only prompt tokens; no usage at all is unknown."""
    client.embeddings.create(model="text-embedding-3-small", input="two words")
    assert (counts.tokens, counts.nanodollars) == ({"prompt": 2}, 40)
    client.embeddings.create(model="text-embedding-3-small", input="[[answer:shape=none]]")
    assert (counts.calls, counts.unpriced) == (2, 1)


def test_a_model_elsewhere_does_not_cost_openais_price(client: openai.OpenAI) -> None:
    """Without a word from the user, nobody knows who answers at a local address: the call is unpriced."""
    fleetmeter.instrument_openai()
    try:
        counts = Counts()
        client.chat.completions.create(model=LUNA, messages=[{"role": "user", "content": "x"}])
        assert (counts.calls, counts.unpriced, counts.nanodollars) == (1, 1, 0)
        assert LUNA not in counts.models
    finally:
        fleetmeter.uninstrument_openai()


def test_estimates_when_wanted(client: openai.OpenAI, prices: PriceList) -> None:
    """A stream that told no usage is estimated from what was delivered; a left one is marked as estimated."""
    fleetmeter.instrument_openai(prices=prices, estimate=lambda _model, text: len(text.split()))
    try:
        counts = Counts()
        chat: Any = client.chat.completions
        message = [{"role": "user", "content": "[[usage:prompt=100,completion=20]] four words to count"}]
        list(chat.create(model=LUNA, messages=message, stream=True))
        assert (counts.tokens, counts.unpriced, counts.aborts) == ({"prompt": 5, "completion": 20}, 0, {})
        message = [{"role": "user", "content": "[[answer:stall=3,chunks=9]] x"}]
        with chat.create(model=LUNA, messages=message, stream=True) as stream:
            for _ in range(3):
                next(stream)
        assert counts.aborts == {"estimated": 1}
        assert counts.answered == 2
    finally:
        fleetmeter.uninstrument_openai()


def sdk_http() -> Any:
    """The HTTP library of the SDK that is installed: httpx until 2.x, httpx2 from 3 on."""
    (client,) = openai.DefaultHttpxClient.__bases__
    return importlib.import_module(client.__module__.partition(".")[0])


def test_an_estimate_has_each_word_once(prices: PriceList) -> None:
    """A stream that came in one piece was seen by its bytes before the SDK parsed it; it is estimated once."""
    texts = ({"content": "one two "}, {"content": "three"})
    events = [
        {"model": LUNA, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in (*((text, None) for text in texts), ({}, "stop"))
    ]
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    head = {"content-type": "text/event-stream"}
    http = sdk_http()
    transport = http.MockTransport(lambda _: http.Response(200, headers=head, content=iter([body])))
    fleetmeter.instrument_openai(prices=prices, estimate=lambda _model, text: len(text.split()))
    try:
        counts = Counts()
        with openai.OpenAI(api_key="x", http_client=openai.DefaultHttpxClient(transport=transport)) as client:
            list(client.chat.completions.create(model=LUNA, messages=[{"role": "user", "content": "x"}], stream=True))
        assert counts.tokens == {"prompt": 1, "completion": 3}
    finally:
        fleetmeter.uninstrument_openai()


def test_estimates_need_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the error says what to install, or to pass."""
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(InstallError, match="pip install tiktoken"):
        fleetmeter.instrument_openai(estimate=True)


class Tables:
    """Stands for tiktoken, whose tables are downloaded: a token is a word, and each encoding is asked for by name."""

    def __init__(self, there: bool = True) -> None:
        self.there = there
        self.asked: list[str] = []

    def get_encoding(self, name: str) -> Any:
        """An encoding, as if it had been downloaded."""
        self.asked.append(name)
        if not self.there:
            raise ConnectionError("no way out")
        return SimpleNamespace(encode=lambda text, disallowed_special: text.split())

    def encoding_name_for_model(self, model: str) -> str:
        """What tiktoken has in a table of its own."""
        return {"gpt-4": "cl100k_base", "gpt-oss-20b": "o200k_harmony"}[model]


def test_tables_are_asked_for_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever model a call names, it finds the tables in memory; a model of another encoding takes the present one."""
    tables = Tables()
    monkeypatch.setitem(sys.modules, "tiktoken", tables)
    count = tokenizer_of(True)
    assert count is not None
    asked = list(tables.asked)
    assert asked
    assert [count(model, "two words") for model in ("gpt-4", "gpt-oss-20b", "nobody's")] == [2, 2, 2]
    assert tables.asked == asked


def test_tables_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so at the start, and what to do."""
    monkeypatch.setitem(sys.modules, "tiktoken", Tables(there=False))
    with pytest.raises(InstallError, match="TIKTOKEN_CACHE_DIR"):
        fleetmeter.instrument_openai(estimate=True)


def test_a_stream_that_is_open_at_the_end_of_the_process(store: StoreAddress, upstream: RunningUpstream) -> None:
    """It is one call and one abort in the store, whether fleetmeter was installed before or after the hook."""
    for order in ("install first", "install last"):
        done = run("open_stream.py", store, order, UPSTREAM=upstream.base_url)
        assert done.returncode == 0, done.stderr
    samples = fleet(store)
    assert value(samples, "openai_stream_aborts_total", model="other", usage="unknown") == 2
    assert sum(n for (name, _), n in samples.items() if name == "openai_api_calls_total") == 2


def test_the_small_matrix(upstream: RunningUpstream) -> None:
    """Every form, sync and async, with trouble: everything counted equals the upstream's ledger."""
    from matrix.calls import run as run_matrix

    python = Path(sys.executable)
    for way in ("sync", "async"):
        result = run_matrix(upstream, python, "matrix_openai.py", way, 1)
        assert result.differences() == []
        assert result.counted["calls"] > 40
