"""`fleetmeter-exporter`: composes the exporter from its settings and serves it."""

import logging
import os
import signal
import socket
import sys

import uvicorn

import fleetmeter
from fleetmeter.errors import SettingError
from fleetmeter.exchange import HEARTBEAT
from fleetmeter.settings import without_password
from fleetmeter_exporter.asgi import make_asgi_app
from fleetmeter_exporter.logs import configure, fields
from fleetmeter_exporter.redaction import redacted
from fleetmeter_exporter.settings import ExporterSettings

log = logging.getLogger("fleetmeter.exporter")


def main() -> None:
    """Run until SIGINT or SIGTERM. Exit status 2 for a setting, 1 for an address, that cannot be used."""
    try:
        settings = ExporterSettings.parse(sys.argv[1:], os.environ)
    except SettingError as error:
        sys.exit(_refuse(str(error), 2))
    configure(settings.log_level, settings.log_format)
    app = make_asgi_app(
        url=settings.url,
        namespace=settings.namespaces,
        telemetry_path=settings.telemetry_path,
        hold=settings.hold,
        start_delay=HEARTBEAT,
        created=settings.openmetrics_created,
    )
    try:
        listener = _listen(settings.host, settings.port)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # the address again
        sys.exit(_refuse(f"--web.listen-address: cannot listen on {settings.host}:{settings.port}: {reason}", 1))
    host, port = listener.getsockname()[:2]
    place = f"[{host}]" if ":" in host else host
    log.info(
        "serving",
        extra=fields(
            version=fleetmeter.__version__,
            namespaces=settings.namespaces,
            store=without_password(settings.url),
            addresses=[f"http://{place}:{port}{settings.telemetry_path}"],
        ),
    )
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn repeats the signal once it has stopped
        signal.signal(ending, _stop)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; an empty host takes every interface, IPv6 too where the system has it."""
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _stop(number: int, _frame: object) -> None:
    log.info("stopped", extra=fields(signal=signal.Signals(number).name))
    sys.exit(0)


def _refuse(message: str, status: int) -> int:
    print(f"fleetmeter-exporter: {redacted(message)}", file=sys.stderr)  # noqa: T201  a program's last word
    return status


if __name__ == "__main__":
    main()
