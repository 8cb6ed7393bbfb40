"""deploy/Dockerfile and deploy/compose.yaml: what can be said of them without a container engine."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleetmeter_app.config.settings import AppSettings
from fleetmeter_exporter.settings import ExporterSettings
from stack.compose import ROOT, load
from stack.dockerfile import FILE, stages
from support.programs import program

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
BIN = Path(sys.executable).parent
PINNED = re.compile(r"[a-z0-9/.-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*")


def run(*command: str | Path) -> str:
    """What a command prints; its complaint is the test's."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_hadolint_has_nothing_to_say() -> None:
    """The Dockerfile keeps the rules of its linter, with no exception."""
    assert run(BIN / "hadolint", FILE) == ""
    assert "hadolint ignore" not in FILE.read_text(encoding="utf-8")


def test_the_images_run_as_nobody() -> None:
    """Both targets have a user by number, entry point, health check and the labels of an image; bases are pinned."""
    for name in ("gateway", "exporter"):
        stage = stages()[name]
        assert stage.user == "10001:10001"
        assert stage.entrypoint == ({"gateway": "fleetmeter-app", "exporter": "fleetmeter-exporter"}[name],)
        assert stage.health[:2] == ("CMD", "python")
        words = ("title", "description", "version", "revision", "licenses")
        assert {f"org.opencontainers.image.{word}" for word in words} <= stage.labels.keys()
    bases = {stage.base for stage in stages().values()} - stages().keys()
    assert bases
    assert all(PINNED.fullmatch(base) for base in bases)


def test_the_images_get_no_compiler_and_no_pip() -> None:
    """Packages come as wheels alone, and no stage installs a package of the system."""
    text = FILE.read_text(encoding="utf-8")
    installs = re.findall(r"pip --python .*?(?=&&|\n\n|\nFROM)", text, re.DOTALL)
    assert len(installs) == 2
    assert all("--only-binary :all:" in install and "constraints.txt" in install for install in installs)
    assert "apt-get" not in text
    assert "pip uninstall --yes pip" in text.partition(" AS runtime")[2]


