"""Puts the board together from its settings, and serves it."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import NoReturn

os.environ.pop("NICEGUI_REDIS_URL", None)  # NiceGUI would keep its own state in that store: the board only reads

import uvicorn
from fastapi import FastAPI, Response
from nicegui import ui

import fleetmeter
from fleetmeter.cli.errors import CommandError
from fleetmeter.errors import SettingError
from fleetmeter.settings import without_password
from fleetmeter.watching.target import Target
from fleetmeter_board.gate import SameSite
from fleetmeter_board.lookout import Lookout
from fleetmeter_board.page import Page
from fleetmeter_board.prometheus import Prometheus
from fleetmeter_board.settings import BoardSettings
from fleetmeter_exporter.http.gate import Gate
from fleetmeter_exporter.http.listeners import listen, place
from fleetmeter_exporter.http.web_config import WebConfig
from fleetmeter_exporter.http.web_file import WebFile
from fleetmeter_exporter.logs import configure, fields

log = logging.getLogger("fleetmeter.board")

_LAST_SECONDS = 1
"""Seconds that open requests may take when the board ends."""
_AT_LAST = 1.5
"""Seconds from a signal to the end, whatever still runs."""


def serve(settings: BoardSettings) -> int:
    """Serve until SIGINT or SIGTERM; the exit status. Raises `FleetmeterError` before anything is served."""
    web = WebFile(settings.web_config_file).current if settings.web_config_file else WebConfig
    _require_guarded(settings, web())
    configure(settings.log_level, settings.log_format, "board")
    try:
        listeners = listen(settings.addresses)
    except OSError as error:
        raise CommandError(f"--web.listen-address: cannot listen on {error.filename}: {error.strerror}") from error
    tls = web().tls
    scheme = "https" if tls else "http"
    end = _End()
    application = SameSite(
        Gate(_application(settings, end), web, realm="fleetmeter-board"),
        lambda: settings.only_here and not settings.allow_anyone and not web().users,
    )
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    config.load()
    if tls is not None:
        config.ssl = tls.context
        tls.context.sni_callback = lambda connection, *_: _newest(connection, web)
    log.info(
        "serving",
        extra=fields(
            version=fleetmeter.__version__,
            namespace=settings.store.namespace,
            store=without_password(settings.store.url),
            addresses=[f"{scheme}://{place(listener)}/" for listener in listeners],
        ),
    )
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises what it got again when it has ended
        signal.signal(ending, lambda number, _: end.stopped(signal.Signals(number)))
    _Server(config, end).run(sockets=listeners)
    return 1


class _End:
    """How the board ends: with 0 after a signal from outside, with 1 after a fault of its own."""

    def __init__(self) -> None:
        self._status = 0

    def now(self, ending: signal.Signals) -> NoReturn:
        """End, whatever still runs."""
        log.info("stopped", extra=fields(signal=ending.name))
        os._exit(self._status)

    def stopped(self, ending: signal.Signals) -> NoReturn:
        """End, as nothing runs any more."""
        log.info("stopped", extra=fields(signal=ending.name))
        sys.exit(self._status)

    def if_failed(self, task: "asyncio.Task[None]") -> None:
        """A board that no longer looks would show old numbers for ever: it says why, and ends."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("the board can look no more", exc_info=error)
            self._status = 1
            os.kill(os.getpid(), signal.SIGTERM)


class _Server(uvicorn.Server):
    """Ends soon after it was told to, even while a look at the store hangs. Nothing is lost: the board only reads."""

    def __init__(self, config: uvicorn.Config, end: _End) -> None:
        super().__init__(config)
        self._end = end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        last = threading.Timer(_AT_LAST, self._end.now, (signal.Signals(sig),))
        last.daemon = True
        last.start()
        super().handle_exit(sig, frame)


def _newest(connection: object, web: Callable[[], WebConfig]) -> None:
    """Let a handshake use the certificate that is in force now."""
    tls = web().tls
    if tls is not None:
        connection.context = tls.context  # type: ignore[attr-defined]


def _require_guarded(settings: BoardSettings, web: WebConfig) -> None:
    if web.tls is not None and web.tls.settings.allowed_sans:
        raise SettingError(
            f"{settings.web_config_file}: tls_server_config",
            "the board cannot compare client_allowed_sans; use a client CA of its own, or users",
        )
    if settings.only_here or settings.allow_anyone or web.users:
        return
    address = next(str(one) for one in settings.addresses)
    raise SettingError(
        "--web.listen-address",
        f"{address} can be reached from other machines, and no user is set; expected 127.0.0.1:PORT, or users in "
        "--web.config.file, or --web.allow-anyone if something else guards it",
    )


def _application(settings: BoardSettings, end: _End) -> FastAPI:
    prometheus = None
    if settings.prometheus:
        prometheus = Prometheus(settings.prometheus, settings.prometheus_job, settings.store.namespace)
    lookout = Lookout(Target(settings.store), settings.interval, prometheus)

    @asynccontextmanager
    async def looking(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(lookout.keep_looking())
        task.add_done_callback(end.if_failed)
        try:
            yield
        finally:
            task.cancel()
            await lookout.close()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=looking)

    @app.get("/-/healthy")
    async def healthy() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/-/ready")
    async def ready() -> Response:
        read = lookout.overview.watch.now is not None
        return Response("ready\n" if read else "the store has not been read yet\n", 200 if read else 503)

    @ui.page("/", title=f"Fleetmeter: {settings.store.namespace}")
    async def page() -> None:
        shown = Page(lookout)
        await shown.refresh()
        ui.timer(min(settings.interval, 2.0), shown.refresh, immediate=False)

    ui.run_with(
        app, favicon=_ICON, language="en-US", dark=False, tailwind=False, show_welcome_message=False,
        binding_refresh_interval=None, reconnect_timeout=10.0,
    )  # fmt: skip
    return app


_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1c2026"/>'
    '<path d="M3 11l3-4 3 2 4-6" fill="none" stroke="#73bf69" stroke-width="2"/></svg>'
)
