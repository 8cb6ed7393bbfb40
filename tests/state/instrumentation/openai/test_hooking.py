"""Which calls are seen, and that nothing else changes: cases H1 to H6."""

import copy
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import _base_client

import fleetmeter
from fleetmeter.errors import InstallError, SettingError
from fleetmeter.instrumentation.openai import call as calls
from fleetmeter.instrumentation.openai import captured, mishaps
from fleetmeter.pricing import PriceList
from support.counts import Counts
from support.upstream import RunningUpstream

LUNA = "gpt-6-luna"
HELLO: list[Any] = [{"role": "user", "content": "[[usage:prompt=100,completion=20]]"}]
ASKED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def hello(client: openai.OpenAI) -> Any:
    """A plain call."""
    return client.chat.completions.create(model=LUNA, messages=HELLO)


class Own(openai.OpenAI):
    """A subclass, as users have them."""


def azure(upstream: RunningUpstream, **more: Any) -> openai.AzureOpenAI:
    """Azure's client, whose requests reach our upstream whatever deployment stands in their path."""

    def moved(request: httpx.Request) -> None:
        request.url = request.url.copy_with(path="/v1/chat/completions")

    transport: Any = openai._base_client.SyncHttpxClientWrapper
    http_client = transport(event_hooks={"request": [moved], "response": []}, base_url=upstream.address)
    return openai.AzureOpenAI(
        api_key="x", api_version="2026-01-01", azure_endpoint=upstream.address, http_client=http_client, **more
    )


def test_clients_made_before_and_after_count_alike(upstream: RunningUpstream, prices: PriceList) -> None:
    """A client made before, one made after, its copies, a subclass, and the module's own: each call counts once."""
    before = openai.OpenAI(api_key="x", base_url=upstream.base_url)
    fleetmeter.instrument_openai(prices=prices)
    try:
        after = openai.OpenAI(api_key="x", base_url=upstream.base_url)
        own = Own(api_key="x", base_url=upstream.base_url)
        counts = Counts()
        clients = (before, after, own, before.with_options(timeout=9.0), after.copy(), copy.copy(own))
        for client in clients:
            hello(client)
        assert (counts.calls, counts.durations) == (6, 6)
    finally:
        fleetmeter.uninstrument_openai()
        for client in (before, after, own):
            client.close()


def test_the_modules_client_counts(upstream: RunningUpstream, counts: Counts, monkeypatch: pytest.MonkeyPatch) -> None:
    """`openai.chat.completions.create` counts as any client's call."""
    monkeypatch.setattr(openai, "api_key", "x")
    monkeypatch.setattr(openai, "base_url", upstream.base_url + "/")
    monkeypatch.setattr(openai, "_client", None)
    openai.chat.completions.create(model=LUNA, messages=HELLO)
    assert counts.models == {LUNA: 1}


def test_azures_client_counts_under_the_answers_model(upstream: RunningUpstream, counts: Counts) -> None:
    """A deployment is named by path and body; the answer's model is the one that counts."""
    with azure(upstream) as client:
        hello(client)
    assert counts.calls == 1


def test_twice_is_once(client: openai.OpenAI, counts: Counts, prices: PriceList) -> None:
    """A second call with the same arguments changes nothing, one with others is refused by name."""
    fleetmeter.instrument_openai(prices=prices)
    hello(client)
    assert counts.calls == 1
    with pytest.raises(InstallError, match="uninstrument_openai"):
        fleetmeter.instrument_openai(prices=prices, ask_for_usage=True)


