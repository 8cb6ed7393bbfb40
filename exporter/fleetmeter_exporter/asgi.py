"""The exporter's HTTP interface as a plain ASGI application."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from urllib.parse import parse_qs

from fleetmeter.connection.provider import CredentialProvider
from fleetmeter.errors import FleetmeterError, SettingError
from fleetmeter.keywords import names_its_arguments
from fleetmeter.reader.continuity import HOLD
from fleetmeter_exporter import landing
from fleetmeter_exporter.answers import Answers
from fleetmeter_exporter.exposition.formats import negotiated
from fleetmeter_exporter.http.responses import Message, Receive, Response, Send, accepts_gzip, headers_of, respond
from fleetmeter_exporter.scraper import Scraper
from fleetmeter_exporter.shared import Shared
from fleetmeter_exporter.start import Start

SCRAPE_TIMEOUT = 10.0
"""Seconds for a scrape whose request names no timeout. This is Prometheus' default."""

UNAVAILABLE = (200, 503)
"""The status codes that may be chosen for a scrape while nothing can be read."""

_LONGEST = 3600.0
"""Seconds. A longer timeout in a request is taken for a mistake."""

_OF_TIMEOUT = 0.9
"""The part of the timeout that may be used for reading. The rest is for writing the page and sending it."""


@names_its_arguments
def make_asgi_app(
    *,
    url: str | None = None,
    namespace: str | Iterable[str] | None = None,
    telemetry_path: str | None = None,
    hold: float = HOLD,
    start_delay: float = 0.0,
    created: bool = False,
    credential_provider: CredentialProvider | None = None,
    unavailable_status: int = 200,
) -> "MetricsApp":
    """An ASGI application that serves the fleet's exposition.

    `url` and `namespace` are as for `RedisCollector`. Several namespaces are served on one page, side by side.

    Without `telemetry_path` it answers with the exposition on any path that is routed to it. Put it on a route and not
    on a mount, which would answer `/metrics` with a redirect. With `telemetry_path` it is a whole exporter: that path,
    `/-/healthy`, `/-/ready` and a page for people at `/`.

    `hold` is in seconds; see `RedisCollector`. For up to `start_delay` seconds after the start the exposition is a 503:
    the store may just have lost something that an earlier exporter has served, and replicas need that time to send it
    again (see `Start`). `created` adds `_created` samples. `unavailable_status`, 200 or 503, is the status of an
    exposition for which nothing could be read. Until the first successful read it is always 503, so that nobody takes a
    page without families for a fleet at zero. `credential_provider` is that of `install()`.

    Raises `SettingError` for settings that cannot be used. The store need not be reachable.
    """
    namespaces = [namespace] if isinstance(namespace, str) else namespace or ()
    scraper = Scraper.of(url, namespaces, hold, created=created, credential_provider=credential_provider)
    if unavailable_status not in UNAVAILABLE:
        raise SettingError("unavailable_status", f"{unavailable_status!r} cannot be used; expected 200 or 503")
    return MetricsApp(scraper, telemetry_path, start_delay, unavailable_status)


_Handler = Callable[[Message], Awaitable[Response]]


class MetricsApp:
    """The ASGI application. It is an object, because Starlette's routes would call a function with a Request."""

    def __init__(
        self,
        scraper: Scraper,
        telemetry_path: str | None = None,
        start_delay: float = 0.0,
        unavailable_status: int = 200,
    ) -> None:
        self._answers = Answers(scraper)
        self._unavailable_status = unavailable_status
        self._read_before = False
        self._fleets = scraper.fleets
        self._any_path = telemetry_path is None
        starts = [Start(fleet.glance, start_delay, life=fleet.life) for fleet in scraper.fleets if start_delay]
        self._starts = [(start, Shared(partial(_seconds_left, start))) for start in starts]
        self._routes: dict[str, _Handler] = {
            telemetry_path or "": self._metrics,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
        }
        if telemetry_path is not None:
            names = [fleet.namespace for fleet in scraper.fleets]
            self._page = landing.landing_page(scraper.fleets[0].settings.url, names, telemetry_path)
            self._routes.setdefault("/", self._landing)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the exporter speaks HTTP only, not {scope['type']!r}")
        handler = self._metrics if self._any_path else self._routes.get(scope["path"])
        if handler is None:
            known = ", ".join(self._routes)
            await respond(scope, send, Response(404, f"nothing here; try {known}\n".encode()))
        elif scope["method"] not in ("GET", "HEAD"):
            await respond(scope, send, Response(405, b"use GET or HEAD\n", headers=[(b"allow", b"GET, HEAD")]))
        else:
            await respond(scope, send, await handler(scope))

    async def _metrics(self, scope: Message) -> Response:
        arrived = time.monotonic()
        headers = headers_of(scope)
        limit = _scrape_timeout(headers) * _OF_TIMEOUT
        too_early = await self._too_early(limit / 3)
        if too_early:
            return Response(503, f"{too_early}\n".encode())
        form = negotiated(headers.get(b"accept", b"").decode("latin-1"))
        names = parse_qs(scope["query_string"].decode("latin-1")).get("name[]", [])
        coding = "gzip" if accepts_gzip(headers) else ""
        left = limit - (time.monotonic() - arrived)
        exposed = await self._answers.body(form, frozenset(names), coding, left)
        self._read_before |= exposed.read
        unread = self._unavailable_status if self._read_before else 503
        return Response(200 if exposed.read else unread, exposed.body, form.content_type, coding)

    async def _ready(self, _scope: Message) -> Response:
        """200 if at least one namespace can be scraped, because a broken one must not take the others away."""
        problems = []
        for fleet in self._fleets:
            try:
                await asyncio.to_thread(fleet.glance)
            except FleetmeterError as error:
                problems.append(f"namespace {fleet.namespace!r}: {error}")
        if len(problems) == len(self._fleets):
            return Response(503, f"not ready: {'; '.join(problems)}\n".encode())
        too_early = await self._too_early(SCRAPE_TIMEOUT)
        if too_early:
            return Response(503, f"not ready: {too_early}\n".encode())
        return Response(200, "".join(f"{line}\n" for line in ("ready", *problems)).encode())

    async def _too_early(self, limit: float) -> str:
        """Why nothing may be served yet; empty once something may.

        If the store does not answer within `limit` seconds, this is empty, too: the scrape then shows the trouble.
        """
        asked = [shared.ask() for start, shared in self._starts if not start.over]
        done = (await asyncio.wait(asked, timeout=limit))[0] if asked else set()
        left = [question.result() for question in done]
        if not any(left):
            return ""
        return f"started just now; replicas have {max(left):.1f} s more to send again what the store may have lost"

    async def _healthy(self, _scope: Message) -> Response:
        return Response(200, b"healthy\n")

    async def _landing(self, _scope: Message) -> Response:
        return Response(200, self._page, landing.CONTENT_TYPE, headers=landing.HEADERS)


def _seconds_left(start: Start) -> float:
    try:
        return start.seconds_left()
    except FleetmeterError:
        return 0.0  # the scrape shows that the store cannot be read


def _scrape_timeout(headers: dict[bytes, bytes]) -> float:
    """Seconds that the scraper waits for the answer, as its request says."""
    try:
        seconds = float(headers.get(b"x-prometheus-scrape-timeout-seconds", SCRAPE_TIMEOUT))
    except ValueError:
        return SCRAPE_TIMEOUT
    return seconds if 0 < seconds < _LONGEST else SCRAPE_TIMEOUT


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
