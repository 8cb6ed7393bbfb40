"""The demo's settings, from its environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from fleetmeter_app.demo.errors import DemoSettingError

REPLICAS = 3
"""Gateway replicas: enough to show a sum, to be asked in turn, and to go on without one."""

_RATE = 20.0
_RATE_THAT_COSTS = 0.5
_FASTEST = 200.0
_FASTEST_ALERTS = 30.0
"""With this speed the shortest window is 8 s. It must contain a heartbeat, and these come every 5 s."""

_LONGEST_SECONDS = 7 * 86_400.0
_OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True)
class DemoSettings:
    """The settings of a demo. A port of None means any free one.

    `seconds` is how long the load lasts; None means until Ctrl-C. `rate` is in questions per second. With
    `openai_api_key` the models behind `openai_base_url` answer, and cost money. Without it the demo starts its own
    upstream. `alert_speed` divides the windows and waits of all alerts. Alerts are sent to the URL `alert_webhook`.
    """

    seconds: float | None = None
    rate: float = _RATE
    gateway_ports: tuple[int | None, ...] = (None,) * REPLICAS
    exporter_port: int | None = None
    prometheus_port: int | None = None
    alertmanager_port: int | None = None
    board_port: int | None = None
    alert_speed: float = 1.0
    alert_webhook: str | None = field(default=None, repr=False)
    openai_api_key: str | None = field(default=None, repr=False)
    openai_base_url: str = _OPENAI

    @property
    def costs_money(self) -> bool:
        """Whether real models answer."""
        return self.openai_api_key is not None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """From DEMO_SECONDS, DEMO_RATE, DEMO_…_PORT(S), DEMO_ALERT_…, OPENAI_API_KEY and OPENAI_BASE_URL.

        An empty variable counts as not set. Raises `DemoSettingError`.
        """
        key = environ.get("OPENAI_API_KEY") or None
        default_rate = _RATE if key is None else _RATE_THAT_COSTS
        return cls(
            seconds=_number(environ, "DEMO_SECONDS", _LONGEST_SECONDS, "seconds"),
            rate=_number(environ, "DEMO_RATE", _FASTEST, "questions per second") or default_rate,
            gateway_ports=_gateway_ports(environ),
            exporter_port=_port(environ, "DEMO_EXPORTER_PORT"),
            prometheus_port=_port(environ, "DEMO_PROMETHEUS_PORT"),
            alertmanager_port=_port(environ, "DEMO_ALERTMANAGER_PORT"),
            board_port=_port(environ, "DEMO_BOARD_PORT"),
            alert_speed=_number(environ, "DEMO_ALERT_SPEED", _FASTEST_ALERTS, "a divisor") or 1.0,
            alert_webhook=_webhook(environ, "DEMO_ALERT_WEBHOOK"),
            openai_api_key=key,
            openai_base_url=environ.get("OPENAI_BASE_URL") or _OPENAI,
        )

    def asked_ports(self) -> dict[int, str]:
        """Each given port, with the variable that gave it."""
        asked = [("DEMO_GATEWAY_PORTS", port) for port in self.gateway_ports]
        asked += [
            ("DEMO_EXPORTER_PORT", self.exporter_port),
            ("DEMO_PROMETHEUS_PORT", self.prometheus_port),
            ("DEMO_ALERTMANAGER_PORT", self.alertmanager_port),
            ("DEMO_BOARD_PORT", self.board_port),
        ]
        ports: dict[int, str] = {}
        for variable, port in asked:
            if port is None:
                continue
            if port in ports:
                raise DemoSettingError(variable, str(port), f"another port than {ports[port]} names")
            ports[port] = variable
        return ports


def _number(environ: Mapping[str, str], variable: str, most: float, unit: str) -> float | None:
    text = environ.get(variable)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= most:
        raise DemoSettingError(variable, text, f"{unit}, above 0 and up to {most:,.0f}")
    return number


def _webhook(environ: Mapping[str, str], variable: str) -> str | None:
    url = environ.get(variable)
    if url and not re.fullmatch(r"https?://[^\s'\"]+", url):
        raise DemoSettingError(variable, "…", "a URL such as http://127.0.0.1:9095/alerts")
    return url or None


def _port(environ: Mapping[str, str], variable: str) -> int | None:
    text = environ.get(variable)
    return _parse_port(variable, text, text) if text else None


def _gateway_ports(environ: Mapping[str, str]) -> tuple[int | None, ...]:
    text = environ.get("DEMO_GATEWAY_PORTS")
    if not text:
        return (None,) * REPLICAS
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != REPLICAS:
        raise DemoSettingError("DEMO_GATEWAY_PORTS", text, f"{REPLICAS} ports, such as 8001,8002,8003")
    return tuple(_parse_port("DEMO_GATEWAY_PORTS", part, text) for part in parts)


def _parse_port(variable: str, part: str, text: str) -> int:
    if not (part.isascii() and part.isdecimal() and 1 <= int(part) <= 65_535):
        raise DemoSettingError(variable, text, "a port from 1 to 65535; leave it empty for any free one")
    return int(part)