def test_the_build_sees_the_sources_alone() -> None:
    """The context starts from nothing and adds what the wheel is built of: no secret and no environment gets in."""
    lines = [line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert lines[0] == "*"
    added = {line[1:] for line in lines if line.startswith("!")}
    assert {"pyproject.toml", "constraints.txt", "state", "exporter", "app"} <= added
    assert all((ROOT / name).exists() for name in added)
    assert not added & {"deploy", "deploy/secrets", ".git", ".venv"}


def test_compose_has_the_shape_of_the_specification() -> None:
    """The file fits the JSON schema of the Compose specification."""
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


@pytest.mark.parametrize("name", ["ci", "release"])
def test_workflows_have_the_shape_of_their_host(name: str) -> None:
    """A hosted workflow fits its schema, bounds the time of each job, and takes no right that it does not name."""
    file = ROOT / ".github" / "workflows" / f"{name}.yml"
    for schema in ("vendor.github-workflows", "custom.github-workflows-require-timeout"):
        run(BIN / "check-jsonschema", "--builtin-schema", schema, file)
    assert yaml.safe_load(file.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}


def test_the_release_publishes_what_was_checked() -> None:
    """The workflow uploads what `make release-check` has built for its tag, by trusted publishing, without a token."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))["jobs"]
    assert any("make release-check TAG=" in step.get("run", "") for step in jobs["build"]["steps"])
    assert jobs["pypi"]["needs"] == "build"
    assert jobs["pypi"]["permissions"] == {"id-token": "write"}
    (upload,) = (
        step for step in jobs["pypi"]["steps"] if step.get("uses", "").startswith("pypa/gh-action-pypi-publish")
    )
    assert upload["with"].keys() == {"packages-dir"}


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_each_service_is_shut(name: str) -> None:
    """Pinned, read-only, without rights, bounded, not root, and healthy by a check of its own or of its image."""
    service = COMPOSE["services"][name]
    ours = "build" in service
    assert ours or PINNED.fullmatch(service["image"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["restart"] == "unless-stopped"
    assert ours or "healthcheck" in service
    # The image of HAProxy names a user of its own.
    assert ours or name == "load-balancer" or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])


def test_only_what_is_meant_to_be_reached_is_published() -> None:
    """The load balancer and Grafana have a port, on the loopback; the networks behind them are internal."""
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published.keys() == {"load-balancer", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert internal == {"inside", "store", "metrics"}
    assert COMPOSE["services"]["valkey"]["networks"] == ["store"]
    assert not any(service.get("network_mode") for service in COMPOSE["services"].values())


def test_networks_keep_apart_what_need_not_meet(tmp_path: Path) -> None:
    """Only gateways and exporter reach the store; what shows numbers reaches neither it nor a gateway."""
    services = load({}, tmp_path).services

    def meets(one: str, other: str) -> bool:
        return bool(set(services[one].networks) & set(services[other].networks))

    assert {name for name in services if meets(name, "valkey")} == {"valkey", "gateway", "exporter"}
    assert {name for name in services if meets(name, "gateway")} == {"gateway", "load-balancer", "valkey", "exporter"}


def test_secrets_come_by_file(tmp_path: Path) -> None:
    """No variable holds a secret; each that names a file names one that the service is handed."""
    for service in load({}, tmp_path).services.values():
        handed = {mount.target for mount in service.mounts}
        for name, value in service.environment.items():
            if re.search("PASSWORD|KEY|SECRET|TOKEN", name):
                assert name.endswith("_FILE"), f"{service.name}: {name}"
                assert value in handed
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_programs_take_what_the_services_tell_them(tmp_path: Path) -> None:
    """Our programs' settings accept the environment of their services, and find the secrets in it."""
    run(DEPLOY / "secrets.sh", tmp_path)
    (tmp_path / "openai_api_key").write_text("sk-test\n")
    services = load({}, tmp_path).services
    for name in ("gateway", "exporter"):
        files = {mount.target: str(mount.source) for mount in services[name].mounts}
        environ = {key: files.get(value, value) for key, value in services[name].environment.items()}
        environ |= stages()[name].environment
        if name == "gateway":
            settings = AppSettings.from_env(environ)
            assert (settings.openai_api_key, settings.host) == ("sk-test", "0.0.0.0")
        else:
            assert ExporterSettings.parse([], environ).url == "redis://valkey:6379/0"


def test_secrets_are_made_once_and_fit_the_users(tmp_path: Path) -> None:
    """Passwords stay when the script runs again; the users are those of state/users.acl with the passwords' hashes."""
    run(DEPLOY / "secrets.sh", tmp_path / "secrets")
    before = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    run(DEPLOY / "secrets.sh", tmp_path / "secrets")
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == before
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert len({before[f"{name}_password"] for name in ("writer", "exporter", "grafana")}) == 3
    without = re.sub(r"#[0-9a-f]{64} ", "", before["users.acl"])
    assert without == (ROOT / "state" / "users.acl").read_text(encoding="utf-8")


def test_the_script_is_sound_shell() -> None:
    """Shellcheck has nothing to say of it."""
    run(program("shellcheck"), DEPLOY / "secrets.sh")


def test_the_load_balancer_accepts_its_file() -> None:
    """HAProxy finds nothing to refuse or to warn of."""
    done = subprocess.run(
        [program("haproxy"), "-c", "-f", DEPLOY / "compose" / "haproxy.cfg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[WARNING]" not in done.stderr


def test_prometheus_scrapes_as_the_repository_says(tmp_path: Path) -> None:
    """The fleet's job and the intervals are those of prometheus/prometheus.yml; promtool accepts the file."""
    theirs = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    text = (DEPLOY / "compose" / "prometheus.yml").read_text(encoding="utf-8")
    ours = yaml.safe_load(text)
    assert ours["global"] == theirs["global"]
    (job,) = theirs["scrape_configs"]
    job["static_configs"][0]["targets"] = ["exporter:9847"]
    assert ours["scrape_configs"][0] == job
    (tmp_path / "rules").symlink_to(ROOT / "prometheus" / "rules")
    (tmp_path / "prometheus.yml").write_text(text)
    run(program("promtool"), "check", "config", tmp_path / "prometheus.yml")


def test_the_store_keeps_everything() -> None:
    """An append-only file, no eviction, and users from a file."""
    lines = (DEPLOY / "compose" / "valkey.conf").read_text().splitlines()
    for line in ("appendonly yes", "maxmemory-policy noeviction", "aclfile /run/secrets/users.acl"):
        assert line in lines


def test_the_store_is_new_enough() -> None:
    """The pinned Valkey is one that cannot execute half a script twice after a power cut."""
    version = COMPOSE["services"]["valkey"]["image"].partition(":")[2]
    assert tuple(map(int, version.split("."))) >= (9, 1, 2)
