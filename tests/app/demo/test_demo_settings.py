"""The demo's settings: what the environment may say, and what it may not."""

import socket
from pathlib import Path

import pytest

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.demo.errors import DemoError, DemoSettingError
from fleetmeter_app.demo.fleet import plan
from fleetmeter_app.demo.gateway_toml import EMBEDDING, RESEARCH, UNSTABLE
from fleetmeter_app.demo.ports import require_free, with_free_ports
from fleetmeter_app.demo.prometheus import TEMPLATE, configuration, reason_to_leave_out
from fleetmeter_app.demo.settings import DemoSettings
from fleetmeter_app.demo.teams import TEAMS
from fleetmeter_app.demo.traffic.mix import Mix
from fleetmeter_app.demo.traffic.questions import Question
from fleetmeter_app.demo.traffic.sdk_questions import Kind, SdkQuestion
from fleetmeter_app.upstream.config import UpstreamConfig


def test_defaults() -> None:
    """Without any variable: until Ctrl-C, on free ports, with the demo's own upstream."""
    settings = DemoSettings.from_env({"DEMO_SECONDS": "", "OPENAI_API_KEY": ""})
    assert settings == DemoSettings()
    assert (settings.seconds, settings.rate, settings.costs_money) == (None, 20.0, False)
    assert settings.asked_ports() == {}