def test_the_environment_names_the_prices(
    client: openai.OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`instrument_openai()` takes the file of `FLEETMETER_PRICES`; one that cannot be used is refused by name."""
    file = tmp_path / "prices.toml"
    file.write_text('[providers]\n"127.0.0.1" = "openai"\n')
    monkeypatch.setenv("FLEETMETER_PRICES", str(file))
    fleetmeter.instrument_openai()
    try:
        counts = Counts()
        hello(client)
        assert (counts.calls, counts.unpriced) == (1, 0)
    finally:
        fleetmeter.uninstrument_openai()
    file.write_text("[provider]\n")
    with pytest.raises(SettingError, match=str(file)):
        fleetmeter.instrument_openai()


def test_uninstrument_restores_the_classes(prices: PriceList, client: openai.OpenAI) -> None:
    """The SDK's classes have their own methods again, and nothing is counted."""
    stock = {name: vars(_base_client.SyncAPIClient)[name] for name in ("request", "_process_response")}
    fleetmeter.instrument_openai(prices=prices)
    fleetmeter.uninstrument_openai()
    counts = Counts()
    hello(client)
    assert counts.calls == 0
    assert stock == {name: vars(_base_client.SyncAPIClient)[name] for name in stock}


def test_who_patched_on_top_stays(prices: PriceList, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that somebody put over ours stays, and after a new start calls count once."""
    fleetmeter.instrument_openai(prices=prices)
    ours = _base_client.SyncAPIClient.request

    def theirs(*positional: Any, **named: Any) -> Any:
        return ours(*positional, **named)

    monkeypatch.setattr(_base_client.SyncAPIClient, "request", theirs)
    fleetmeter.uninstrument_openai()
    assert _base_client.SyncAPIClient.request is theirs
    counts = Counts()
    hello(client)
    assert counts.calls == 0
    fleetmeter.instrument_openai(prices=prices)
    try:
        hello(client)
        assert counts.calls == 1
    finally:
        monkeypatch.undo()
        fleetmeter.uninstrument_openai()


@pytest.mark.parametrize("begun", [False, True])
def test_a_stream_that_is_open_at_uninstrument_is_counted_in_full(
    client: openai.OpenAI, prices: PriceList, begun: bool
) -> None:
    """Its end and its usage are seen though the classes are the SDK's again."""
    fleetmeter.instrument_openai(prices=prices)
    counts = Counts()
    text = "[[answer:delay=0.02,chunks=4]] [[usage:prompt=100,completion=20]]"
    stream = client.chat.completions.create(model=LUNA, messages=[{"role": "user", "content": text}], **ASKED)
    if begun:
        next(stream)
    fleetmeter.uninstrument_openai()
    list(stream)
    assert (counts.calls, counts.nanodollars, counts.aborts) == (1, 20_000, {})


def test_one_client_alone(client: openai.OpenAI, upstream: RunningUpstream, prices: PriceList) -> None:
    """`instrument_openai(client)` counts it and its copies, and nobody else; a resource stands for its client."""
    counts = Counts()
    fleetmeter.instrument_openai(client.chat, prices=prices)
    try:
        with openai.OpenAI(api_key="x", base_url=upstream.base_url) as other:
            hello(client), hello(client.with_options(timeout=9.0)), hello(other)
        assert counts.calls == 2
        fleetmeter.uninstrument_openai(client)
        hello(client)
        assert counts.calls == 2
    finally:
        fleetmeter.uninstrument_openai()


def test_what_is_no_client_is_refused() -> None:
    """The error names what was given and what was expected."""
    with pytest.raises(TypeError, match="got a str, expected a client"):
        fleetmeter.instrument_openai("sk-123")


def test_results_keep_their_types(client: openai.OpenAI, counts: Counts) -> None:
    """Streams, raw responses and helpers are the SDK's own, and can do what they always could."""
    stream = client.chat.completions.create(model=LUNA, messages=HELLO, **ASKED)
    assert type(stream) is openai.Stream
    stream.response.close()
    raw = client.chat.completions.with_raw_response.create(model=LUNA, messages=HELLO)
    assert raw.parse().usage is not None
    with client.chat.completions.stream(model=LUNA, messages=HELLO) as helper:
        assert helper.get_final_completion().choices[0].message.content
    assert counts.calls == 3


@pytest.mark.parametrize("cast_to", [object, httpx.Response])
def test_calls_below_create_count(client: openai.OpenAI, counts: Counts, cast_to: Any) -> None:
    """`client.post` passes no `create`; it counts, with its tokens."""
    client.post("/chat/completions", cast_to=cast_to, body={"model": LUNA, "messages": HELLO})
    assert (counts.calls, counts.nanodollars) == (1, 20_000)


def test_other_resources_count_by_call(client: openai.OpenAI, counts: Counts) -> None:
    """Images, audio, moderations, files, batches and realtime count by name; a batch is no call of its model."""
    client.images.generate(model="gpt-image-2", prompt="x")
    client.audio.speech.create(model="tts-1", voice="alloy", input="x")
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", b"x"))
    client.moderations.create(input="x")
    client.files.list()
    client.batches.retrieve("batch_1")
    client.models.list()
    with pytest.raises(openai.NotFoundError):  # the upstream has none, as many servers
        client.realtime.client_secrets.create()
    counted = counts.endpoints
    assert counted == dict.fromkeys(
        ("images", "audio.speech", "audio.transcriptions", "moderations", "files", "batches", "models", "realtime"), 1
    )
    assert counts.models.get("none") == 5
    assert counts.errors == {"NotFoundError": 1}
    assert LUNA not in counts.models


@pytest.mark.parametrize("broken", ["__init__", "_record", "see", "got", "attempt", "returned", "pass_on", "closed"])
def test_a_failure_of_ours_never_reaches_the_caller(
    client: openai.OpenAI,
    counts: Counts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: str,
) -> None:
    """Whatever of ours raises, answers and streams are as without us, and one line of the log says so."""
    if broken == "pass_on":
        monkeypatch.setattr(captured.Capture, "add", lambda *_: 1 / 0)
    elif broken == "closed":
        monkeypatch.setattr(calls, "error_type_of", lambda *_: 1 / 0)
        monkeypatch.setattr(calls.Call, "_record", lambda *_: 1 / 0)
    else:
        monkeypatch.setattr(calls.Call, broken, lambda *_, **__: 1 / 0)
    monkeypatch.setattr(mishaps, "_complained", set())
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        assert hello(client).usage.total_tokens == 120
        chunks = list(client.chat.completions.create(model=LUNA, messages=HELLO, **ASKED))
        assert chunks[-1].usage.total_tokens == 120
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model=LUNA, messages=[{"role": "user", "content": "[[fault:400]]"}])
    assert "could not be counted in full" in caplog.text


def test_the_record_helper_raises_and_nobody_hears(
    client: openai.OpenAI, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record itself may raise for every form of a call."""
    monkeypatch.setattr(calls, "record", lambda *_: 1 / 0)
    hello(client)
    with client.chat.completions.create(model=LUNA, messages=HELLO, **ASKED) as stream:
        next(stream)
    assert counts.calls == 0


def test_a_usage_that_cannot_be_read_counts_as_unpriced(ask: Callable[..., Any], counts: Counts) -> None:
    """The call counts, without tokens and without a price."""
    ask("shape=text")
    ask("shape=negative")
    assert (counts.calls, counts.unpriced, counts.nanodollars) == (2, 2, 0)


def test_threads_do_not_mix(client: openai.OpenAI, counts: Counts) -> None:
    """Calls of many threads count under their own intents."""

    def work(intent: str) -> None:
        with fleetmeter.llm.attributes(intent=intent):
            hello(client)

    threads = [threading.Thread(target=work, args=(f"thread{at % 2}",)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.intents == {"thread0": 3, "thread1": 3}
