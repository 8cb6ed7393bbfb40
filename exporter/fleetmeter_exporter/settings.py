"""The exporter's settings, from flags and their environment twins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from fleetmeter.connection.address import is_utf8
from fleetmeter.connection.credentials import VARIABLES
from fleetmeter.errors import SettingError
from fleetmeter.reader.continuity import HOLD
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import DEFAULT_URL, Settings, parse_seconds
from fleetmeter_exporter.flags import LOG_FLAGS, Flag, Given, Parser, log_format, log_level, read
from fleetmeter_exporter.http.listeners import ListenAddress

DEFAULT_ADDRESS = ":9847"

FLAGS = (
    Flag("redis.url", "URL", "the store that has the fleet's numbers", DEFAULT_URL, fallback="FLEETMETER_REDIS_URL"),
    Flag("namespace", "NAME", "the fleet to serve", "default", "list", "FLEETMETER_NAMESPACE"),
    Flag(
        "web.listen-address",
        "[HOST]:PORT",
        "address to listen on; an empty host means every interface",
        DEFAULT_ADDRESS,
        "list",
    ),
    Flag("web.config.file", "FILE", "TLS, users and headers in exporter-toolkit's format; read again when it changes"),
    Flag("web.telemetry-path", "PATH", "path of the exposition", "/metrics"),
    Flag(
        "web.unavailable-status",
        "STATUS",
        "status of a scrape while nothing can be read, 200 or 503; always 503 until the first successful read",
        "200",
    ),
    Flag(
        "hold",
        "SECONDS",
        "how long the last good snapshot is shown while replicas send again what the store lost",
        str(HOLD),
    ),
    Flag("openmetrics.created", "", "show when each series began, in OpenMetrics", "false", "switch"),
    *LOG_FLAGS,
)


@dataclass(frozen=True)
class ExporterSettings:
    """The settings of the exporter. Without a `web_config_file` it serves plain HTTP, without passwords."""

    url: str = field(default=DEFAULT_URL, repr=False)
    namespaces: tuple[str, ...] = ("default",)
    addresses: tuple[ListenAddress, ...] = (ListenAddress("", 9847),)
    web_config_file: str = ""
    telemetry_path: str = "/metrics"
    unavailable_status: int = 200
    hold: float = HOLD
    openmetrics_created: bool = False
    log_level: str = "info"
    log_format: str = "logfmt"

    @classmethod
    def parse(cls, arguments: Sequence[str], environ: Mapping[str, str]) -> Self:
        """From flags, then their environment twins, then the library's variables, then defaults.

        Raises `SettingError`, which names the flag or the variable. `--help`, `--version` and unknown flags end the
        program.
        """
        parser = Parser(
            "fleetmeter-exporter",
            "Serves the fleet's metrics from Redis to Prometheus.",
            f"Also read, for a URL without a password: {', '.join(VARIABLES)}.",
        )
        given = read(FLAGS, parser, arguments, environ)
        listen = given["web.listen-address"]
        return cls(
            url=_parse_url(*given["redis.url"].one, environ),
            namespaces=_parse_namespaces(given["namespace"]),
            addresses=tuple(ListenAddress.parse(listen.source, text) for text in listen.values),
            web_config_file=given["web.config.file"].one[1],
            telemetry_path=_parse_path(*given["web.telemetry-path"].one),
            unavailable_status=int(given["web.unavailable-status"].choice(("200", "503"), "status")),
            hold=parse_seconds(*given["hold"].one),
            openmetrics_created=given["openmetrics.created"].on,
            log_level=log_level(given),
            log_format=log_format(given),
        )


def _parse_url(name: str, url: str, environ: Mapping[str, str]) -> str:
    """A store's URL, checked together with user and password from the environment."""
    login = {variable: environ[variable] for variable in VARIABLES if variable in environ}
    try:
        return Settings.from_env(login, url=url).url
    except SettingError as error:
        raise SettingError(name if error.setting == "url" else error.setting, error.problem) from None


def _parse_namespaces(given: Given) -> tuple[str, ...]:
    """The names of namespaces, each once. A name has no comma, as commas stand between names in the environment."""
    for name in given.values:
        try:
            Keys(name)
        except SettingError as error:
            more = "; repeat the flag for several" if "," in name and given.source.startswith("--") else ""
            raise SettingError(given.source, error.problem + more) from None
    twice = sorted({name for name in given.values if given.values.count(name) > 1})
    if twice:
        raise SettingError(given.source, f"{', '.join(map(repr, twice))} is given more than once; name each once")
    return given.values


def _parse_path(name: str, path: str) -> str:
    if not path.startswith("/") or path.startswith("/-/") or path == "/" or not is_utf8(path):
        raise SettingError(name, f"{path!r} is no path for metrics; expected one such as '/metrics'")
    return path
