"""The exporter as a program: how it starts, what it refuses, how it ends."""

import json
import re
import signal
import socket
import ssl
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

import fleetmeter
from fleetmeter.schema.definition import Definition
from support.gateway import EXPORTER, Programs, eventually
from support.scraping import FixedState
from support.store import StoreAddress
from support.tls import Authority


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_serves_until_it_is_told_to_end(store: StoreAddress, ending: signal.Signals) -> None:
    """It logs one line when it serves and one when it ends, with status 0; in between it serves its own path."""
    with FixedState(store) as fixed, Programs() as programs:
        fixed.family(Definition.of("requests", "counter", "Requests.", "", [], [], ""), {(): 7})
        program = programs.exporter(store, "--web.telemetry-path", "/fleet")
        assert "requests_total 7\n" in program.get("/fleet").text
        assert program.get("/metrics").status_code == 404
        assert program.get("/-/healthy").text == "healthy\n"
        assert program.get("/-/ready").text == "ready\n"
        (line,) = program.output().splitlines()
        assert line.endswith(
            f" level=info logger=fleetmeter.exporter msg=serving version={fleetmeter.__version__} "
            f"namespaces={store.namespace} store={store.url} addresses={program.address()}/fleet"
        )
        with httpx.Client() as idle:  # a connection that is kept alive does not hold it up
            idle.get(program.address() + "/fleet")
            program.process.send_signal(ending)
            assert program.process.wait(15) == 0
        (_, last) = program.output().splitlines()
        assert last.endswith(f" level=info logger=fleetmeter.exporter msg=stopped signal={ending.name}")


@pytest.mark.parametrize(
    ("arguments", "environ", "status", "line"),
    [
        (["--web.port=1"], {}, 2, "unrecognized arguments: --web.port=1"),
        (["--redis.url=nowhere"], {}, 2, "fleetmeter-exporter: --redis.url: there is no scheme"),
        (
            [],
            {"FLEETMETER_EXPORTER_REDIS_URL": "redis://u:very-secret@h:port/0"},
            2,
            "fleetmeter-exporter: FLEETMETER_EXPORTER_REDIS_URL: ",
        ),
        (
            [],
            {"FLEETMETER_REDIS_URL": "redis://:very-secret@h/0?x=1"},
            2,
            "fleetmeter-exporter: FLEETMETER_REDIS_URL: ",
        ),
        (
            ["--redis.uri=redis://u:very-secret@h"],
            {},
            2,
            "unrecognized arguments: --redis.uri=redis://***@h (did you mean --redis.url?)",
        ),
        (["--redis.url=redis://h/x"], {}, 2, "unix:///path/to/socket?db=0, redis+sentinel://host:port"),
        (["--hold=redis://u:very-secret@h"], {}, 2, "fleetmeter-exporter: --hold: 'redis://***@h' is no duration"),
        (["--web.listen-address=here"], {}, 2, "fleetmeter-exporter: --web.listen-address: 'here' is no address"),
        (
            ["--web.listen-address=:98470"],
            {},
            2,
            "':98470' is no address; expected HOST:PORT, :PORT or [IPV6]:PORT, and a port up to 65535",
        ),
        (["--web.listen-address=:0", "--web.listen-address=nowhere"], {}, 2, "--web.listen-address: 'nowhere' is no"),
        (["--web.listen-address=no host:0"], {}, 1, "--web.listen-address: cannot listen on no host:0: "),
        (
            [],
            {"FLEETMETER_EXPORTER_WEB_CONFIG_FILE": "/nowhere/web.yml"},
            2,
            "fleetmeter-exporter: --web.config.file: '/nowhere/web.yml' cannot be read: No such file or directory",
        ),
        (["--web.listen-address=192.0.2.1:0"], {}, 1, "cannot listen on 192.0.2.1:0: Cannot assign"),
    ],
)
def test_a_wrong_start_is_one_line(arguments: list[str], environ: dict[str, str], status: int, line: str) -> None:
    """The exit status, and at the end one line that names flag or variable and reason; no traceback, no password."""
    with Programs() as programs:
        program = programs.start(EXPORTER, *arguments, environ=environ)
        assert program.process.wait(30) == status
        lines = program.output().splitlines()
        assert line in lines[-1]
        assert len(lines) == 1 or lines[0].startswith("usage: ")
        assert "Traceback" not in program.output()
        assert "very-secret" not in program.output()


