"""The program `fleetmeter-exporter`: puts the exporter together from its settings, and serves it."""

import logging
import os
import signal
import sys
from typing import NoReturn

import fleetmeter
from fleetmeter.errors import SettingError
from fleetmeter.escaping import printable
from fleetmeter.schema.rows import HEARTBEAT
from fleetmeter.settings import without_password
from fleetmeter_exporter.asgi import MetricsApp
from fleetmeter_exporter.http.gate import Gate
from fleetmeter_exporter.http.limits import Limits
from fleetmeter_exporter.http.listeners import listen, place
from fleetmeter_exporter.http.server import Server
from fleetmeter_exporter.http.web_config import WebConfig
from fleetmeter_exporter.http.web_file import WebFile
from fleetmeter_exporter.logs import configure, fields
from fleetmeter_exporter.memory import Shrinking, tune
from fleetmeter_exporter.redaction import redacted
from fleetmeter_exporter.scraper import Scraper
from fleetmeter_exporter.settings import ExporterSettings

log = logging.getLogger("fleetmeter.exporter")


def main() -> None:
    """Run until SIGINT or SIGTERM. The exit status is 2 if a setting cannot be used, 1 if an address cannot."""
    try:
        settings = ExporterSettings.parse(sys.argv[1:], os.environ)
        web = WebFile(settings.web_config_file).current if settings.web_config_file else WebConfig
    except SettingError as error:
        sys.exit(_refuse(str(error), 2))
    configure(settings.log_level, settings.log_format)
    tune()
    scraper = Scraper.of(
        settings.url, settings.namespaces, settings.hold, created=settings.openmetrics_created, told=Shrinking()
    )
    app = MetricsApp(scraper, settings.telemetry_path, HEARTBEAT, settings.unavailable_status)
    try:
        listeners = listen(settings.addresses)
    except OSError as error:
        sys.exit(_refuse(f"--web.listen-address: cannot listen on {error.filename}: {error.strerror}", 1))
    scheme = "https" if web().tls else "http"
    log.info(
        "serving",
        extra=fields(
            version=fleetmeter.__version__,
            namespaces=settings.namespaces,
            store=without_password(settings.url),
            addresses=[f"{scheme}://{place(listener)}{settings.telemetry_path}" for listener in listeners],
        ),
    )
    for ending in (signal.SIGTERM, signal.SIGINT):  # until the server takes over
        signal.signal(ending, lambda number, _: _stopped(signal.Signals(number)))
    _stopped(Server(Gate(app, web), Limits.of_process(), lambda: web().tls).run(listeners))


def _stopped(ending: signal.Signals) -> NoReturn:
    log.info("stopped", extra=fields(signal=ending.name))
    sys.exit(0)


def _refuse(message: str, status: int) -> int:
    print(f"fleetmeter-exporter: {printable(redacted(message))}", file=sys.stderr)  # noqa: T201  a program's last word
    return status


if __name__ == "__main__":
    main()
