"""The board's flags: the same as the exporter's where they mean the same, and no open door by accident."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from fleetmeter.errors import SettingError
from fleetmeter_board.command import add_board
from fleetmeter_board.settings import BoardSettings, is_loopback
from support.board import RunningBoard
from support.commands import process
from support.store import StoreAddress
from support.tls import Authority


def settings(*words: str, environ: Mapping[str, str] | None = None) -> BoardSettings:
    """What these words and this environment mean."""
    parser = argparse.ArgumentParser()
    subcommands: Any = parser.add_subparsers()
    add_board(subcommands)
    return BoardSettings.of(vars(parser.parse_args(["board", *words])), environ or {})


def test_it_listens_on_loopback_by_default() -> None:
    """Without a flag nobody but this machine can reach it, and nothing else is asked than the store."""
    found = settings()
    assert [str(address) for address in found.addresses] == ["127.0.0.1:9848"]
    assert (found.only_here, found.prometheus, found.web_config_file) == (True, "", "")


def test_each_flag_has_a_twin_in_the_environment() -> None:
    """The flag wins over its twin, the twin over the library's variable."""
    environ = {
        "FLEETMETER_BOARD_NAMESPACE": "twin", "FLEETMETER_NAMESPACE": "library", "FLEETMETER_REDIS_URL": "redis://h/1",
        "FLEETMETER_BOARD_PROMETHEUS": "http://p:9090/", "FLEETMETER_BOARD_INTERVAL": "7",
        "FLEETMETER_BOARD_WEB_LISTEN_ADDRESS": "127.0.0.1:1, [::1]:2", "FLEETMETER_BOARD_WEB_ALLOW_ANYONE": "true",
    }  # fmt: skip
    found = settings("--interval", "3", environ=environ)
    assert (found.store.namespace, found.store.url) == ("twin", "redis://h/1")
    assert settings(environ={"FLEETMETER_NAMESPACE": "library"}).store.namespace == "library"
    assert (found.prometheus, found.interval, found.allow_anyone) == ("http://p:9090", 3.0, True)
    assert [str(address) for address in found.addresses] == ["127.0.0.1:1", "[::1]:2"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--prometheus", "ftp://x"), "--prometheus"),
        (("--prometheus", "127.0.0.1:9090"), "--prometheus"),
        (("--prometheus", "http://127.0.0.1:port"), "--prometheus"),
        (("--prometheus", "http://127.0.0.1:99999"), "--prometheus"),
        (("--redis.url", "http://x"), "--redis.url"),
        (("--namespace", "a{b"), "--namespace"),
        (("--web.listen-address", "nowhere"), "--web.listen-address"),
        (("--interval", "0"), "--interval"),
        (("--log.level", "loud"), "--log.level"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(words: tuple[str, ...], named: str) -> None:
    """The error names the flag."""
    with pytest.raises(SettingError, match=f"^{named}: "):
        settings(*words)


def test_secrets_are_not_repeated() -> None:
    """A Prometheus' password stands in no error and no repr."""
    with pytest.raises(SettingError) as caught:
        settings("--prometheus", "htp://user:hunter2@h")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(settings("--prometheus", "http://user:hunter2@h"))


@pytest.mark.parametrize(
    ("host", "here"),
    [
        *[(host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST", "board.localhost")],
        *[(host, False) for host in ("", "0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "127.0.0.1.evil.com")],
    ],
)
def test_what_is_this_machine_alone(host: str, here: bool) -> None:
    """An empty host is every interface; names that only look like loopback are none."""
    assert is_loopback(host) is here


@pytest.mark.parametrize("address", [":0", "0.0.0.0:0", "[::]:0"])
def test_other_machines_need_users(address: str, store: StoreAddress) -> None:
    """Without users it does not listen where others could ask, and says what to do."""
    done = process(store, "board", "--web.listen-address", address)
    assert done.returncode == 2
    assert "no user is set; expected 127.0.0.1:PORT, or users in --web.config.file" in done.stderr


def test_a_missing_extra_is_named(store: StoreAddress, tmp_path: Path) -> None:
    """Without NiceGUI the command says how to install it, with status 1."""
    (tmp_path / "nicegui.py").write_text("raise ModuleNotFoundError(\"No module named 'nicegui'\", name='nicegui')\n")
    done = process(store, "board", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "fleetmeter: board needs nicegui; install it with: pip install 'fleetmeter[board]'\n"


def test_an_address_in_use_is_named(board: Callable[..., RunningBoard], store: StoreAddress) -> None:
    """Status 1, and the address."""
    place = board().ready().address.partition("//")[2]
    done = process(store, "board", "--web.listen-address", place)
    assert done.returncode == 1
    assert f"cannot listen on {place}: Address already in use" in done.stderr


def test_users_and_tls_are_the_exporters(board: Callable[..., RunningBoard], tmp_path: Path) -> None:
    """With a web configuration every path is behind TLS and a password, and the headers are the file's."""
    authority = Authority(tmp_path)
    certificate = authority.issue("localhost")
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
    config = tmp_path / "web.yml"
    config.write_text(
        f"tls_server_config: {{cert_file: {certificate.certificate}, key_file: {certificate.key}}}\n"
        f"basic_auth_users: {{ann: '{hashed}'}}\n"
        "http_server_config: {headers: {X-Frame-Options: deny}}\n"
    )
    running = board("--web.config.file", str(config), scheme="https").ready(verify=False)
    with httpx.Client(base_url=running.address, verify=False) as client:
        for path in ("/", "/-/healthy", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"):
            refused = client.get(path)
            assert refused.status_code == 401
            assert 'realm="fleetmeter-board"' in refused.headers["www-authenticate"]
            assert client.get(path, auth=("ann", "wrong")).status_code == 401
        page = client.get("/", auth=("ann", "open sesame"))
        assert page.status_code == 200
        assert page.headers["x-frame-options"] == "deny"
        assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "https://127.0.0.1" in running.log
    assert "open sesame" not in running.log
