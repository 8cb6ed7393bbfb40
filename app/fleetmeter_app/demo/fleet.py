"""The plan of the demo: command line, environment and address of each program."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.demo import alertmanager, board, prometheus
from fleetmeter_app.demo.gateway_toml import gateway_toml, write_prices
from fleetmeter_app.demo.ports import HOST, with_free_ports
from fleetmeter_app.demo.processes import Program
from fleetmeter_app.demo.settings import REPLICAS, DemoSettings
from fleetmeter_app.upstream.ledger import EMBEDDING_PRICES, PRICES

NAMESPACE = "demo"

_EVERYONE_NEEDS = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH")
_REAL_MODELS_NEED = (
    "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip

_LATENCIES = (0.03, 0.08, 0.15)
"""Seconds that the demo's models take, from the cheapest tier up: slow enough to be seen, and not boring."""

_REPLICAS_END, _READERS_END, _UPSTREAM_ENDS = range(3)


@dataclass(frozen=True)
class DemoFleet:
    """The programs and their URLs, and the gateways' configuration.

    `upstream` is None if real models answer. `no_…` says why a program is left out.
    """

    config: GatewayConfig
    gateways: Mapping[str, str]
    exporter: str
    upstream: str | None
    prometheus: str | None
    no_prometheus: str | None
    alertmanager: str | None
    no_alertmanager: str | None
    board: str | None
    no_board: str | None
    programs: tuple[Program, ...]


def plan(settings: DemoSettings, environ: Mapping[str, str], directory: Path, store_url: str) -> DemoFleet:
    """The programs for these settings. Writes their configuration below `directory`, and starts nothing."""
    asked = (settings.exporter_port, settings.prometheus_port, settings.alertmanager_port, settings.board_port, None)
    ports = with_free_ports([*settings.gateway_ports, *asked])
    exporter_port, prometheus_port, alertmanager_port, board_port, upstream_port = ports[REPLICAS:]
    shared = {name: environ[name] for name in _EVERYONE_NEEDS if name in environ}
    state = {**shared, "FLEETMETER_REDIS_URL": store_url, "FLEETMETER_NAMESPACE": NAMESPACE}
    upstream = None if settings.costs_money else f"http://{HOST}:{upstream_port}"
    gateways = {f"gateway-{number}": f"http://{HOST}:{port}" for number, port in enumerate(ports[:REPLICAS], 1)}
    exporter = f"{HOST}:{exporter_port}"
    models = _models(settings, environ, upstream)
    config_file = None if settings.costs_money else _write_config(directory)
    config = GatewayConfig.load(config_file, environ)
    programs = [_gateway(name, address, {**state, **models}, config_file) for name, address in gateways.items()]
    programs.append(
        Program(
            "exporter",
            _module("fleetmeter_exporter.main", "--web.listen-address", exporter),
            state,
            exporter,
            f"http://{exporter}/-/ready",
            _READERS_END,
        )
    )
    if upstream is not None:
        programs.append(_upstream(upstream_port, shared, directory, config))
    no_prometheus = prometheus.reason_to_leave_out(environ.get("PATH"))
    no_alertmanager = alertmanager.reason_to_leave_out(environ.get("PATH"), no_prometheus)
    speed = settings.alert_speed
    told = None if no_alertmanager else f"{HOST}:{alertmanager_port}"
    if told is not None:
        programs.append(alertmanager.program(directory, told, shared, settings.alert_webhook, speed))
    if no_prometheus is None:
        address = f"{HOST}:{prometheus_port}"
        programs.append(prometheus.program(directory, address, exporter, shared, told, speed))
    no_board = board.reason_to_leave_out()
    if no_board is None:
        history = None if no_prometheus else f"http://{HOST}:{prometheus_port}"
        programs.append(board.program(f"{HOST}:{board_port}", state, history, _READERS_END))
    return DemoFleet(
        config,
        gateways,
        f"http://{exporter}",
        upstream,
        None if no_prometheus else f"http://{HOST}:{prometheus_port}",
        no_prometheus,
        None if told is None else f"http://{told}",
        no_alertmanager,
        None if no_board else f"http://{HOST}:{board_port}",
        no_board,
        tuple(programs),
    )


def _models(settings: DemoSettings, environ: Mapping[str, str], upstream: str | None) -> dict[str, str]:
    """The environment variables that tell a replica which upstream to call."""
    if upstream is not None:
        return {"OPENAI_API_KEY": "demo", "OPENAI_BASE_URL": f"{upstream}/v1"}
    real = {name: environ[name] for name in _REAL_MODELS_NEED if name in environ}
    return {**real, "OPENAI_API_KEY": settings.openai_api_key or "", "OPENAI_BASE_URL": settings.openai_base_url}


def _write_config(directory: Path) -> Path:
    write_prices(directory)
    file = directory / "gateway.toml"
    file.write_text(gateway_toml(), encoding="utf-8")
    return file


def _gateway(name: str, url: str, environ: Mapping[str, str], config: Path | None) -> Program:
    address = url.removeprefix("http://")
    command = _module("fleetmeter_app.main", "--host", HOST, "--port", address.rpartition(":")[2])
    if config is not None:
        command += ["--config", str(config)]
    return Program(name, command, {**environ, "FLEETMETER_REPLICA": name}, address, f"{url}/health", _REPLICAS_END)


def _upstream(port: int, environ: Mapping[str, str], directory: Path, gateway: GatewayConfig) -> Program:
    config = directory / "upstream.toml"
    config.write_text(upstream_config(gateway), encoding="utf-8")
    command = _module("fleetmeter_app.upstream", "--host", HOST, "--port", str(port), "--config", str(config))
    address = f"{HOST}:{port}"
    return Program("upstream", command, environ, address, f"http://{address}/health", _UPSTREAM_ENDS)


def upstream_config(gateway: GatewayConfig) -> str:
    """A TOML text for the upstream: the gateway's models. Those of dearer tiers are slower.

    A model that no tier has is served if its price is listed.
    """
    latencies = {
        tier.model: _LATENCIES[min(place, len(_LATENCIES) - 1)] for place, tier in enumerate(gateway.tiers.values())
    }
    listed = PRICES | EMBEDDING_PRICES
    latencies |= {name: _LATENCIES[0] for name in gateway.models if name in listed and name not in latencies}
    return "\n".join(
        f'[models."{model}"]\nlatency_seconds = {latency}\nlatency_jitter_seconds = {latency}\n'
        for model, latency in latencies.items()
    )


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]
