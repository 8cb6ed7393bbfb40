"""A board goes on looking, whatever a Prometheus does, and shows no money that it no longer knows."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

from fleetmeter.settings import Settings
from fleetmeter.watching.periods import Spent, day_start, month_start
from fleetmeter.watching.target import Target
from fleetmeter_board.lookout import Lookout
from fleetmeter_board.parts import tiles
from fleetmeter_board.prometheus import Prometheus
from support.processes import environment
from support.sightings import sample, sighting
from support.store import StoreAddress

FAULT = """
import sys
from fleetmeter.cli.command import main
from fleetmeter_board.lookout import Lookout

async def keep_looking(self):
    raise RuntimeError("a fault of the board's own")

Lookout.keep_looking = keep_looking
sys.exit(main(["board", "--web.listen-address", "127.0.0.1:0"]))
"""
COST = sample("openai_total_cost_usd_total", model="m")
WEEK = 7 * 86_400.0


@contextmanager
def knowing(copies: list[int]) -> Iterator[str]:
    """Answers each query as a Prometheus would that knew a total of 7 dollars; without copies, it fails."""

    class Answers(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            number = str(copies[0]) if asked["query"][0].startswith("count(fleetmeter_up") else "7"
            pair = [float(asked.get("start", ["0"])[0]), number]
            found = [{"metric": {"job": "fleet"}, "value": pair, "values": [pair]}]
            body = json.dumps({"status": "success", "data": {"result": found}} if copies[0] else {}).encode()
            self.send_response(200 if copies[0] else 500)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@asynccontextmanager
async def looking(store: StoreAddress, place: str) -> AsyncIterator[Lookout]:
    """A lookout that looks ten times a second, and asks this Prometheus."""
    lookout = Lookout(Target(Settings(store.url, store.namespace)), 0.1, Prometheus(place))
    task = asyncio.create_task(lookout.keep_looking())
    try:
        yield lookout
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await lookout.close()


async def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def test_a_prometheus_that_does_not_answer_holds_up_nothing(store: StoreAddress) -> None:
    """The store is looked at as before, and a page gets an answer in words before the Prometheus has given its own."""

    async def run(place: str) -> None:
        async with looking(store, place) as lookout:
            await until(lambda: lookout.looks >= 10)
            assert lookout.prometheus_problem == ""  # its first answer is still awaited
            assert (await lookout.shown(WEEK)).problem == f"{place} has not answered yet"

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(run("http://{}:{}".format(*silent.getsockname())))


def test_money_of_a_prometheus_is_shown_only_while_it_is_known(store: StoreAddress) -> None:
    """No total of two copies, or of a day that is over, is used; a Prometheus that fails leaves what it has said."""
    copies = [1]
    noon = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
    birth = (noon - timedelta(days=400)).timestamp()

    def spent(lookout: Lookout) -> list[Spent | None]:
        return [lookout.spent(period) for period in ("today", "month")]

    async def run(place: str) -> None:
        prometheus = Prometheus(place)
        lookout = Lookout(Target(Settings(store.url, store.namespace)), 0.1, prometheus)
        lookout.overview.take(sighting(noon.timestamp(), {COST: 100.0}, birth=birth))
        own: list[Spent | None] = [Spent(0, noon.timestamp(), whole=False)] * 2
        starts = [day_start(noon).timestamp(), month_start(noon).timestamp()]
        asked: list[Spent | None] = [Spent(93_000_000_000, start, whole=True) for start in starts]
        for copies[0], expected in ((1, asked), (2, own), (0, own), (1, asked), (0, asked)):
            await lookout._ask(prometheus)
            assert spent(lookout) == expected
        later = (noon + timedelta(days=40)).timestamp()
        lookout.overview.take(sighting(later, {COST: 150.0}, birth=birth))
        assert spent(lookout) == [Spent(0, later, whole=False)] * 2
        await lookout.close()

    with knowing(copies) as place:
        asyncio.run(run(place))


def test_a_board_that_can_look_no_more_ends_and_says_so(store: StoreAddress) -> None:
    """A fault of its own ends it with status 1, so that whoever watches over it starts it again."""
    program = [sys.executable, "-c", FAULT]
    done = subprocess.run(program, check=False, env=environment(store), capture_output=True, text=True)
    assert done.returncode == 1
    assert "the board can look no more" in done.stderr


def test_a_mean_over_more_than_a_minute_is_not_called_a_minutes(store: StoreAddress) -> None:
    """After a while without the store, the tiles say over how long their mean is."""
    requests = sample("http_requests_total", status="200")

    def said(*seconds: float) -> str:
        lookout = Lookout(Target(Settings(store.url, store.namespace)), 2.0)
        for at in seconds:
            lookout.overview.take(sighting(1_790_000_000.0 + at, {requests: at, COST: at}))
        lookout.overview.close()
        return tiles(lookout)

    assert "at the pace of the last minute" in said(*range(0, 121, 2))
    assert "at the pace of the last 10 s" in said(*range(0, 11, 2))
    assert "at the pace of the last 10 min" in said(0, 600)
