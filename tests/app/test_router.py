"""The router chooses by intent, tier or model; and which failures lead on along the chain."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.config.limits import UpstreamCalls
from fleetmeter_app.errors import ModelNotFoundError, UpstreamFailedError
from fleetmeter_app.routing.router import ModelRouter, Selection, Step
from fleetmeter_app.seams import Seams
from fleetmeter_app.serving.ask import Questions
from fleetmeter_app.serving.loaded import Loaded, default_deployment
from fleetmeter_app.serving.pipeline import Pipeline
from fleetmeter_app.serving.upstreams import Upstreams
from fleetmeter_app.transport.failures import UpstreamFailure
from support.upstream import RunningUpstream

CONFIG = """
baseline_tier = "a"
[tiers.a]
model = "model-a"
fallback = ["b", "d"]
[tiers.b]
model = "model-b"
fallback = ["c"]
[tiers.c]
model = "model-a"
fallback = ["d"]
[tiers.d]
model = "model-d"
[models.model-x]
fallback = ["d", "model-b"]
[intents.general]
tier = "a"
[intents.hard]
tier = "c"
[intents.last]
tier = "d"
"""


def models_of(router: ModelRouter, intent: str, model: str = "auto") -> list[tuple[str, str]]:
    """All choices for an intent, as tier and model."""
    selection = router.select(model, intent)
    assert selection.intent == intent
    assert selection.first == selection.steps[0]
    return [(step.tier, step.model) for step in selection.steps]


@pytest.fixture
def router() -> ModelRouter:
    """A router over chains that meet."""
    return ModelRouter(GatewayConfig.from_toml(CONFIG))


def test_an_intent_gets_the_model_of_its_tier(router: ModelRouter) -> None:
    """The whole chain is known at once."""
    steps = (Step("c", "model-a", ("default",)), Step("d", "model-d", ("default",)))
    assert router.select("auto", "hard") == Selection("hard", steps)
    with pytest.raises(KeyError):
        router.select("auto", "absent")


def test_a_chain_tries_no_model_twice(router: ModelRouter) -> None:
    """Fallbacks of a fallback come before the next one; a model that has failed is passed over."""
    assert models_of(router, "general") == [("a", "model-a"), ("b", "model-b"), ("d", "model-d")]
    assert models_of(router, "hard") == [("c", "model-a"), ("d", "model-d")]
    assert models_of(router, "last") == [("d", "model-d")]


def test_a_tiers_name_chooses_the_tier_and_a_models_name_the_model(router: ModelRouter) -> None:
    """A tier brings its chain, a model only the one that its own table names; the intent stays what it was."""
    assert models_of(router, "last", "b") == [("b", "model-b"), ("c", "model-a"), ("d", "model-d")]
    assert models_of(router, "last", "model-a") == [("a", "model-a")]
    assert models_of(router, "last", "model-x") == [("none", "model-x"), ("d", "model-d"), ("b", "model-b")]
    with pytest.raises(ModelNotFoundError):
        router.select("model-y", "last")
    assert router.names == ("auto", "a", "b", "c", "d", "model-x", "model-a", "model-b", "model-d")


def test_the_packaged_chains_reach_from_cheap_to_the_reserve() -> None:
    """A price question that nobody answers has been asked of all four models."""
    router = ModelRouter(GatewayConfig.load())
    assert [tier for tier, _ in models_of(router, "price_only")] == ["cheap", "mid", "premium", "reserve"]


# reasons of real errors

Answering = Callable[[int, bytes], str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A server for whatever answer a test wants: give it a status and a body, get its base URL."""
    answer = (0, b"")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, body = answer
            self.send_response(status)
            self.send_header("content-type", "application/json" if body.startswith(b"{") else "text/plain")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    def set_answer(status: int, body: bytes) -> str:
        nonlocal answer
        answer = (status, body)
        return f"http://127.0.0.1:{server.server_port}/v1"

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield set_answer
        server.shutdown()
        thread.join()


def reason_of(base_url: str, prompt: str, timeout: float = 30) -> str | None:
    """Why another model should be tried after what happens to a question."""
    toml = 'baseline_tier = "a"\ndefault_intent = "x"\n[tiers.a]\nmodel = "gpt-6-luna"\n[intents.x]\ntier = "a"\n'
    config = replace(GatewayConfig.from_toml(toml), upstream=UpstreamCalls(timeout, 0))
    loaded = Loaded.make(config, default_deployment(base_url, "made-up"))

    async def ask() -> UpstreamFailedError:
        upstreams = Upstreams(config.upstream)
        try:
            await Questions(Pipeline(loaded, upstreams.client, Seams())).ask(prompt)
        except UpstreamFailedError as error:
            return error
        finally:
            await upstreams.close()
        raise AssertionError("it was answered")

    failure = asyncio.run(ask()).__cause__
    assert isinstance(failure, UpstreamFailure)
    return failure.reason


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "model_not_found"),
        ("429", "rate_limited"),
        ("500", "upstream_error"),
        ("503", "upstream_error"),
        ("context_length", "context_length"),
        ("400", None),
        ("401", None),
        ("quota", None),
    ],
)
def test_an_error_of_the_upstream_has_its_reason(upstream: RunningUpstream, fault: str, reason: str | None) -> None:
    """What another model may do better has a reason, what it cannot do better has none."""
    assert reason_of(upstream.base_url, f"[[fault:{fault}]]") == reason


def test_silence_is_a_timeout_and_a_closed_door_an_upstream_error(upstream: RunningUpstream) -> None:
    """Neither brings an answer, and they are told apart."""
    assert reason_of(upstream.base_url, "[[fault:latency=1]]", timeout=0.1) == "timeout"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        assert reason_of(f"http://127.0.0.1:{closed.getsockname()[1]}/v1", "q") == "upstream_error"


def test_other_servers_errors_are_read_by_their_status(answering: Answering) -> None:
    """A server that is compatible with OpenAI's but for its error codes is understood too."""
    expected = {
        404: "model_not_found",
        408: "timeout",
        409: "upstream_error",
        429: "rate_limited",
        502: "upstream_error",
        504: "timeout",
        529: "upstream_error",
        400: None,
        401: None,
        403: None,
        413: None,
        422: None,
    }
    found = {status: reason_of(answering(status, b"no JSON"), "q") for status in expected}
    assert found == expected


def test_a_code_says_more_than_the_status(answering: Answering) -> None:
    """A model that an account may not use is a 403 with the code of a missing model."""
    body = b'{"error": {"message": "no access", "type": "invalid_request_error", "code": "model_not_found"}}'
    assert reason_of(answering(403, body), "q") == "model_not_found"
