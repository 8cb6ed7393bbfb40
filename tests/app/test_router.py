"""The router chooses by intent, falls back along the chain, and knows which errors are worth it."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import openai
import pytest

from fleetmeter_app.config import GatewayConfig
from fleetmeter_app.router import ModelRouter, Selection, Step, reason_of
from support.upstream import RunningUpstream, running_upstream

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
[intents.general]
tier = "a"
[intents.hard]
tier = "c"
[intents.last]
tier = "d"
"""


def models_of(router: ModelRouter, intent: str) -> list[tuple[str, str]]:
    """All choices for an intent, as tier and model, until none is left."""
    choices = []
    selection: Selection | None = router.select_model(intent)
    while selection is not None:
        assert selection.intent == intent
        choices.append((selection.tier, selection.model))
        selection = router.fallback(selection, "timeout")
    return choices


@pytest.fixture
def router() -> ModelRouter:
    """A router over chains that meet."""
    return ModelRouter(GatewayConfig.from_toml(CONFIG))


def test_an_intent_gets_the_model_of_its_tier(router: ModelRouter) -> None:
    """The first choice and what is left of the chain are known at once."""
    assert router.select_model("hard") == Selection("hard", "c", "model-a", (Step("d", "model-d"),))
    with pytest.raises(KeyError):
        router.select_model("absent")


def test_a_chain_is_followed_to_its_end_and_tries_no_model_twice(router: ModelRouter) -> None:
    """Fallbacks of a fallback come before the next one; a model that has failed is passed over."""
    assert models_of(router, "general") == [("a", "model-a"), ("b", "model-b"), ("d", "model-d")]
    assert models_of(router, "hard") == [("c", "model-a"), ("d", "model-d")]
    assert models_of(router, "last") == [("d", "model-d")]


def test_the_packaged_chains_reach_from_cheap_to_the_reserve() -> None:
    """A price question that nobody answers has been asked of all four models."""
    router = ModelRouter(GatewayConfig.load())
    assert [tier for tier, _ in models_of(router, "price_only")] == ["cheap", "mid", "premium", "reserve"]


def test_only_the_catalogues_reasons_lead_to_a_fallback(router: ModelRouter) -> None:
    """The closed set of the metric's label is the closed set of the router."""
    for reason in (
        "model_not_found",
        "rate_limited",
        "timeout",
        "upstream_error",
        "context_length",
        "circuit_open",
        "over_budget",
    ):
        assert router.fallback(router.select_model("general"), reason) is not None
    with pytest.raises(ValueError, match="'bored' is no reason to fall back"):
        router.fallback(router.select_model("general"), "bored")


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


@pytest.fixture(scope="module")
def upstream() -> Iterator[RunningUpstream]:
    """An upstream that makes trouble on demand."""
    with running_upstream() as running:
        yield running


def error_of(base_url: str, prompt: str, timeout: float = 30) -> Exception:
    """What the SDK raises for a question."""
    with (
        openai.OpenAI(base_url=base_url, api_key="made-up", max_retries=0, timeout=timeout) as client,
        pytest.raises(openai.OpenAIError) as caught,
    ):
        client.chat.completions.create(model="gpt-6-luna", messages=[{"role": "user", "content": prompt}])
    return caught.value


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
    assert reason_of(error_of(upstream.base_url, f"[[fault:{fault}]]")) == reason


def test_silence_is_a_timeout_and_a_closed_door_an_upstream_error(upstream: RunningUpstream) -> None:
    """Both arrive as connection errors of the SDK, and are told apart."""
    assert reason_of(error_of(upstream.base_url, "[[fault:latency=1]]", timeout=0.1)) == "timeout"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        assert reason_of(error_of(f"http://127.0.0.1:{closed.getsockname()[1]}/v1", "q")) == "upstream_error"


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
    found = {status: reason_of(error_of(answering(status, b"no JSON"), "q")) for status in expected}
    assert found == expected


def test_a_code_says_more_than_the_status(answering: Answering) -> None:
    """A model that an account may not use is a 403 with the code of a missing model."""
    body = b'{"error": {"message": "no access", "type": "invalid_request_error", "code": "model_not_found"}}'
    assert reason_of(error_of(answering(403, body), "q")) == "model_not_found"


def test_errors_that_are_not_the_upstreams_have_no_reason() -> None:
    """A mistake of ours is not hidden behind another model."""
    assert reason_of(ValueError("x")) is None
    assert reason_of(openai.OpenAIError("no key")) is None
