"""The exporter's settings: flags as Prometheus exporters have them, each with an environment twin."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import fleetmeter
from fleetmeter.continuity import HOLD
from fleetmeter.credentials import VARIABLES
from fleetmeter.errors import SettingError
from fleetmeter.settings import DEFAULT_URL, Settings, parse_seconds

DEFAULT_ADDRESS = ":9847"
LEVELS = ("debug", "info", "warning", "error")

_FLAGS = {
    "redis.url": ("URL", "where the fleet's numbers are kept", None),
    "namespace": ("NAME", "the fleet to serve", None),
    "web.listen-address": ("[HOST]:PORT", "address to listen on; an empty host means every interface", DEFAULT_ADDRESS),
    "web.telemetry-path": ("PATH", "where the exposition is served", "/metrics"),
    "hold": ("SECONDS", "how long to show the last good snapshot while replicas send again what a store lost", HOLD),
    "log.level": ("LEVEL", f"one of {', '.join(LEVELS)}", "info"),
}
_FALLBACK_VARIABLES = {"redis.url": "FLEETMETER_REDIS_URL", "namespace": "FLEETMETER_NAMESPACE"}


def variable(flag: str) -> str:
    """The environment twin of a flag."""
    return "FLEETMETER_EXPORTER_" + flag.upper().replace(".", "_").replace("-", "_")


@dataclass(frozen=True)
class ExporterSettings:
    """What to serve, and where. `port` 0 takes a free one; an empty `host` means every interface."""

    url: str = field(default=DEFAULT_URL, repr=False)
    namespace: str = "default"
    host: str = ""
    port: int = 9847
    telemetry_path: str = "/metrics"
    hold: float = HOLD
    log_level: str = "info"

    @classmethod
    def parse(cls, arguments: Sequence[str], environ: Mapping[str, str]) -> Self:
        """Flags, then their environment twins, then the library's variables, then defaults.

        Raises `SettingError`, naming the flag or the variable. `--help`, `--version` and unknown flags end the program.
        """
        parser = argparse.ArgumentParser(
            prog="fleetmeter-exporter",
            description="Serves the fleet's metrics from Redis to Prometheus.",
            epilog=f"Also read, for a URL without a password: {', '.join(VARIABLES)}.",
        )
        for flag, (metavar, text, default) in _FLAGS.items():
            shown = f"{text} ({variable(flag)}; default {default or 'the library setting'})"
            parser.add_argument(f"--{flag}", dest=flag, metavar=metavar, help=shown)
        parser.add_argument("--version", action="version", version=f"%(prog)s {fleetmeter.__version__}")
        given = vars(parser.parse_args(arguments))

        def pick(flag: str) -> tuple[str, str]:
            for name, value in (
                (f"--{flag}", given[flag]),
                (variable(flag), environ.get(variable(flag))),
                (_FALLBACK_VARIABLES.get(flag, ""), environ.get(_FALLBACK_VARIABLES.get(flag, ""))),
            ):
                if value:
                    return name, value
            return f"--{flag}", str(_FLAGS[flag][2] or "")

        names = {"url": pick("redis.url"), "namespace": pick("namespace")}
        try:
            login = {name: environ[name] for name in VARIABLES if name in environ}
            store = Settings.from_env(login, **{name: value or None for name, (_, value) in names.items()})  # type: ignore[arg-type]
        except SettingError as error:
            raise SettingError(names.get(error.setting, (error.setting,))[0], error.problem) from None
        host, port = _parse_address(*pick("web.listen-address"))
        path_name, path = pick("web.telemetry-path")
        if not path.startswith("/") or path.startswith("/-/") or path == "/":
            raise SettingError(path_name, f"{path!r} is no path for metrics; expected one such as '/metrics'")
        level_name, level = pick("log.level")
        if level not in LEVELS:
            raise SettingError(level_name, f"{level!r} is no level; expected one of {', '.join(LEVELS)}")
        return cls(store.url, store.namespace, host, port, path, parse_seconds(*pick("hold")), level)


def _parse_address(name: str, address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise SettingError(name, f"{address!r} is no address; expected HOST:PORT, :PORT or [IPV6]:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
