"""More than an hour comes from a real Prometheus; what it cannot tell is said in words."""

import asyncio
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.watching.shown import Shown
from fleetmeter_board.prometheus import Prometheus as Asked
from fleetmeter_board.prometheus import PrometheusError
from fleetmeter_exporter.http.responses import Message, Receive, Response, Send, respond
from support.board import running_service
from support.gateway import Programs
from support.programs import program
from support.prometheus import Prometheus
from support.store import new_address
from support.upstream import free_port
from support.web import serving

HOURS = 6 * 3600.0


@pytest.fixture(scope="module")
def history(server: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has scraped a service's exporter some ten times."""
    store, folder = new_address(server), tmp_path_factory.mktemp("history")
    binary = program("prometheus")
    with Programs() as programs, running_service(store, folder):
        target = programs.exporter(store).address().partition("//")[2]
        with Prometheus(binary, target) as prometheus:
            deadline = time.monotonic() + 60
            while (prometheus.number("max(count_over_time(openai_total_cost_usd_total[1h]))") or 0) < 10:
                assert time.monotonic() < deadline
                time.sleep(0.3)
            yield prometheus


def ask(url: str, job: str = "") -> Shown:
    """What a board shows of the last six hours."""

    async def shown() -> Shown:
        asked = Asked(url, job)
        try:
            return await asked.shown(HOURS, ("team",))
        finally:
            await asked.close()

    return asyncio.run(shown())


def test_lines_and_amounts_come_from_it(history: Prometheus) -> None:
    """Each measure that is recorded has a line, quantiles and amounts, all of the same times."""
    shown = ask(history.address)
    assert shown.problem == ""
    assert history.address in shown.source
    assert set(shown.quantiles["http_request_duration_seconds"]) == {"p50", "p95", "p99"}
    assert {"requests", "cost", "cost_by_intent", "cost_by_team", "tokens", "selections", "flushes"} <= set(shown.lines)
    assert all(len(line) == len(shown.times) for lines in shown.lines.values() for line in lines.values())
    asked = history.number("sum(increase(http_requests_total[6h]))")
    assert sum(shown.amounts["requests"].values()) == pytest.approx(asked, rel=0.2)
    cost = history.number("sum(increase(openai_total_cost_usd_total[6h]))") or 0.0
    assert sum(shown.amounts["cost"].values()) == pytest.approx(cost * 1e9, rel=0.2)
    assert set(shown.amounts["cost_by_team"]) == {"search", "[ads] <b>&amp;"}


def test_the_total_of_a_time_is_the_first_that_is_known(history: Prometheus) -> None:
    """Of an hour of which it has some seconds, it says when these began, and the very total of then."""

    async def total_at() -> tuple[int, float] | None:
        asked = Asked(history.address)
        try:
            scrapes = await asked.scrapes()
            assert (scrapes["scraped"], scrapes["up"], scrapes["copies"]) == (1, 1, 1)
            return await asked.total_at(time.time() - 3600)
        finally:
            await asked.close()

    found = asyncio.run(total_at())
    assert found is not None
    total, at = found
    assert time.time() - 300 < at <= time.time()
    assert total == round((history.number(f"sum(openai_total_cost_usd_total @ {at:.3f})") or 0.0) * 1e9) > 0


@pytest.mark.parametrize(("job", "words"), [("", "no series fleetmeter_up"), ("mine", "has no numbers of the fleet")])
def test_a_prometheus_that_knows_no_fleet(job: str, words: str, binary: Callable[[str], str]) -> None:
    """It scrapes something else, or another job: both are said, with what to do for the first."""
    with Prometheus(binary("prometheus"), f"127.0.0.1:{free_port()}") as prometheus:
        shown = ask(prometheus.address, job)
        assert words in shown.problem
        assert (shown.times, shown.amounts.get("cost", {})) == ([], {})


def test_what_is_no_prometheus_is_named() -> None:
    """Nobody listens, or something else answers: the problem names the place, and no secret."""
    nobody = ask(f"http://ann:hunter2@127.0.0.1:{free_port()}")
    assert "cannot be asked" in nobody.problem
    assert "hunter2" not in nobody.problem + nobody.source

    async def page(scope: Message, _receive: Receive, send: Send) -> None:
        await respond(scope, send, Response(200, b"hi"))

    with serving(page) as running:
        place = "http://{}:{}".format(*running.address)
        assert httpx.get(place).text == "hi"
        assert ask(place).problem == f"{place} answers with status 200 and no JSON; is it a Prometheus?"


@pytest.mark.parametrize(
    "answer",
    [
        b'{"status":"success"}', b'{"status":"success","data":null}', b'{"status":"success","data":{"result":{}}}',
        b'{"status":"success","data":{"result":[1]}}', b'{"status":"success","data":{"result":[{"metric":{}}]}}', b"[]",
        b'{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}',
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_a_problem_in_words(answer: bytes) -> None:
    """Whatever JSON comes, it is said that this is no list of series, and nothing else is raised."""

    async def other(_scope: Message, _receive: Receive, send: Send) -> None:
        await respond(_scope, send, Response(200, answer))

    with serving(other) as running:
        shown = ask("http://{}:{}".format(*running.address))
    assert "is it a Prometheus?" in shown.problem or "refuses a query" in shown.problem


def test_errors_are_the_librarys() -> None:
    """A query that cannot be asked raises, so that the board can say it."""

    async def scrapes() -> dict[str, float]:
        return await Asked(f"http://127.0.0.1:{free_port()}").scrapes()

    with pytest.raises(PrometheusError, match="cannot be asked"):
        asyncio.run(scrapes())