def test_everything_can_be_said() -> None:
    """Each variable reaches its setting."""
    settings = DemoSettings.from_env(
        {
            "DEMO_SECONDS": "1.5", "DEMO_RATE": "3", "DEMO_GATEWAY_PORTS": "8001, 8002,8003",
            "DEMO_EXPORTER_PORT": "9847", "DEMO_PROMETHEUS_PORT": "9090", "DEMO_ALERTMANAGER_PORT": "9093",
            "DEMO_BOARD_PORT": "9848", "DEMO_ALERT_SPEED": "30", "DEMO_ALERT_WEBHOOK": "http://127.0.0.1:9095/x",
        }
    )  # fmt: skip
    assert (settings.seconds, settings.rate) == (1.5, 3.0)
    assert (settings.alert_speed, settings.alert_webhook) == (30.0, "http://127.0.0.1:9095/x")
    gateways = dict.fromkeys((8001, 8002, 8003), "DEMO_GATEWAY_PORTS")
    assert settings.asked_ports() == {
        **gateways, 9847: "DEMO_EXPORTER_PORT", 9090: "DEMO_PROMETHEUS_PORT", 9093: "DEMO_ALERTMANAGER_PORT",
        9848: "DEMO_BOARD_PORT",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DEMO_SECONDS", "abc"), ("DEMO_SECONDS", "0"), ("DEMO_SECONDS", "-1"), ("DEMO_SECONDS", "nan"),
        ("DEMO_SECONDS", "inf"), ("DEMO_RATE", "0"), ("DEMO_RATE", "1000"), ("DEMO_GATEWAY_PORTS", "8001"),
        ("DEMO_GATEWAY_PORTS", "8001,8002,x"), ("DEMO_GATEWAY_PORTS", "8001,8002,0"), ("DEMO_EXPORTER_PORT", "65536"),
        ("DEMO_PROMETHEUS_PORT", "²"), ("DEMO_ALERTMANAGER_PORT", "0"), ("DEMO_ALERT_SPEED", "31"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(variable: str, value: str) -> None:
    """What cannot be used is refused by the variable's name, with what was expected."""
    with pytest.raises(DemoSettingError, match=f"^{variable}=.*{value}.*; expected "):
        DemoSettings.from_env({variable: value})


def test_a_webhook_that_is_no_address_is_refused_without_being_shown() -> None:
    """An address of a webhook may hold a secret: the refusal names the variable and not the value."""
    with pytest.raises(DemoSettingError, match=r"^DEMO_ALERT_WEBHOOK=.* expected a URL") as caught:
        DemoSettings.from_env({"DEMO_ALERT_WEBHOOK": "secret"})
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(DemoSettings.from_env({"DEMO_ALERT_WEBHOOK": "http://x/secret"}))


def test_one_port_for_two_programs_is_refused() -> None:
    """The second variable that names a port is told which one named it before."""
    settings = DemoSettings.from_env({"DEMO_GATEWAY_PORTS": "1,2,3", "DEMO_EXPORTER_PORT": "2"})
    with pytest.raises(DemoSettingError, match=r"DEMO_EXPORTER_PORT='2'.*DEMO_GATEWAY_PORTS"):
        settings.asked_ports()


def test_ports() -> None:
    """Ports that were asked for stay, free ones are all different, a taken one is refused by name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        with pytest.raises(DemoError, match=f"^DEMO_X: cannot listen on 127.0.0.1:{taken}: "):
            require_free({taken: "DEMO_X"})
    ports = with_free_ports([None, 8001, *[None] * 20])
    assert ports[1] == 8001
    assert len(set(ports)) == len(ports)
    require_free(dict.fromkeys(ports[2:], "free"))


def test_real_models(tmp_path: Path) -> None:
    """With a key real models answer: a low rate, no upstream of ours, the key for the replicas and for nobody else."""
    environ = {
        "PATH": "/nowhere", "OPENAI_API_KEY": "sk-secret", "OPENAI_BASE_URL": "https://models.example/v1",
        "HTTPS_PROXY": "http://proxy", "AWS_SECRET_ACCESS_KEY": "other",
    }  # fmt: skip
    settings = DemoSettings.from_env(environ)
    assert (settings.costs_money, settings.rate) == (True, 0.5)
    assert "sk-secret" not in repr(settings)
    fleet = plan(settings, environ, tmp_path, "unix:///s")
    assert fleet.upstream is None
    assert "sk-secret" not in repr(fleet)
    environs = {program.name: program.environ for program in fleet.programs}
    assert list(environs) == ["gateway-1", "gateway-2", "gateway-3", "exporter", "board"]
    assert environs["exporter"] == {
        "PATH": "/nowhere", "FLEETMETER_REDIS_URL": "unix:///s", "FLEETMETER_NAMESPACE": "demo",
    }  # fmt: skip
    assert environs["gateway-2"] == {
        **environs["exporter"],
        "FLEETMETER_REPLICA": "gateway-2", "OPENAI_API_KEY": "sk-secret",
        "OPENAI_BASE_URL": "https://models.example/v1", "HTTPS_PROXY": "http://proxy",
    }  # fmt: skip


def test_our_own_upstream_never_sees_a_key_or_a_proxy(tmp_path: Path) -> None:
    """Without a key nothing of the user's OpenAI settings and proxies reaches a program."""
    environ = {"PATH": "/nowhere", "OPENAI_BASE_URL": "https://models.example/v1", "HTTPS_PROXY": "http://proxy"}
    fleet = plan(DemoSettings.from_env(environ), environ, tmp_path, "unix:///s")
    for program in fleet.programs:
        assert not {"https://models.example/v1", "http://proxy"} & set(program.environ.values())
    assert fleet.programs[0].environ["OPENAI_BASE_URL"] == f"{fleet.upstream}/v1"


def test_prometheus_configuration_is_aimed_at_the_demo() -> None:
    """The shipped file, with another target and a shorter interval; a file that lacks them is refused."""
    template = (TEMPLATE / "prometheus.yml").read_text()
    aimed = configuration(template, "127.0.0.1:1234", "127.0.0.1:5678")
    assert aimed.count('targets: ["127.0.0.1:1234"]') == aimed.count('targets: ["127.0.0.1:5678"]') == 1
    assert "scrape_interval: 1s" in aimed
    assert "127.0.0.1:9847" not in aimed
    with pytest.raises(DemoError, match=r"127\.0\.0\.1:9847.* 0 times"):
        configuration("scrape_interval: 5s", "127.0.0.1:1234")


def test_without_an_alertmanager_nobody_is_told() -> None:
    """The shipped address is taken out: on this machine another Alertmanager may listen there."""
    aimed = configuration((TEMPLATE / "prometheus.yml").read_text(), "127.0.0.1:1234")
    assert "9093" not in aimed
    assert aimed.count("targets: []") == 1


def test_why_there_is_no_prometheus(tmp_path: Path) -> None:
    """A missing binary is told; the configuration comes with the package."""
    assert "no program 'prometheus'" in (reason_to_leave_out(str(tmp_path)) or "")
    (tmp_path / "prometheus").touch(mode=0o755)
    assert reason_to_leave_out(str(tmp_path)) is None


def test_the_demo_changes_the_packaged_configuration_by_additions_only(tmp_path: Path) -> None:
    """The gateways have every tier and intent of the packaged file, and budgets, tools and a model beside."""
    fleet = plan(DemoSettings(), {"PATH": "/nowhere"}, tmp_path, "unix:///s")
    packaged, config = GatewayConfig.load(), fleet.config
    assert config.tiers == packaged.tiers
    assert dict(config.intents) == {**packaged.intents, RESEARCH: config.intents[RESEARCH]}
    assert [budget.name for budget in config.budgets] == [team.name for team in TEAMS]
    assert config.models.keys() == {*packaged.models, UNSTABLE}
    assert config.tools.ohlcv == tmp_path / "prices"
    gateway = fleet.programs[0]
    assert gateway.command[-2:] == ["--config", str(tmp_path / "gateway.toml")]
    upstream = UpstreamConfig.load(tmp_path / "upstream.toml")
    assert {*(tier.model for tier in config.tiers.values()), UNSTABLE, EMBEDDING} == upstream.models.keys()


def test_the_mix_is_the_same_for_the_same_seed_and_has_every_kind(tmp_path: Path) -> None:
    """Two loads ask the same, and some hundred requests have one of each kind. Real models get plain ones only."""
    config = plan(DemoSettings(), {"PATH": "/nowhere"}, tmp_path, "unix:///s").config
    first, second, real = Mix(config, ours=True), Mix(config, ours=True), Mix(GatewayConfig.load(), ours=False)
    asked = [first.next() for _ in range(600)]
    assert asked == [second.next() for _ in range(600)]
    assert {request.kind for request in asked if isinstance(request, SdkQuestion)} == {*Kind}
    assert {request.team for request in asked} == {team.name for team in TEAMS}
    assert any(b"[[call:" in request.body for request in asked if isinstance(request, Question))
    plain = [real.next() for _ in range(600)]
    assert all(isinstance(request, Question) and b"[[" not in request.body for request in plain)
    assert {request.team for request in plain} == {""}, "without keys, all share the answers in the cache"
