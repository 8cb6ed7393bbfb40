"""Labels of the user's own on HTTP requests, and on what is recorded while they are answered."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from fleetmeter import instrument_fastapi
from fleetmeter.errors import SettingError
from fleetmeter.instrumentation import default_registry
from fleetmeter.llm import REGISTRY, attributes, configure, record_openai_error
from support.labels import no_labels


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test decides about labels for itself."""
    monkeypatch.delenv("FLEETMETER_LABELS", raising=False)
    with no_labels():
        yield


def by_header(request: Request) -> dict[str, object]:
    """The team that a request names, and the one that the application has found out."""
    return {"team": getattr(request.state, "team", request.headers.get("x-team"))}


def record() -> None:
    """Something that counts under the values in force."""
    record_openai_error("m", "APIError")


def application(prefix: str) -> FastAPI:
    """An application whose routes record in every way that FastAPI runs code."""
    app = FastAPI()

    @app.get("/async")
    async def _() -> None:
        record()

    @app.get("/sync")
    def _() -> None:
        record()

    @app.get("/stream")
    async def _() -> StreamingResponse:
        async def body() -> Any:
            record()
            yield b"x"

        return StreamingResponse(body())

    @app.get("/background")
    async def _(tasks: BackgroundTasks) -> None:
        tasks.add_task(record)

    async def found_out(request: Request) -> None:
        request.state.team = "found out"

    @app.get("/state", dependencies=[Depends(found_out)])
    async def _() -> None:
        record()

    async def in_a_dependency() -> Any:
        with attributes(team="dependency"):
            yield

    @app.get("/dependency")
    def _(_: Annotated[None, Depends(in_a_dependency)]) -> None:
        record()

    def in_a_thread() -> Any:
        with attributes(team="thread"):
            yield

    @app.get("/thread")
    def _(_: Annotated[None, Depends(in_a_thread)]) -> None:
        record()

    instrument_fastapi(app, prefix=prefix, labels=by_header)
    return app


def errors() -> dict[str, float]:
    """What was recorded, by team."""
    return {
        sample.labels["team"]: sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "openai_errors_total" and sample.labels["model"] == "m"
    }


def requests(prefix: str, team: str, endpoint: str) -> float | None:
    """The requests of a team."""
    return default_registry().get_sample_value(
        f"{prefix}http_requests_total", {"method": "GET", "endpoint": endpoint, "status": "200", "team": team}
    )


@pytest.mark.parametrize("path", ["/async", "/sync", "/stream", "/background"])
def test_a_request_and_what_it_records_have_its_values(path: str) -> None:
    """Endpoints of both kinds, streams and background tasks count under the values of their request."""
    configure(labels={"team": 5})
    with TestClient(application("l1_")) as client:
        assert client.get(path, headers={"x-team": "ads"}).status_code == 200
        assert client.get(path).status_code == 200
    assert errors() == {"ads": 1, "unspecified": 1}
    assert requests("l1_", "ads", path) == 1
    assert requests("l1_", "unspecified", path) == 1
    for part in ("request_duration_seconds", "request_size_bytes", "response_size_bytes"):
        labels = {"method": "GET", "endpoint": path, "team": "ads"}
        assert default_registry().get_sample_value(f"l1_http_{part}_count", labels) == 1


def test_what_a_dependency_finds_out_counts_for_the_request() -> None:
    """The function is asked again at a request's end, for what stands in `request.state` by then."""
    configure(labels={"team": 5})
    with TestClient(application("l2_")) as client:
        client.get("/state", headers={"x-team": "ads"})
    assert requests("l2_", "found out", "/state") == 1
    assert errors() == {"ads": 1}


def test_a_dependency_may_open_a_block() -> None:
    """A block of an asynchronous dependency holds in the endpoint; a synchronous one's does not, and raises nothing."""
    configure(labels={"team": 5})
    with TestClient(application("l3_")) as client:
        assert client.get("/dependency").status_code == 200
        assert client.get("/thread").status_code == 200
    assert errors() == {"dependency": 1, "unspecified": 1}


def test_a_value_that_is_not_admitted_is_counted_once_a_request() -> None:
    """However many families a request fills, and though it is asked twice, its value overflows once."""
    configure(labels={"team": ["ads"]})
    before = REGISTRY.get_sample_value("label_overflows_total", {"label": "team"}) or 0
    with TestClient(application("l4_")) as client:
        client.get("/async", headers={"x-team": "growth"})
    assert requests("l4_", "other", "/async") == 1
    assert REGISTRY.get_sample_value("label_overflows_total", {"label": "team"}) == before + 1


@pytest.mark.parametrize("answer", [None, ["team"], ValueError("no")])
def test_a_function_that_fails_costs_no_request(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the function returns or raises, the request is answered and counted, without values."""
    configure(labels={"team": 5})

    def failing(request: Request) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    app = FastAPI()
    app.get("/")(lambda: None)
    instrument_fastapi(app, prefix="l5_", labels=failing)
    before = requests("l5_", "unspecified", "/") or 0
    with TestClient(app) as client:
        assert client.get("/").status_code == 200
    assert requests("l5_", "unspecified", "/") == before + 1
    assert "the labels of an HTTP request are not known" in caplog.text
    caplog.clear()  # the traceback in it holds series of labels that are gone with this test


def test_without_a_function_requests_have_no_further_labels() -> None:
    """Labels of the user's own stand on the `http_*` families only if somebody says where their values are from."""
    configure(labels={"team": 5})
    app = FastAPI()
    app.get("/")(lambda: None)
    instrument_fastapi(app, prefix="l6_")
    with TestClient(app) as client:
        client.get("/")
    labels = {"method": "GET", "endpoint": "/", "status": "200"}
    assert default_registry().get_sample_value("l6_http_requests_total", labels) == 1


def test_labels_may_change_between_requests() -> None:
    """Children at hand are not used for other labels than they were made for."""
    with TestClient(application("l7_")) as client:
        client.get("/async")
        configure(labels={"team": 5})
        client.get("/async", headers={"x-team": "ads"})
        configure(labels={"unit": 5})
        client.get("/async", headers={"x-team": "ads"})
    found = {
        (sample.labels.get("team"), sample.labels.get("unit")): sample.value
        for family in default_registry().collect()
        for sample in family.samples
        if sample.name == "l7_http_requests_total"
    }
    assert found == {(None, None): 1, ("ads", None): 1, (None, "unspecified"): 1}


def test_a_bad_environment_is_told_when_the_application_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """`instrument_fastapi(labels=…)` raises for a variable that cannot be used."""
    monkeypatch.setenv("FLEETMETER_LABELS", "team")
    with pytest.raises(SettingError, match="FLEETMETER_LABELS"):
        instrument_fastapi(FastAPI(), labels=by_header)