def test_a_busy_port_is_one_line(store: StoreAddress) -> None:
    """Status 1, the flag, the address and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as busy, Programs() as programs:
        port = busy.getsockname()[1]
        program = programs.start(EXPORTER, f"--web.listen-address=127.0.0.1:{port}", environ=store.environ)
        assert program.process.wait(30) == 1
        expected = f"--web.listen-address: cannot listen on 127.0.0.1:{port}: Address already in use"
        assert program.output() == f"fleetmeter-exporter: {expected}\n"


def test_an_empty_host_listens_on_both_protocols(store: StoreAddress) -> None:
    """`:0` takes IPv4, and IPv6 where the machine has it."""
    with Programs() as programs:
        program = programs.start(EXPORTER, "--web.listen-address=:0", environ=store.environ)
        while "msg=serving" not in program.output():
            assert program.process.poll() is None, program.output()
        port = int(program.output().partition(" addresses=http://")[2].partition("/metrics")[0].rpartition(":")[2])
        hosts: list[Any] = ["127.0.0.1", *(["[::1]"] if socket.has_dualstack_ipv6() else [])]
        for host in hosts:
            assert httpx.get(f"http://{host}:{port}/-/healthy").status_code == 200
        assert program.end() == 0


def test_json_lines_and_a_wrong_password_that_no_line_shows(store: StoreAddress) -> None:
    """With --log.format=json each line is an object, whoever logs it; the store's address comes without its secrets."""
    url = "rediss://u:very-secret@127.0.0.1:1/0?ssl_password=very-secret"
    with Programs() as programs:
        arguments = ("--redis.url", url, "--log.format=json", "--log.level=debug")
        program = programs.exporter(store, *arguments)
        assert "fleetmeter_up 0.0\n" in program.get("/metrics").text
        assert program.end() == 0
        lines = [json.loads(line) for line in program.output().splitlines()]
    ours = [line for line in lines if line["logger"] == "fleetmeter.exporter"]
    assert [line["level"] for line in ours] == ["info", "error", "info"]
    assert (ours[0]["store"], ours[0]["namespaces"]) == ("rediss://127.0.0.1:1/0", [store.namespace])
    assert len(lines) > len(ours)
    assert "very-secret" not in json.dumps(lines)


def test_a_wrong_web_configuration_is_one_line(tmp_path: Path) -> None:
    """Status 2, and file, key, what was found and what was expected."""
    path = tmp_path / "web.yml"
    path.write_text("rate_limit: {interval: soon}")
    with Programs() as programs:
        program = programs.start(EXPORTER, f"--web.config.file={path}")
        assert program.process.wait(30) == 2
        expected = "rate_limit.interval: 'soon' is no duration; expected one such as 1s, 500ms or 1m30s, or 0"
        assert program.output() == f"fleetmeter-exporter: {path}: {expected}\n"


def test_a_web_configuration_is_in_force_on_every_address(store: StoreAddress, tmp_path: Path) -> None:
    """TLS, users and headers on each path of each address, and a change of them without a restart."""
    authority = Authority(tmp_path, "ca")
    authority.issue("server")
    text = """
tls_server_config: {cert_file: server.pem, key_file: server.key}
http_server_config: {headers: {X-Frame-Options: deny}}
basic_auth_users: {NAME: HASH}
""".replace("HASH", bcrypt.hashpw(b"pass", bcrypt.gensalt(4)).decode())
    path = tmp_path / "web.yml"
    path.write_text(text.replace("NAME", "alice"))
    context = ssl.create_default_context(cafile=str(authority.ca))
    with Programs() as programs:
        program = programs.exporter(store, "--web.listen-address=127.0.0.1:0", f"--web.config.file={path}")
        program.address()
        addresses = re.findall(r"https://127\.0\.0\.1:[0-9]+", program.output())
        assert len(set(addresses)) == 2

        def statuses(user: str | None) -> set[int]:
            found = set()
            auth = (user, "pass") if user else None
            for address in addresses:
                for place in ("/metrics", "/-/healthy", "/-/ready", "/nowhere"):
                    answer = httpx.get(address + place, auth=auth, verify=context, timeout=30)
                    assert answer.headers["x-frame-options"] == "deny"
                    found.add(answer.status_code)
            return found

        assert statuses("alice") == {200, 404}
        assert statuses("bob") == statuses(None) == {401}
        path.write_text("basic_auth_users: nobody")
        assert eventually(lambda: bool(statuses("alice")) and "stays in force" in program.output())
        assert statuses("alice") == {200, 404}
        path.write_text(text.replace("NAME", "bob"))
        assert eventually(lambda: statuses("bob") == {200, 404}), (program.output(), statuses("bob"))
        assert statuses("alice") == {401}
        for address in addresses:
            with pytest.raises(httpx.TransportError):
                httpx.get(address.replace("https", "http") + "/metrics")
        assert program.end() == 0
        assert "pass" not in program.output()
        assert "Traceback" not in program.output()
